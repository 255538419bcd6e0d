"""Walking away with a dataset in every format, and what cannot be written."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelmint.core.errors import DataError, InputError
from modelmint.core.forms import FORMS
from modelmint.core.types import Dataset
from modelmint.data.export import export, formats

Form = Callable[..., Dataset]
CALL = '[{"id": "1", "type": "function", "function": {"name": "track", "arguments": "{}"}}]'
CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Where is my parcel?"},
    {"role": "assistant", "content": "On its way."},
    {"role": "user", "content": "当真?"},
    {"role": "assistant", "content": "是的。"},
]


@pytest.fixture
def of(desk: Any) -> Form:
    """``of("chat", rows)``: a dataset of that task."""

    def make(task: str, rows: list[dict[str, Any]]) -> Dataset:
        fields = [("_row", pa.string()), *((field.name, field.type) for field in FORMS[task].columns)]
        known = {name for name, _ in fields}
        extra = [(name, pa.string()) for name in rows[0] if name not in known] if rows else []
        numbered = [{"_row": f"r{at}", **row} for at, row in enumerate(rows)]
        return desk.dataset(
            "data", pa.Table.from_pylist(numbered, schema=pa.schema([*fields, *extra])), facts={"task": task}
        )

    return make


@pytest.fixture
def sentences(of: Form) -> Dataset:
    return of("text-classification", [{"text": '你好, "a"\nb', "label": "x"}, {"text": "=1+1", "label": "y"}])


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_csv_is_read_back_as_it_was_but_for_formulas(sentences: Dataset, tmp_path: Path) -> None:
    made = export(sentences, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [["text", "label"], ['你好, "a"\nb', "x"], ["'=1+1", "y"]]
    assert "1 rows hold a cell that a spreadsheet would run" in made["notes"][0]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.parquet", "a.arrow"])
def test_formats_of_data_keep_every_cell(sentences: Dataset, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    export(sentences, path)
    read = {
        ".jsonl": lambda: lines(path),
        ".json": lambda: json.loads(path.read_text(encoding="utf-8")),
        ".parquet": lambda: pq.read_table(path).to_pylist(),
        ".arrow": lambda: pa.ipc.open_file(path).read_all().to_pylist(),
    }[path.suffix]()
    assert read == [{"text": '你好, "a"\nb', "label": "x"}, {"text": "=1+1", "label": "y"}]


def test_excel_takes_no_text_for_a_formula(sentences: Dataset, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    export(sentences, tmp_path / "a.xlsx")
    (cell,) = openpyxl.load_workbook(tmp_path / "a.xlsx").active["A3:A3"][0]
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_the_declared_split_is_written_as_a_column(of: Form, tmp_path: Path) -> None:
    made = of("text-classification", [{"text": "a", "label": "x", "_split": "test"}])
    export(made, tmp_path / "a.jsonl")
    assert lines(tmp_path / "a.jsonl") == [{"text": "a", "label": "x", "split": "test"}]


def test_ids_are_written_when_they_are_asked_for(sentences: Dataset, tmp_path: Path) -> None:
    export(sentences, tmp_path / "a.jsonl", ids=True)
    assert lines(tmp_path / "a.jsonl")[0]["_row"] == "r0"


def test_openai_chat_keeps_calls_of_tools(of: Form, tmp_path: Path) -> None:
    chat = [*CHAT[:2], {"role": "assistant", "content": None, "tool_calls": CALL}]
    export(of("chat", [{"messages": chat, "tools": '[{"type": "function"}]'}]), tmp_path / "a.jsonl", "openai")
    (record,) = lines(tmp_path / "a.jsonl")
    assert record["messages"][2] == {"role": "assistant", "content": None, "tool_calls": json.loads(CALL)}
    assert record["tools"] == [{"type": "function"}]


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("sharegpt", {"from": "human", "value": "Where is my parcel?"}),
        ("alpaca", "当真?"),
        ("query-response", "当真?"),
    ],
)
def test_a_chat_is_written_in_other_dialects(of: Form, tmp_path: Path, dialect: str, expected: Any) -> None:
    export(of("chat", [{"messages": CHAT, "tools": None}]), tmp_path / "a.jsonl", dialect)
    (record,) = lines(tmp_path / "a.jsonl")
    found = {
        "sharegpt": lambda: record["conversations"][1],
        "alpaca": lambda: record["instruction"],
        "query-response": lambda: record["query"],
    }[dialect]()
    assert found == expected


def test_what_a_dialect_cannot_hold_is_said(of: Form, tmp_path: Path) -> None:
    chat = [*CHAT[:2], {"role": "assistant", "content": "", "tool_calls": CALL}]
    made = export(of("chat", [{"messages": chat, "tools": None}]), tmp_path / "a.jsonl", "alpaca")
    assert made["notes"] == ["1 chats hold calls of tools or turns that alpaca cannot; they are cut. Use openai."]


def test_preference_pairs_are_written_as_openai_takes_them(of: Form, tmp_path: Path) -> None:
    row = {"prompt": CHAT[:2], "chosen": CHAT[2:3], "rejected": [{"role": "assistant", "content": "No."}]}
    export(of("preference", [row]), tmp_path / "a.jsonl", "openai-preference")
    (record,) = lines(tmp_path / "a.jsonl")
    assert [each["content"] for each in record["non_preferred_output"]] == ["No."]


def test_conll_has_a_token_a_line(of: Form, tmp_path: Path) -> None:
    export(of("token-classification", [{"tokens": ["Ada", "L."], "tags": ["B-PER", "O"]}]), tmp_path / "a.conll")
    assert (tmp_path / "a.conll").read_text() == "Ada B-PER\nL. O\n\n"


def test_label_studio_has_spans_in_characters(of: Form, tmp_path: Path) -> None:
    row = {"tokens": ["in", "New", "York", "Ada"], "tags": ["O", "B-LOC", "I-LOC", "B-PER"]}
    export(of("token-classification", [row]), tmp_path / "a.json", "label-studio")
    (task,) = json.loads((tmp_path / "a.json").read_text())
    spans = [each["value"] for each in task["annotations"][0]["result"]]
    assert [(span["text"], span["labels"]) for span in spans] == [("New York", ["LOC"]), ("Ada", ["PER"])]


def test_images_go_to_a_folder_a_label(of: Form, tmp_path: Path) -> None:
    export(of("image-classification", [{"image": b"\x89PNG...", "label": "cat"}]), tmp_path / "pets")
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.png")] == [Path("pets/cat/r0.png")]


@pytest.mark.parametrize("label", ["../up", "/etc", "a/b", "..", ".", "", "con\0", "C:\\x", "a" * 300, "猫"])
def test_a_label_never_leads_out_of_the_folder(of: Form, tmp_path: Path, label: str) -> None:
    export(of("image-classification", [{"image": b"\x89PNG", "label": label}]), tmp_path / "out" / "pets")
    (found,) = tmp_path.rglob("*.png")
    assert found.resolve().parent.parent == (tmp_path / "out" / "pets").resolve()


def test_a_format_that_does_not_fit_the_task_is_refused(sentences: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format: must be one of csv"):
        export(sentences, tmp_path / "a.jsonl", "trl")


def test_a_file_that_is_there_is_not_overwritten_unasked(sentences: Dataset, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        export(sentences, tmp_path / "a.csv")
    export(sentences, tmp_path / "a.csv", overwrite=True)
    assert (tmp_path / "a.csv").read_text().startswith("text,label")


def test_nothing_is_left_of_an_export_that_failed(of: Form, tmp_path: Path) -> None:
    made = of("text-classification", [{"text": "a" * 40_000, "label": "x"}])
    with pytest.raises(DataError, match="a cell has 40,000 characters"):
        export(made, tmp_path / "a.xlsx")
    assert list(tmp_path.glob("*a.xlsx*")) == []


@pytest.mark.parametrize("task", sorted(FORMS))
def test_every_task_has_a_format(task: str) -> None:
    assert {"parquet", "arrow"} <= set(formats(task))


def test_a_suffix_that_is_none_is_refused(of: Form, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"format: out\.jsno has no suffix that says it"):
        export(of("text-classification", [{"text": "a", "label": "b"}]), tmp_path / "out.jsno")
