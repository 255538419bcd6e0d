"""The forms of rows: for each task the canonical columns, where their text stands, and what makes a row itself.

Every reader gives one of these forms, and every stage reads it through the functions here, so that a stage which works
on texts works on a chat as on a sentence. Columns that a source has beside them are kept as they are; columns that
begin with an underscore are ours (`core.tables`).
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelmint.core.types import Dataset

Task: TypeAlias = Literal[
    "text-classification",
    "text-pair-classification",
    "multi-label-classification",
    "text-regression",
    "text-generation",
    "text2text-generation",
    "text-retrieval",
    "token-classification",
    "question-answering",
    "chat",
    "preference",
    "tabular-classification",
    "tabular-regression",
    "image-classification",
    "audio-classification",
    "recommendation",
]
TASKS: tuple[str, ...] = get_args(Task)

MESSAGE = pa.struct(
    [
        ("role", pa.string()),
        ("content", pa.string()),
        ("name", pa.string()),
        ("tool_calls", pa.string()),
        ("tool_call_id", pa.string()),
    ]
)
"""One message of a chat, after OpenAI's; `tool_calls` is its list as JSON text."""
MESSAGES = pa.list_(MESSAGE)


@dataclass(frozen=True, kw_only=True)
class Form:
    """What the rows of a task hold."""

    task: str
    columns: pa.Schema
    """The canonical columns; a table has those of its source instead."""
    texts: tuple[str, ...]
    """Where text for people stands: a column, or ``messages.content``."""
    label: str | None = None
    """The column that is predicted, where it is one word of a small set, several of them, a number, or a tag a token."""

    @property
    def predicts(self) -> Literal["nothing", "class", "classes", "tags", "number"]:
        """What stands in `label`: one name of a small set, any number of them, one a token, or a number."""
        if self.label is None or self.task == "token-classification":
            return "nothing" if self.label is None else "tags"
        kind = self.columns.field(self.label).type
        if pa.types.is_floating(kind):
            return "number"
        return "classes" if pa.types.is_list(kind) else "class"


JOINED_BY = " | "
"""Stands between the labels of a row that has several; no such label holds it."""
PAIR = ("user", "item")
"""What makes a row of `recommendation` itself; when it was, and how it was rated, stand beside it."""


def _form(task: str, texts: tuple[str, ...], predicted: str | None, /, **columns: pa.DataType) -> Form:
    return Form(task=task, columns=pa.schema(list(columns.items())), texts=texts, label=predicted)


_TEXT, _WORDS = pa.string(), pa.list_(pa.string())
FORMS: dict[str, Form] = {
    form.task: form
    for form in (
        _form("text-classification", ("text",), "label", text=_TEXT, label=_TEXT),
        _form("text-pair-classification", ("text", "text_pair"), "label", text=_TEXT, text_pair=_TEXT, label=_TEXT),
        _form("multi-label-classification", ("text",), "labels", text=_TEXT, labels=_WORDS),
        _form("text-regression", ("text",), "label", text=_TEXT, label=pa.float64()),
        _form("text-generation", ("text",), None, text=_TEXT),
        _form("text2text-generation", ("text", "target"), None, text=_TEXT, target=_TEXT),
        _form("text-retrieval", ("query", "positive", "negative"), None, query=_TEXT, positive=_TEXT, negative=_TEXT),
        _form("token-classification", ("tokens",), "tags", tokens=_WORDS, tags=_WORDS),
        _form("question-answering", ("question", "context"), None,
              question=_TEXT, context=_TEXT, answer=_TEXT, answer_start=pa.int64()),
        _form("chat", ("messages.content",), None, messages=MESSAGES, tools=_TEXT),
        _form("preference", ("prompt.content", "chosen.content", "rejected.content"), None,
              prompt=MESSAGES, chosen=MESSAGES, rejected=MESSAGES),
        _form("tabular-classification", (), "label", label=_TEXT),
        _form("tabular-regression", (), "label", label=pa.float64()),
        _form("image-classification", (), "label", image=pa.binary(), label=_TEXT),
        _form("audio-classification", (), "label", audio=pa.binary(), label=_TEXT),
        _form("recommendation", (), None, user=_TEXT, item=_TEXT, rating=pa.float64(), time=pa.float64()),
    )
}  # fmt: skip


def form_of(dataset: Dataset) -> Form:
    """The form of a dataset, by its fact `task`."""
    return FORMS[str(dataset.facts.get("task", "text-classification"))]


