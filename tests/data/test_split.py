"""Splits: shares, strata, groups, leaks, determinism."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.core.tables import column
from modelmint.core.types import Dataset
from modelmint.data.split import SplitInputs, SplitOutputs, SplitSpec, split

from .conftest import reasons_of, texts_of

Make = Callable[..., Dataset]
ROWS = [
    {"_row": f"id{number}", "text": f"text {number}", "label": "abc"[min(number % 10, 2)]} for number in range(1000)
]
SETS = ("train", "validation", "test")


@pytest.fixture
def divided(dataset: Make, context: StageContext) -> Callable[..., SplitOutputs]:
    def run(rows: list[dict[str, Any]], **spec: Any) -> SplitOutputs:
        return split(SplitSpec(**spec), SplitInputs(data=dataset(rows)), context)

    return run


Divided = Callable[..., SplitOutputs]


def sides(outputs: SplitOutputs, name: str = "_row") -> dict[str, str]:
    return {value: side for side in SETS for value in column(getattr(outputs, side), name)}


def test_shares_are_those_asked_for(divided: Divided) -> None:
    outputs = divided(ROWS)
    assert [getattr(outputs, side).num_rows for side in SETS] == [765, 85, 150]


def test_every_set_has_its_share_of_every_label(divided: Divided) -> None:
    outputs = divided(ROWS)
    assert outputs.test.facts["labels"] == {"a": 15, "b": 15, "c": 120}


def test_test_can_be_a_number_of_rows(divided: Divided) -> None:
    assert divided(ROWS, test=40).test.num_rows == 40


def test_validation_can_be_capped(divided: Divided) -> None:
    assert divided(ROWS, max_validation_rows=20).validation.num_rows == 20


def test_no_row_is_lost(divided: Divided) -> None:
    assert len(sides(divided(ROWS))) == 1000


def test_the_order_of_rows_does_not_matter(divided: Divided) -> None:
    assert sides(divided(ROWS)) == sides(divided(ROWS[::-1]))


def test_the_seed_matters(dataset: Make, context: StageContext) -> None:
    from dataclasses import replace

    data = SplitInputs(data=dataset(ROWS))
    other = replace(context, seed=context.seed + 1)
    assert sides(split(SplitSpec(), data, context)) != sides(split(SplitSpec(), data, other))


def test_equal_texts_are_on_one_side(divided: Divided) -> None:
    rows = [
        {"text": f"Text {number // 4}" if number % 2 else f"text  {number // 4}", "label": "ab"[number % 2]}
        for number in range(400)
    ]
    outputs = divided(rows)
    folded = [{" ".join(text.lower().split()) for text in texts_of(getattr(outputs, side))} for side in SETS]
    assert sum(map(len, folded)) == len(set.union(*folded))


def test_groups_are_on_one_side(divided: Divided) -> None:
    rows = [row | {"_group": f"g{number // 7}" if number % 11 else None} for number, row in enumerate(ROWS)]
    outputs = divided(rows)
    groups = [set(column(getattr(outputs, side), "_group")) - {None} for side in SETS]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert 130 <= outputs.test.num_rows <= 170


def test_a_label_seen_once_is_in_training_with_a_warning(divided: Divided) -> None:
    outputs = divided([*ROWS, {"text": "rare", "label": "once"}])
    assert outputs.train.facts["labels"]["once"] == 1
    assert outputs.train.facts["warnings"] == [
        {"name": "labels_not_tested", "message": "once: too few rows to be in the test set"}
    ]


def test_every_label_keeps_a_training_row(divided: Divided) -> None:
    rows = [{"text": f"t{number}", "label": f"label {number // 2}"} for number in range(200)]
    assert len(divided(rows, test=0.5).train.facts["labels"]) == 100


def test_a_declared_split_is_kept_and_validation_is_cut_from_training(divided: Divided) -> None:
    rows = [row | {"_split": "test" if number < 200 else "train"} for number, row in enumerate(ROWS)]
    outputs = divided(rows)
    assert [getattr(outputs, side).num_rows for side in SETS] == [720, 80, 200]
    assert texts_of(outputs.test) == [f"text {number}" for number in range(200)]


def test_a_training_row_of_the_declared_test_set_is_a_leak(divided: Divided) -> None:
    rows = [row | {"_split": "train"} for row in ROWS] + [
        {"text": f"TEXT {number}", "label": "a", "_split": "test"} for number in range(5)
    ]
    outputs = divided(rows)
    assert reasons_of(outputs.quarantine) == ["leak"] * 5
    assert outputs.test.num_rows == 5


def test_too_few_rows_are_refused(divided: Divided) -> None:
    with pytest.raises(DataError, match="needs at least 1 test row"):
        divided([{"text": "a", "label": "x"}, {"text": "b", "label": "y"}])


def test_the_declared_split_column_is_not_passed_on(divided: Divided) -> None:
    assert "_split" not in divided([row | {"_split": "train"} for row in ROWS]).train.facts["columns"]


def test_real_banking77_keeps_the_published_test_set(shared: Path, context: StageContext) -> None:
    from modelmint.data.collect import CollectInputs, CollectSpec, collect

    data = collect(CollectSpec(source=str(shared / "banking77")), CollectInputs(), context).data
    outputs = split(SplitSpec(), SplitInputs(data=data), context)
    assert outputs.test.num_rows == 3080
    assert min(Counter(column(outputs.validation, "label")).values()) >= 1
