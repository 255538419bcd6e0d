"""Texts with several labels each, and texts with a number: read, and taken through every stage of the data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.data.augment import AugmentInputs, AugmentOutputs, AugmentSpec, augment
from modelmint.data.clean import CleanInputs, CleanSpec, clean
from modelmint.data.collect import CollectOutputs
from modelmint.data.deduplicate import DeduplicateInputs, DeduplicateSpec, deduplicate
from modelmint.data.deidentify import DeidentifyInputs, DeidentifySpec, deidentify

from .conftest import reasons_of, rows_of

Write = Callable[..., Path]
Collected = Callable[..., CollectOutputs]
SETS, NUMBERS = "multi-label-classification", "text-regression"


def labels_of(dataset: Dataset) -> list[Any]:
    return [row["labels"] for row in rows_of(dataset)]


@pytest.fixture
def made(context: StageContext) -> Callable[..., Dataset]:
    """``made(task, rows)``: a dataset of that form."""

    def make(task: str, rows: list[dict[str, Any]]) -> Dataset:
        schema = pa.schema([pa.field("_row", pa.string()), *FORMS[task].columns])
        table = pa.Table.from_pylist([{"_row": f"r{at}", **row} for at, row in enumerate(rows)], schema=schema)
        found: Dataset = context.desk.dataset("given", table, facts={"task": task, "labels": {}})
        return found

    return make


Made = Callable[..., Dataset]


@pytest.mark.parametrize(
    ("cell", "spec", "labels"),
    [
        ("a|b", {}, ["a", "b"]),
        (" a | b |", {}, ["a", "b"]),
        ('"[""b"", ""a""]"', {}, ["b", "a"]),
        ("a;b", {"labels_separator": ";"}, ["a", "b"]),
        ("a|a", {}, ["a"]),
        ("", {}, []),
    ],
)
def test_labels_are_read_from_a_cell(
    write: Write, collected: Collected, cell: str, spec: dict[str, Any], labels: list[str]
) -> None:
    path = write("a.csv", f"text,tags\none,{cell}\ntwo,z\nthree,y\n")
    assert labels_of(collected(path, task=SETS, labels="tags", **spec).data)[0] == labels


def test_lists_of_names_beside_a_text_are_labels_without_being_told(write: Write, collected: Collected) -> None:
    path = write("a.jsonl", '{"text": "one", "labels": ["a", "b"]}\n{"text": "two", "labels": []}\n')
    data = collected(path).data
    assert (data.facts["task"], data.facts["labels"], labels_of(data)) == (SETS, {"a": 1, "b": 1}, [["a", "b"], []])


def test_labels_that_are_no_names_go_to_quarantine(write: Write, collected: Collected) -> None:
    lines = [
        '{"text": "one", "labels": [{"a": 1}]}',
        '{"text": "two", "labels": {"a": 1}}',
        '{"text": "", "labels": ["a"]}',
        '{"text": "four", "labels": ["a | b"]}',
        '{"text": "five", "labels": ["a", 7]}',
        '{"text": "six", "labels": ["b"]}',
    ]
    outputs = collected(write("a.jsonl", "\n".join(lines)), task=SETS)
    assert reasons_of(outputs.quarantine) == ["bad_type", "bad_type", "empty_text", "bad_label"]
    assert labels_of(outputs.data) == [["a", "7"], ["b"]]


def test_numbers_are_read_and_what_is_none_goes_to_quarantine(write: Write, collected: Collected) -> None:
    path = write("a.csv", "text,stars\none,3\ntwo,-0.5\nthree,many\nfour,\nfive,1e400\n")
    outputs = collected(path, task=NUMBERS, label="stars")
    assert [row["label"] for row in rows_of(outputs.data)] == [3.0, -0.5]
    assert reasons_of(outputs.quarantine) == ["bad_number", "missing_label", "bad_number"]


def test_a_column_that_is_not_there_is_named(write: Write, collected: Collected) -> None:
    from modelmint.core.errors import DataError

    with pytest.raises(DataError, match="missing column: 'labels'"):
        collected(write("a.csv", "text,label\none,a\ntwo,b\n"), task=SETS)


def test_rows_of_one_text_and_the_same_labels_are_duplicates_in_any_order(made: Made, context: StageContext) -> None:
    data = made(SETS, [{"text": "one", "labels": names} for names in (["a", "b"], ["b", "a"])])
    outputs = clean(CleanSpec(), CleanInputs(data=data), context)
    assert (reasons_of(outputs.quarantine), outputs.data.facts["labels"]) == (["duplicate"], {"a": 1, "b": 1})


def test_one_text_with_other_labels_is_a_conflict(made: Made, context: StageContext) -> None:
    rows = [{"text": "one", "labels": names} for names in (["a", "b"], ["a"])]
    outputs = clean(CleanSpec(), CleanInputs(data=made(SETS, [*rows, {"text": "two", "labels": ["b"]}])), context)
    assert reasons_of(outputs.quarantine) == ["label_conflict"] * 2


def test_one_text_with_two_numbers_is_kept_and_that_is_said(made: Made, context: StageContext) -> None:
    data = made(NUMBERS, [{"text": "one", "label": number} for number in (1.0, 2.0, 2.0)])
    outputs = clean(CleanSpec(), CleanInputs(data=data), context)
    assert [row["label"] for row in rows_of(outputs.data)] == [1.0, 2.0]
    assert any("noise, not a conflict" in said for said in outputs.cleaning.facts["left_alone"])


def test_near_copies_with_other_labels_are_told_apart(made: Made, context: StageContext) -> None:
    text = "when will the new card that I ordered last week be sent to my address in town"
    rows = [{"text": text, "labels": ["a", "b"]}, {"text": f"{text}!", "labels": ["b", "a"]}]
    outputs = deduplicate(DeduplicateSpec(), DeduplicateInputs(data=made(SETS, rows)), context)
    assert outputs.data.num_rows == 1


def test_personal_data_goes_from_texts_and_labels_stay(made: Made, context: StageContext) -> None:
    rows = [{"text": "write to ann.lee@example.org", "labels": ["a", "b"]}, {"text": "hello", "labels": ["b"]}]
    data = deidentify(DeidentifySpec(), DeidentifyInputs(data=made(SETS, rows)), context).data
    assert "ann.lee" not in rows_of(data)[0]["text"]
    assert (labels_of(data), data.facts["labels"]) == ([["a", "b"], ["b"]], {"a": 1, "b": 2})


@pytest.mark.parametrize(("task", "cells"), [(SETS, {"labels": ["a", "b"]}), (NUMBERS, {"label": 2.5})])
def test_copies_keep_what_is_predicted(made: Made, context: StageContext, task: str, cells: dict[str, Any]) -> None:
    grown = _augmented(made, context, task, cells, copies=1).train
    name = "labels" if task == SETS else "label"
    assert [row[name] for row in rows_of(grown)] == [cells[name]] * 2
    assert grown.facts["labels"] == ({"a": 2, "b": 2} if task == SETS else {})


@pytest.mark.parametrize(("task", "cells"), [(SETS, {"labels": ["a", "b"]}), (NUMBERS, {"label": 2.5})])
def test_that_nothing_is_evened_out_is_said(
    made: Made, context: StageContext, task: str, cells: dict[str, Any]
) -> None:
    outputs = _augmented(made, context, task, cells, balance="weights")
    assert "no_labels" in [one["name"] for one in outputs.augmentation.facts["warnings"]]
    assert "_weight" not in outputs.train.facts["columns"]


def _augmented(made: Made, context: StageContext, task: str, cells: dict[str, Any], **spec: Any) -> AugmentOutputs:
    text = "please send the new card to my old address as soon as you possibly can"
    return augment(AugmentSpec(**spec), AugmentInputs(train=made(task, [{"text": text, **cells}])), context)
