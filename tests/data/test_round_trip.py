"""What `export` writes, `collect` reads back: in every format, for every task, nothing but our own columns changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.core import tables
from modelmint.core.forms import FORMS
from modelmint.core.types import Dataset
from modelmint.data.collect import CollectOutputs
from modelmint.data.export import export, formats
from modelmint.data.peek import peek

USER, ASSISTANT = "user", "assistant"
CHAT = [
    {"role": USER, "content": "Where is my parcel?"},
    {"role": ASSISTANT, "content": "On its way."},
    {"role": USER, "content": "真的吗？\n=1+1"},
    {"role": ASSISTANT, "content": '是的, "yes"'},
]
ROWS: dict[str, list[dict[str, Any]]] = {
    "text-classification": [
        {"text": "你好, \"a\" 'b'\nnext line", "label": "greeting"},
        {"text": "=HYPERLINK(\"x\")", "label": "formula"},
        {"text": "plain; with | separators\tand tabs", "label": "greeting"},
    ],
    "text-pair-classification": [
        {"text": "a", "text_pair": "b, c", "label": "yes"},
        {"text": "-d", "text_pair": "e", "label": "no"},
    ],
    "multi-label-classification": [
        {"text": "a, b", "labels": ["x, y", "z"]},
        {"text": "=c", "labels": []},
        {"text": "d\ne", "labels": ["中文"]},
    ],
    "text-regression": [{"text": "a", "label": 1.5}, {"text": "-b", "label": -2e-9}],
    "text-generation": [{"text": "First document.\nSecond line."}, {"text": "另一篇文档。"}],
    "text2text-generation": [{"text": "Hallo", "target": "Hello"}, {"text": "=Welt", "target": "world"}],
    "text-retrieval": [
        {"query": "=who?", "positive": "Ada, in 1843", "negative": "Bob\nlater"},
        {"query": "谁", "positive": "艾达", "negative": None},
    ],
    "recommendation": [
        {"user": "007", "item": "=a", "rating": 4.5, "time": 881250949.0},
        {"user": "Ü", "item": "b", "rating": None, "time": 5.0},
    ],
    "token-classification": [
        {"tokens": ["Ada", "lives", "in", "New", "York"], "tags": ["B-PER", "O", "O", "B-LOC", "I-LOC"]},
        {"tokens": ["上", "海"], "tags": ["B-LOC", "I-LOC"]},
    ],
    "question-answering": [
        {"question": "Who?", "context": "Ada wrote it.", "answer": "Ada", "answer_start": 0},
        {"question": "Where?", "context": "In London, in 1843.", "answer": "London", "answer_start": 3},
    ],
    "chat": [{"messages": CHAT, "tools": None}, {"messages": CHAT[:2], "tools": None}],
    "preference": [
        {"prompt": CHAT[:1], "chosen": CHAT[1:2], "rejected": [{"role": ASSISTANT, "content": "No."}]},
        {"prompt": CHAT[:3], "chosen": CHAT[3:], "rejected": [{"role": ASSISTANT, "content": "不。"}]},
    ],
}  # fmt: skip
SUFFIX = {"csv": ".csv", "tsv": ".tsv", "json": ".json", "parquet": ".parquet", "arrow": ".arrow", "excel": ".xlsx",
          "text": ".txt", "conll": ".conll", "label-studio": ".json", "squad": ".json", "folder": ""}  # fmt: skip
AS_CHAT = ("openai", "sharegpt", "alpaca", "query-response")
CASES = [
    (task, name)
    for task in ROWS
    for name in formats(task)
    if not (task == "text2text-generation" and name in AS_CHAT)  # they come back as chats
]


@pytest.mark.parametrize(("task", "name"), CASES)
def test_what_is_exported_is_read_back(
    desk: Any, collected: Callable[..., CollectOutputs], tmp_path: Path, task: str, name: str
) -> None:
    made = _dataset(desk, task)
    target = tmp_path / f"out{SUFFIX.get(name, '.jsonl')}"
    export(made, target, name)
    how: dict[str, Any] = {"task": task}
    if name in ("csv", "tsv"):
        how["guarded"] = True
    if name == "text":
        how["cut"] = "paragraph"
    back = collected(target, **how)
    assert back.quarantine.num_rows == 0
    expected = sorted(map(repr, _plain(made, task)))
    assert sorted(map(repr, _plain(back.data, task))) == expected


@pytest.mark.parametrize("name", AS_CHAT)
def test_a_text_and_its_target_come_back_as_a_chat_of_two(
    desk: Any, collected: Callable[..., CollectOutputs], tmp_path: Path, name: str
) -> None:
    export(_dataset(desk, "text2text-generation"), tmp_path / "out.jsonl", name)
    back = _plain(collected(tmp_path / "out.jsonl").data, "chat")
    assert [(USER, "Hallo"), (ASSISTANT, "Hello")] in [row["messages"] for row in back]


def _dataset(desk: Any, task: str) -> Dataset:
    schema = pa.schema([("_row", pa.string()), *FORMS[task].columns])
    rows = [{"_row": f"r{at}", **row} for at, row in enumerate(ROWS[task])]
    made: Dataset = desk.dataset("data", pa.Table.from_pylist(rows, schema=schema), facts={"task": task})
    return made


def _plain(data: Dataset, task: str) -> list[dict[str, Any]]:
    """The canonical columns; messages by role and content."""
    return [{name: _said(row.get(name)) for name in FORMS[task].columns.names} for row in tables.read(data).to_pylist()]


def _said(cell: Any) -> Any:
    if isinstance(cell, list) and cell and isinstance(cell[0], dict):
        return [(message["role"], message["content"]) for message in cell]
    return cell


TABLES = ("csv", "tsv", "jsonl", "json", "parquet", "arrow", "excel")
NAMED = [
    (task, name)
    for task in ("question-answering", "token-classification", "chat", "preference", "text-retrieval", "recommendation")
    for name in TABLES
]


@pytest.mark.parametrize(("task", "name"), [*NAMED, *(("image-classification", name) for name in ("parquet", "arrow"))])
def test_peek_knows_the_task_of_what_is_exported(desk: Any, tmp_path: Path, task: str, name: str) -> None:
    if task == "image-classification":
        schema = pa.schema([("_row", pa.string()), *FORMS[task].columns])
        rows = [{"_row": f"r{at}", "image": b"\x89PNG", "label": "ab"[at % 2]} for at in range(4)]
        made = desk.dataset("data", pa.Table.from_pylist(rows, schema=schema), facts={"task": task})
    else:
        made = _dataset(desk, task)
    export(made, tmp_path / f"out{SUFFIX.get(name, '.jsonl')}", name)
    assert peek(str(tmp_path / f"out{SUFFIX.get(name, '.jsonl')}"))["task"] == task


@pytest.mark.parametrize("name", formats("question-answering"))
def test_every_answer_and_its_place_is_read_back(
    desk: Any, collected: Callable[..., CollectOutputs], tmp_path: Path, name: str
) -> None:
    row = {
        "_row": "r0",
        "question": "Who?",
        "context": "Ada met Ada Byron.",
        "answer": "Ada",
        "answer_start": 8,
        "answers": ["Ada", "Ada Byron"],
    }
    schema = pa.schema(
        [("_row", pa.string()), *FORMS["question-answering"].columns, ("answers", pa.list_(pa.string()))]
    )
    table = pa.Table.from_pylist([row, {**row, "_row": "r1", "question": "Whom?"}], schema=schema)
    made = desk.dataset("data", table, facts={"task": "question-answering"})
    target = tmp_path / f"out{SUFFIX.get(name, '.jsonl')}"
    export(made, target, name)
    back = tables.read(collected(target).data).to_pylist()
    assert [(one["answer_start"], one["answers"]) for one in back] == [(8, ["Ada", "Ada Byron"])] * 2


def test_tokens_that_are_no_words_come_back_from_label_studio(
    desk: Any, collected: Callable[..., CollectOutputs], tmp_path: Path
) -> None:
    row = {
        "_row": "r0",
        "tokens": ["P.", "Johnson", "4-55", "(", "U.S.)"],
        "tags": ["B-PER", "I-PER", "O", "O", "B-LOC"],
    }
    schema = pa.schema([("_row", pa.string()), *FORMS["token-classification"].columns])
    made = desk.dataset("data", pa.Table.from_pylist([row, row], schema=schema), facts={"task": "token-classification"})
    export(made, tmp_path / "out.json", "label-studio")
    (back, _) = tables.read(collected(tmp_path / "out.json").data).to_pylist()
    assert (back["tokens"], back["tags"]) == (row["tokens"], row["tags"])
