"""Rows taken out are kept whole, as JSON, within bounds."""

import datetime
import json

import pyarrow as pa
import pytest

from modelmint.core.stage import StageContext
from modelmint.data.quarantine import MAX_CELLS_CHARS, Quarantine, cells_at, cells_of

from .conftest import rows_of


def test_cells_are_json_without_nulls() -> None:
    batch = pa.RecordBatch.from_pylist([{"_row": "a", "text": "\u6211\x00\n", "n": 1.5, "none": None}])
    assert json.loads(cells_of(batch, 0)) == {"_row": "a", "text": "\u6211\x00\n", "n": 1.5}


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        (b"\xff", {"$bytes": "/w=="}),
        (float("nan"), {"$float": "nan"}),
        (datetime.date(2026, 1, 2), {"$text": "2026-01-02"}),
    ],
)
def test_what_json_lacks_is_an_object_with_one_key(cell: object, written: dict[str, str]) -> None:
    assert json.loads(cells_of(pa.RecordBatch.from_pylist([{"cell": cell}]), 0))["cell"] == written


def test_a_row_too_long_to_keep_has_no_cells() -> None:
    batch = pa.RecordBatch.from_pylist([{"text": "x" * (MAX_CELLS_CHARS + 1)}, {"text": "y"}])
    assert cells_at(batch, [0, 1]) == ["", '{"text":"y"}']


def test_cells_are_null_where_none_were_kept(context: StageContext) -> None:
    with Quarantine(context.scratch) as quarantine:
        quarantine.add(row="a", reason="x", detail="", raw="")
        quarantine.add(row="b", reason="x", detail="", raw="", cells="")
        quarantine.add(row="c", reason="x", detail="", raw="", cells="{}")
    assert [row["cells"] for row in rows_of(quarantine.dataset(context.desk))] == [None, None, "{}"]
