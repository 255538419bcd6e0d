"""Rows that were taken out come back once, whole, with their ids."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from modelmint.core.errors import DataError
from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.tables import QUARANTINE, rows
from modelmint.core.types import Dataset
from modelmint.data.clean import CleanInputs, CleanOutputs, CleanSpec, clean
from modelmint.data.normalise import NormaliseInputs, NormaliseSpec, normalise
from modelmint.data.restore import RestoreInputs, RestoreOutputs, RestoreSpec, restore

from .conftest import rows_of, texts_of

ROWS = [("a", "x"), ("a", "y"), ("b", "y"), ("b", "y"), ("c", "x")]


@pytest.fixture
def cleaned(dataset: Callable[..., Dataset], context: StageContext) -> CleanOutputs:
    data = dataset([{"text": text, "label": label} for text, label in ROWS])
    return clean(CleanSpec(), CleanInputs(data=data), context)


@pytest.fixture
def restored(context: StageContext) -> Callable[..., RestoreOutputs]:
    """``restored(data, quarantine, ..., reasons=["duplicate"])``"""

    def run(data: Dataset, *quarantine: Dataset, **spec: Any) -> RestoreOutputs:
        return restore(RestoreSpec(**spec), RestoreInputs(data=data, quarantine=quarantine), context)

    return run


Restored = Callable[..., RestoreOutputs]


def test_rows_of_a_reason_come_back_at_the_end(cleaned: CleanOutputs, restored: Restored) -> None:
    outputs = restored(cleaned.data, cleaned.quarantine, reasons=["label_conflict"])
    assert [(row["_row"], row["text"], row["label"]) for row in rows_of(outputs.data)] == [
        ("r2", "b", "y"), ("r4", "c", "x"), ("r0", "a", "x"), ("r1", "a", "y")]  # fmt: skip
    assert outputs.restoration.facts["restored"] == {"label_conflict": 2}


def test_single_rows_come_back(cleaned: CleanOutputs, restored: Restored) -> None:
    outputs = restored(cleaned.data, cleaned.quarantine, rows=["r1"])
    assert [row["_row"] for row in rows_of(outputs.data)] == ["r2", "r4", "r1"]


def test_labels_are_counted_again(cleaned: CleanOutputs, restored: Restored) -> None:
    outputs = restored(cleaned.data, cleaned.quarantine, reasons=["label_conflict", "duplicate"])
    assert outputs.data.facts["labels"] == {"x": 2, "y": 3}


def test_a_row_comes_back_once_however_often_it_was_taken_out(cleaned: CleanOutputs, restored: Restored) -> None:
    outputs = restored(cleaned.data, cleaned.quarantine, cleaned.quarantine, reasons=["duplicate"])
    assert texts_of(outputs.data) == ["b", "c", "b"]
    again = restored(outputs.data, cleaned.quarantine, reasons=["duplicate", "label_conflict"])
    assert texts_of(again.data) == ["b", "c", "b", "a", "a"]
    assert again.restoration.facts["left_out"] == {"already_there": 1}


def test_a_reason_that_is_not_there_is_an_error_that_names_those_that_are(
    cleaned: CleanOutputs, restored: Restored
) -> None:
    with pytest.raises(DataError, match=r"no row matches; the quarantine holds duplicate \(1\), label_conflict \(2\)"):
        restored(cleaned.data, cleaned.quarantine, reasons=["leak"])


def test_a_row_that_is_there_already_is_an_error(cleaned: CleanOutputs, restored: Restored) -> None:
    all_back = restored(cleaned.data, cleaned.quarantine, reasons=["duplicate"]).data
    with pytest.raises(DataError, match="already_there 1"):
        restored(all_back, cleaned.quarantine, reasons=["duplicate"])


def test_rows_without_cells_cannot_come_back(cleaned: CleanOutputs, restored: Restored, context: StageContext) -> None:
    lost = [{"_row": "z", "reason": "bad_line", "detail": "", "raw": "\x80"}]
    quarantine = context.desk.dataset("quarantine", rows(lost, QUARANTINE))
    old = context.desk.dataset("old", rows(lost, QUARANTINE).drop_columns(["cells"]))
    for one in (quarantine, old):
        with pytest.raises(DataError, match="their cells were not kept"):
            restored(cleaned.data, one, reasons=["bad_line"])


@pytest.mark.parametrize(
    "cells", ["[1]", "{", '{"label": {"a": 1}}', "9" * 5000, "[" * 100_000, '{"label": {"$bytes": "!"}}']
)
def test_cells_that_were_tampered_with_do_not_come_back(
    cells: str, cleaned: CleanOutputs, restored: Restored, context: StageContext
) -> None:
    row = {"_row": "z", "reason": "odd", "detail": "", "raw": "", "cells": cells}
    quarantine = context.desk.dataset("quarantine", rows([row], QUARANTINE))
    with pytest.raises(DataError, match="cells_do_not_fit 1"):
        restored(cleaned.data, quarantine, reasons=["odd"])


def test_nothing_to_put_back_is_refused() -> None:
    with pytest.raises(ValidationError, match="name some reasons or rows"):
        RestoreSpec()


def test_images_chats_and_numbers_come_back_whole(restored: Restored, context: StageContext) -> None:
    chat = [{"role": "user", "content": "a\x00\nb", "name": None, "tool_calls": "[]", "tool_call_id": None}]
    schema = pa.schema([("_row", pa.string()), ("image", pa.binary()), ("messages", FORMS["chat"].columns.field(0).type),
                        ("score", pa.float64()), ("day", pa.date32()), ("label", pa.string())])  # fmt: skip
    row = {"image": b"\x00\xff", "messages": chat, "score": float("inf"), "day": None, "label": "x"}
    table = pa.Table.from_pylist(
        [{"_row": "r0", **row}, {"_row": "r1", **row}, {"_row": "r2", "image": b"z"}], schema=schema
    )
    table = table.set_column(4, "day", pa.array([20_000, 20_000, None], pa.date32()))
    data = context.desk.dataset("data", table, facts={"task": "image-classification"})
    cleaned = clean(CleanSpec(), CleanInputs(data=data), context)
    back = rows_of(restored(cleaned.data, cleaned.quarantine, reasons=["duplicate"]).data)
    assert back[2] == {**back[0], "_row": "r1"}


def test_rows_of_another_form_do_not_come_back(
    cleaned: CleanOutputs, restored: Restored, context: StageContext
) -> None:
    """Else they would stand there with empty texts."""
    alien = {"_row": "z", "reason": "odd", "detail": "", "raw": "", "cells": '{"_row":"z","age":3,"label":"x"}'}
    quarantine = context.desk.dataset("quarantine", rows([alien], QUARANTINE))
    with pytest.raises(DataError, match="cells_do_not_fit 1\n"):
        restored(cleaned.data, quarantine, reasons=["odd"])


def test_a_row_without_its_label_does_not_come_back(
    cleaned: CleanOutputs, restored: Restored, context: StageContext
) -> None:
    bare = {"_row": "z", "reason": "odd", "detail": "", "raw": "", "cells": '{"_row":"z","text":"a"}'}
    quarantine = context.desk.dataset("quarantine", rows([bare], QUARANTINE))
    with pytest.raises(DataError, match="cells_do_not_fit 1\n"):
        restored(cleaned.data, quarantine, reasons=["odd"])


def test_data_in_the_place_of_a_quarantine_is_refused(cleaned: CleanOutputs, restored: Restored) -> None:
    with pytest.raises(DataError, match=r"quarantine: data .* is none"):
        restored(cleaned.data, cleaned.data, reasons=["duplicate"])


def test_no_quarantine_is_refused(cleaned: CleanOutputs, restored: Restored) -> None:
    with pytest.raises(DataError, match="quarantine: none is given"):
        restored(cleaned.data, reasons=["duplicate"])


def test_rows_on_another_scale_do_not_come_back(restored: Restored, context: StageContext) -> None:
    """Of normalised data: an outlier that `normalise` took out comes back scaled, what was taken out before it not."""
    table = pa.table({"_row": list("abcdef"), "n": [1.0, 2.0, 3.0, 4.0, 4.0, 900.0], "label": list("xyxyyx")})
    data = context.desk.dataset("train", table, facts={"task": "tabular-classification"})
    cleaned = clean(CleanSpec(), CleanInputs(data=data), context)
    sets = dict.fromkeys(("train", "validation", "test"), cleaned.data)
    scaled = normalise(NormaliseSpec(outliers="drop", scale="minmax"), NormaliseInputs(**sets), context)
    outputs = restored(scaled.train, cleaned.quarantine, scaled.quarantine, reasons=["duplicate", "outlier"])
    assert outputs.restoration.facts["left_out"] == {"not_normalised": 1}
    assert rows_of(outputs.data)[-1]["n"] == pytest.approx((900 - 1) / 3)