def text_paths(form: Form, names: Sequence[str]) -> tuple[str, ...]:
    """Where text stands in a table with these columns: the form's, for a table every column but label and ours."""
    if form.task.startswith("tabular"):
        return tuple(name for name in names if name != form.label and not name.startswith("_"))
    return tuple(path for path in form.texts if path.split(".")[0] in names)


def contents(batch: pa.RecordBatch, form: Form) -> list[str]:
    """(N,) one string a row that is the row's content, without its label: by it copies and leaks are found.

    Texts are joined by line breaks, tokens by spaces, a table's cells as ``name=value``; an image or a recording is
    the digest of its bytes. Of who took what it is the pair, with its digest: names of users and items are told apart
    by every letter, capitals too.
    """
    if form.task == "recommendation":
        return [_pair(*cells) for cells in zip(*(batch.column(name).to_pylist() for name in PAIR), strict=True)]
    if form.task in ("image-classification", "audio-classification"):
        cells = batch.column(form.columns.names[0]).to_pylist()
        return [hashlib.sha256(cell or b"").hexdigest() for cell in cells]
    names = text_paths(form, batch.schema.names)
    columns = [_strings(batch.column(path.split(".")[0]), path.split(".")[1:]) for path in names]
    if form.task.startswith("tabular"):
        return [
            "\x1f".join(f"{name}={cell}" for name, cell in zip(names, row, strict=True))
            for row in zip(*columns, strict=True)
        ]
    if len(columns) == 1:
        return columns[0]
    return ["\n".join(cells) for cells in zip(*columns, strict=True)]


def labels(batch: pa.RecordBatch, form: Form) -> list[str]:
    """(N,) the label of each row as text; the tags of a sentence that are not ``O``, sorted; empty where there is none.

    Of a row with several labels they are joined; `names_in` takes them apart.
    """
    if form.label is None:
        return [""] * batch.num_rows
    cells = batch.column(form.label).to_pylist()
    if form.task == "token-classification":
        return [" ".join(sorted({tag for tag in tags or () if tag != "O"})) for tags in cells]
    if form.predicts == "classes":
        return [JOINED_BY.join(sorted(set(cell or ()))) for cell in cells]
    return ["" if cell is None else str(cell) for cell in cells]


def names_in(label: str) -> list[str]:
    """The labels of a row with several, from what `labels` says of it."""
    return label.split(JOINED_BY) if label else []


def map_texts(
    batch: pa.RecordBatch, paths: Sequence[str], change: Callable[[list[str | None]], list[str | None]]
) -> pa.RecordBatch:
    """The batch with every string at these paths changed.

    Args:
        paths: columns of strings or lists of strings, or ``column.field`` of a list of structs.
        change: takes all strings of one path, and gives as many. A column that holds no strings is left alone.
    """
    for path in paths:
        name, *fields = path.split(".")
        place = batch.schema.get_field_index(name)
        array = _mapped(batch.column(place), fields, change)
        batch = batch.set_column(place, batch.schema.field(place), array)
    return batch


def _mapped(array: pa.Array, fields: Sequence[str], change: Callable[[list[str | None]], list[str | None]]) -> pa.Array:
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return pa.array(change(array.to_pylist()), array.type)
    if pa.types.is_list(array.type):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        inner = _mapped(array.flatten(), fields, change)
        return pa.ListArray.from_arrays(offsets, inner, type=array.type, mask=array.is_null())
    if pa.types.is_struct(array.type) and fields:
        parts = [
            _mapped(array.field(at), fields[1:], change) if field.name == fields[0] else array.field(at)
            for at, field in enumerate(array.type)
        ]
        return pa.StructArray.from_arrays(parts, fields=list(array.type), mask=array.is_null())
    return array


def _pair(user: str | None, item: str | None) -> str:
    exact = hashlib.blake2b(f"{user}\0{item}".encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"{user} took {item} ({exact})"


def _strings(array: pa.Array, fields: Sequence[str]) -> list[str]:
    """(N,) one string a row of a column, whatever its type."""
    if pa.types.is_string(array.type):
        return [cell or "" for cell in array.to_pylist()]
    return [_string(cell, fields) for cell in array.to_pylist()]


def _string(cell: Any, fields: Sequence[str]) -> str:
    if cell is None:
        return ""
    if isinstance(cell, list):
        return ("\n" if fields else " ").join(_string(item, fields) for item in cell)
    if isinstance(cell, dict):
        return _string(cell.get(fields[0]), fields[1:])
    return str(cell)
