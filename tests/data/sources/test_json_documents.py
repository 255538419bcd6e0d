"""JSON documents are streamed: lists of objects, or an object that holds one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import DataError
from tests.data.conftest import reasons_of, texts_of

Write = Callable[..., Path]
Collected = Callable[..., Any]

ROWS = [{"text": f"row {number}", "label": "ab"[number % 2]} for number in range(3000)]


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=4),
        "\ufeff " + json.dumps({"version": 1, "about": {"list": [1, 2]}, "rows": ROWS, "end": None}, indent=1),
        "\n".join(json.dumps(row) for row in ROWS),
    ],
    ids=["list", "indented", "inside", "lines"],
)
def test_every_shape_gives_the_same_rows(write: Write, collected: Collected, written: str) -> None:
    assert texts_of(collected(write("a.json", written)).data) == [row["text"] for row in ROWS]


def test_list_named_jsonl_is_read_too(write: Write, collected: Collected) -> None:
    assert collected(write("a.jsonl", json.dumps(ROWS, indent=1))).data.num_rows == len(ROWS)


def test_elements_that_are_no_objects_go_to_quarantine(write: Write, collected: Collected) -> None:
    outputs = collected(write("a.json", json.dumps([*ROWS[:5], 7, "x", None])))
    assert reasons_of(outputs.quarantine) == ["bad_json"] * 3


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('[{"text": "a", "label": "x"}, {"text": oops}]', r"is not JSON.*line 1"),
        ('[{"text": "a", "label": "x"}', r"',' is missing"),
        ('[{"text": "a", "label": "x"},', "ends in the middle of its list"),
        ('[{"text": "a", "label": "x"}] trailing', "goes on after its end"),
        ('[{"text": "a"}\n{"text": "b"}]', r"',' is missing \(line 2"),
        ("[" * 100_000, "nested deeper than can be read"),
        ("hello", "of 1 read 0 can be used"),
    ],
)
def test_broken_documents_are_refused(write: Write, collected: Collected, written: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        collected(write("a.json", written))
