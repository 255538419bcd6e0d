"""What preflight sees before anything is trained."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Report
from modelmint.data.inspection.lengths import Lengths
from modelmint.data.preflight import PreflightInputs, PreflightSpec, fingerprint, preflight
from modelmint.training.spec import TrainSpec

Make = Callable[..., Dataset]


@pytest.fixture
def looked(dataset: Make, context: StageContext) -> Callable[..., Report]:
    def run(rows: list[tuple[str, ...]], **spec: Any) -> Report:
        names = ("text", "label", "_split")[: max(map(len, rows))]
        data = dataset([dict(zip(names, row, strict=True)) for row in rows])
        return preflight(PreflightSpec(**spec), PreflightInputs(data=data), context).preflight

    return run


Looked = Callable[..., Report]


def test_labels_are_counted(looked: Looked) -> None:
    labels = looked([("a", "x"), ("b", "x"), ("c", "x"), ("d", "y"), ("e", "X ")]).facts["labels"]
    assert (labels["num"], labels["once"], labels["imbalance"]) == (3, ["X ", "y"], 3.0)
    assert labels["alike"] == [["X ", "x"]]


def test_conflicts_come_with_examples(looked: Looked) -> None:
    conflicts = looked([("A b", "x"), ("a  b", "y"), ("c", "x")]).facts["conflicts"]
    assert conflicts == {"texts": 1, "rows": 2, "examples": [{"rows": ["r0", "r1"], "labels": ["x", "y"]}]}


def test_duplicates_are_counted_after_normalisation(looked: Looked) -> None:
    assert looked([("A b", "x"), ("a  b", "x"), ("c", "y")]).facts["duplicates"] == 1


def test_leaks_are_evaluation_rows_that_training_has(looked: Looked) -> None:
    rows = [("a", "x", "train"), ("A", "x", "test"), ("a", "x", "test"), ("b", "y", "test"), ("c", "y", "train")]
    facts = looked(rows).facts
    assert (facts["leaks"], facts["splits"]) == (2, {"train": 2, "validation": 0, "test": 3})


def test_more_leaks_than_allowed_are_refused(looked: Looked) -> None:
    rows = [("a", "x", "train"), ("a", "x", "test"), ("b", "y", "train")]
    assert looked(rows, gates={"leaks": 0}).facts["refused"] == ["leaks: must be <= 0; it is 1 of 1"]


def test_one_class_only_is_refused(looked: Looked) -> None:
    assert looked([("a", "x"), ("b", "x")]).facts["refused"] == ["at least 2 classes are needed to train; there are 1"]


def test_good_data_passes_without_a_warning(looked: Looked) -> None:
    facts = looked([("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")]).facts
    assert (facts["warnings"], facts["refused"]) == ([], [])


def test_warnings_have_names(looked: Looked) -> None:
    facts = looked([("a", "x"), ("A", "x"), ("c", "y")]).facts
    assert [warning["name"] for warning in facts["warnings"]] == ["label_once", "label_rare", "duplicates"]


def test_without_training_there_is_no_fingerprint() -> None:
    assert fingerprint(PreflightSpec()) == ""


@pytest.fixture
def measured() -> Callable[..., Lengths]:
    """Lengths of texts in the tokens of the starter base."""

    def run(texts: list[str], *, max_tokens: int = 128, stride: int = 1) -> Lengths:
        lengths = Lengths(base="starter", max_tokens=max_tokens, stride=stride)
        for start in range(0, len(texts), 3):
            lengths.see(pa.RecordBatch.from_pydict({"text": texts[start : start + 3]}))
        return lengths

    return run


def test_lengths_are_in_tokens_of_the_base(measured: Callable[..., Lengths]) -> None:
    tokens = measured(["hello world", "hello " * 50, "hello", "world", "hello"]).tokens()
    assert (tokens["p50"], tokens["max"], sum(tokens["histogram"]["counts"])) == (3, 52, 5)


def test_rows_longer_than_the_limit_are_truncated(measured: Callable[..., Lengths]) -> None:
    truncated = measured(["hello " * 14, "hello " * 15, "hello", "hello"], max_tokens=16).truncated()
    assert truncated == {"rows": 1, "share": 0.25, "limit": 16}


def test_a_stride_measures_every_so_many_rows(measured: Callable[..., Lengths]) -> None:
    lengths = measured([f"{'hello ' * number}" for number in range(100)], stride=10)
    assert (lengths.tokens()["rows_measured"], lengths.tokens()["max"]) == (10, 92)


def test_tokens_that_the_base_does_not_know_are_counted(measured: Callable[..., Lengths]) -> None:
    tokens = measured(["hello", "ᚠᚢᚦᚨᚱᚲ ᚷᚹ", "hello there", "ᛗᛚᛜᛟ"]).tokens()
    assert (tokens["rows_without_token"], tokens["unknown_share"]) == (2, 0.5)


def test_too_long_rows_and_the_estimate_are_reported(looked: Looked) -> None:
    rows = [(f"a question about topic number {number}", "xy"[number % 2]) for number in range(200)]
    report = looked(rows, train=TrainSpec(max_tokens=4), gates={"truncated": "<= 10%"})
    assert report.facts["refused"] == ["truncated: must be <= 10%; it is 100.00% (200 of 200)"]
    assert report.measured["estimate"].keys() >= {"seconds", "memory_bytes", "cost", "parts"}
