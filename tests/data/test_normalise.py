"""What normalise fits on the training rows alone, and does to every set."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.core.tables import column
from modelmint.core.types import Dataset
from modelmint.data.cleaning.fitting import Fitted, apply
from modelmint.data.normalise import NormaliseInputs, NormaliseOutputs, NormaliseSpec, normalise

from .conftest import rows_of

TRAIN = [{"n": float(value), "w": word, "label": "y"} for value, word in zip([1, 2, 3, 4, 5], "aabca", strict=True)]


@pytest.fixture
def normalised(context: StageContext) -> Callable[..., NormaliseOutputs]:
    """``normalised(train, test, scale="none")``: rows of two sets; the validation set has the rows of the test set."""

    def make(rows: list[dict[str, Any]], name: str) -> Dataset:
        kinds = {"n": pa.float64(), "w": pa.string(), "label": pa.string()}
        schema = pa.schema([("_row", pa.string()), *((one, kinds[one]) for one in rows[0])])
        table = pa.Table.from_pylist([{"_row": f"{name}{at}", **row} for at, row in enumerate(rows)], schema=schema)
        return context.desk.dataset(name, table, facts={"task": "tabular-classification", "labels": {"y": len(rows)}})

    def run(train: list[dict[str, Any]], test: list[dict[str, Any]], **spec: Any) -> NormaliseOutputs:
        sets = {"train": make(train, "train"), "validation": make(test, "validation"), "test": make(test, "test")}
        return normalise(NormaliseSpec(**spec), NormaliseInputs(**sets), context)

    return run


Normalised = Callable[..., NormaliseOutputs]


def test_numbers_are_scaled_by_the_training_rows_alone(normalised: Normalised) -> None:
    outputs = normalised(TRAIN, [{"n": 100.0, "w": "a", "label": "y"}])
    assert np.mean(column(outputs.train, "n")) == pytest.approx(0)
    assert column(outputs.test, "n") == [pytest.approx((100 - 3) / np.sqrt(2))]


def test_other_test_rows_change_nothing_that_is_fitted(normalised: Normalised) -> None:
    one = normalised(TRAIN, [{"n": 100.0, "w": "a", "label": "y"}])
    other = normalised(TRAIN, [{"n": None, "w": "q", "label": "y"}])
    assert one.normalisation.facts["columns"] == other.normalisation.facts["columns"]
    assert one.train.digest == other.train.digest


@pytest.mark.parametrize(
    ("scale", "expected"), [("none", 5.0), ("minmax", 1.0), ("robust", 1.0), ("standard", 2 / np.sqrt(2))]
)
def test_each_scale(normalised: Normalised, scale: str, expected: float) -> None:
    assert column(normalised(TRAIN, TRAIN, scale=scale).train, "n")[4] == pytest.approx(expected)


@pytest.mark.parametrize(("numbers", "expected"), [("median", 2.0), ("mean", 3.0), ("constant", -1.0), ("keep", None)])
def test_a_missing_number_is_filled(normalised: Normalised, numbers: str, expected: float | None) -> None:
    train = [{"n": value, "label": "y"} for value in (1.0, 2.0, 6.0, None, float("nan"))]
    filled = column(normalised(train, train, numbers=numbers, fill=-1, scale="none").train, "n")
    assert filled == [1.0, 2.0, 6.0, expected, expected]


@pytest.mark.parametrize(("words", "expected"), [("mode", "a"), ("constant", "missing"), ("keep", "N/A")])
def test_a_missing_word_is_filled(normalised: Normalised, words: str, expected: str) -> None:
    outputs = normalised(TRAIN, [{"n": 1.0, "w": "N/A", "label": "y"}], words=words)
    assert column(outputs.test, "w") == [expected]


def test_missing_cells_can_be_marked(normalised: Normalised) -> None:
    outputs = normalised([*TRAIN, {"n": None, "w": "a", "label": "y"}], TRAIN, mark_missing=True)
    assert column(outputs.train, "n_missing") == [0, 0, 0, 0, 0, 1]
    assert set(outputs.test.facts["columns"]) == {"_row", "n", "w", "label", "n_missing"}


FAR = [*({"n": float(value % 10), "label": "y"} for value in range(50)), {"n": 1000.0, "label": "y"}]


@pytest.mark.parametrize("method", ["iqr", "mad", "z"])
def test_outliers_are_clipped_in_every_set(normalised: Normalised, method: str) -> None:
    outputs = normalised(FAR, [{"n": 5000.0, "label": "y"}], outliers="clip", method=method, scale="none")
    high = outputs.normalisation.facts["columns"]["n"]["bounds"][1]
    assert 9 < high < 1000
    assert column(outputs.test, "n") == [high]


def test_training_rows_with_outliers_are_dropped_and_test_rows_kept(normalised: Normalised) -> None:
    outputs = normalised(FAR, [{"n": 5000.0, "label": "y"}], outliers="drop", scale="none")
    assert (outputs.train.num_rows, outputs.test.num_rows) == (50, 1)
    assert rows_of(outputs.quarantine)[0]["detail"].startswith("n is 1000.0; the bounds are")


def test_a_column_whose_middle_half_has_one_value_has_no_outliers(normalised: Normalised) -> None:
    mostly = [{"n": 0.0, "label": "y"}] * 20 + [{"n": 7.0, "label": "y"}]
    assert normalised(mostly, mostly, outliers="drop").train.num_rows == 21


def test_what_was_fitted_can_be_repeated_by_a_server(normalised: Normalised) -> None:
    outputs = normalised([*TRAIN, {"n": None, "w": "?", "label": "y"}], TRAIN, mark_missing=True, outliers="clip")
    request = pa.record_batch([pa.array([None, 2.0]), pa.array(["?", "a"])], names=["n", "w"])
    served = apply(outputs.normalisation.facts["columns"], request).to_pylist()
    trained = rows_of(outputs.train)
    assert served == [{name: trained[at][name] for name in ("n", "w", "n_missing", "w_missing")} for at in (5, 1)]


def test_numbers_written_as_text_become_numbers(normalised: Normalised) -> None:
    train = [{"w": word, "label": "y"} for word in ("1", " 2.5 ", "+4", "", "1e1")]
    outputs = normalised(train, [{"w": "x", "label": "y"}], scale="none", numbers="constant")
    assert column(outputs.train, "w") == [1.0, 2.5, 4.0, 0.0, 10.0]
    assert column(outputs.test, "w") == [0.0]


def test_codes_with_leading_zeros_stay_words(normalised: Normalised) -> None:
    assert column(normalised([{"w": "0150", "label": "y"}] * 2, [{"w": "7", "label": "y"}]).train, "w") == [
        "0150",
        "0150",
    ]


def test_facts_and_fitted_are_inverse() -> None:
    fitted = Fitted(kind="number", fill=1.0, bounds=(0.0, 2.0), clips=True, center=0.5, scale=2.0, summary={"min": 0.0})
    assert Fitted.from_facts(fitted.facts()) == fitted


def test_a_constant_column_is_warned_of_and_survives(normalised: Normalised) -> None:
    outputs = normalised([{"n": 3.0, "label": "y"}] * 4, [{"n": 4.0, "label": "y"}])
    assert outputs.normalisation.facts["warnings"][0]["name"] == "constant_columns"
    assert column(outputs.test, "n") == [1.0]


def test_texts_are_refused(dataset: Callable[..., Dataset], context: StageContext) -> None:
    data = dataset([{"text": "a", "label": "x"}])
    with pytest.raises(DataError, match="normalise is for tables"):
        normalise(NormaliseSpec(), NormaliseInputs(train=data, validation=data, test=data), context)


def test_an_unknown_column_is_refused(normalised: Normalised) -> None:
    with pytest.raises(DataError, match="must be some of n, w; got label"):
        normalised(TRAIN, TRAIN, columns=["label"])
