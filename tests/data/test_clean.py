"""What clean keeps, drops and says."""

from collections.abc import Callable
from typing import Any

import pytest

from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.data.clean import CleanInputs, CleanOutputs, CleanSpec, clean

from .conftest import reasons_of, rows_of, texts_of

Make = Callable[..., Dataset]


@pytest.fixture
def cleaned(dataset: Make, context: StageContext) -> Callable[..., CleanOutputs]:
    """``cleaned([(text, label), (text, label, split), ...], casefold=False)``"""

    def run(rows: list[tuple[str, ...]], **spec: Any) -> CleanOutputs:
        names = ("text", "label", "_split")[: max(map(len, rows))]
        data = dataset([dict(zip(names, row, strict=True)) for row in rows])
        return clean(CleanSpec(**spec), CleanInputs(data=data), context)

    return run


Cleaned = Callable[..., CleanOutputs]


def test_texts_are_stored_tidy(cleaned: Cleaned) -> None:
    assert texts_of(cleaned([(" a  b ", "x"), ("c\u200bd", "y")]).data) == ["a b", "cd"]


def test_a_text_of_which_nothing_is_left_goes_to_quarantine(cleaned: Cleaned) -> None:
    outputs = cleaned([("a", "x"), ("\u200b \u200b", "x"), ("b", "y")])
    assert reasons_of(outputs.quarantine) == ["empty_text"]
    assert outputs.data.facts["rows_quarantined"] == {"empty_text": 1}


def test_the_first_of_equal_rows_is_kept(cleaned: Cleaned) -> None:
    outputs = cleaned([("Hello", "x"), ("b", "y"), ("hello ", "x")])
    assert texts_of(outputs.data) == ["Hello", "b"]
    assert rows_of(outputs.quarantine)[0]["detail"] == "the same text and label as row r0"


def test_case_counts_when_casefold_is_off(cleaned: Cleaned) -> None:
    assert cleaned([("Hello", "x"), ("hello", "x"), ("b", "y")], casefold=False).data.num_rows == 3


def test_all_rows_of_a_conflict_are_dropped(cleaned: Cleaned) -> None:
    outputs = cleaned([("a", "x"), ("a", "y"), ("b", "y"), ("a", "x")])
    assert texts_of(outputs.data) == ["b"]
    assert [row["detail"][:6] for row in rows_of(outputs.quarantine)] == ["row r1", "row r0", "row r1"]


def test_the_majority_of_a_conflict_can_be_kept(cleaned: Cleaned) -> None:
    outputs = cleaned([("a", "x"), ("a", "y"), ("a", "x"), ("b", "y"), ("b", "x")], conflicts="majority")
    assert [(row["text"], row["label"]) for row in rows_of(outputs.data)] == [("a", "x")]
    assert sorted(reasons_of(outputs.quarantine)) == ["duplicate", "label_conflict", "label_conflict", "label_conflict"]


def test_conflicts_and_duplicates_can_be_kept(cleaned: Cleaned) -> None:
    assert cleaned([("a", "x"), ("a", "y"), ("a", "x")], conflicts="keep", duplicates="keep").data.num_rows == 3


def test_a_declared_test_set_keeps_its_rows(cleaned: Cleaned) -> None:
    outputs = cleaned([("a", "x", "test"), ("a", "x", "test"), ("a", "y", "test"), ("b", "y", "train")])
    assert outputs.data.num_rows == 4


def test_training_and_validation_rows_of_the_test_set_are_leaks(cleaned: Cleaned) -> None:
    outputs = cleaned([("a", "x", "train"), ("a", "x", "validation"), ("A", "x", "test"), ("b", "y", "validation"),
                       ("b", "y", "train"), ("c", "y", "train")])  # fmt: skip
    assert texts_of(outputs.data) == ["A", "b", "c"]
    assert [(row["reason"], row["detail"][-2:]) for row in rows_of(outputs.quarantine)] == [
        ("leak", "r2"), ("leak", "r2"), ("leak", "r3")]  # fmt: skip


def test_no_row_is_lost(cleaned: Cleaned) -> None:
    rows = [(f"text {number % 7000}", f"label {number % 7000 % 9 + number // 18_000}") for number in range(20_000)]
    outputs = cleaned(rows)
    assert outputs.data.num_rows + outputs.quarantine.num_rows == 20_000


def test_nothing_left_is_an_error(cleaned: Cleaned) -> None:
    with pytest.raises(DataError, match="no row is left of 2"):
        cleaned([("a", "x"), ("a", "y")])


def test_the_same_input_gives_the_same_digest(cleaned: Cleaned) -> None:
    rows = [("a", "x"), ("b", "y"), ("a ", "x")]
    assert cleaned(rows).data.digest == cleaned(rows).data.digest
