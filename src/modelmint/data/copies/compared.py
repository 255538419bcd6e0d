"""What is compared of a row, part by part: two rows are near-copies when each part is like its counterpart.

So two questions about one paragraph are not copies, nor two answers to one question.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from modelmint.core import forms
from modelmint.core.forms import Form
from modelmint.core.tables import batches
from modelmint.core.types import Dataset
from modelmint.data.copies.folding import Mask

CHUNK_ROWS = 1 << 17
CHUNK_CHARS = 16 << 20
"""How much is handed to the engine at a time."""
MAX_CHARS = 1 << 20
"""How much of one text is compared: its beginning."""

_ASKED, _ANSWERED = ("user", "tool"), ("assistant",)


def part_names(form: Form) -> tuple[str, ...]:
    """What the parts of a row of this form are, for people; empty where rows are no texts."""
    if form.task == "chat":
        return ("what is asked", "what is answered")
    if form.task == "preference":
        return ("the prompt", "the chosen answer", "the rejected answer")
    if form.task == "text-retrieval":
        return ("query", "positive")
    return form.texts


def chunks(data: Sequence[Dataset], form: Form, mask: Mask | None = None) -> Iterator[pa.Table]:
    """The parts of all rows (or those of a mask over all of them) in order, a column of strings each.

    A table has about `CHUNK_ROWS` rows or `CHUNK_CHARS` letters at most.
    """
    held: list[list[str]] = [[] for _ in part_names(form)]
    num_chars = start = 0
    for batch in (batch for dataset in data for batch in batches(dataset, _columns(form))):
        end = start + batch.num_rows
        wanted = batch if mask is None else batch.filter(pa.array(mask[start:end]))
        start = end
        for texts, more in zip(held, parts(wanted, form), strict=True):
            lengths = list(map(len, more))
            texts.extend(more if max(lengths, default=0) <= MAX_CHARS else [text[:MAX_CHARS] for text in more])
            num_chars += sum(lengths)
        if len(held[0]) > CHUNK_ROWS - batch.num_rows or num_chars >= CHUNK_CHARS:
            yield _table(held)
            held, num_chars = [[] for _ in held], 0
    if held[0]:
        yield _table(held)


def parts(batch: pa.RecordBatch, form: Form) -> list[list[str]]:
    """Of each part the text of every row. What a system message says is no part, unless there is nothing else."""
    if form.task == "chat":
        chats = batch.column("messages").to_pylist()
        return [_said(chats, _ASKED, or_all=True), _said(chats, _ANSWERED)]
    if form.task == "preference":
        prompts, chosen, rejected = (batch.column(name).to_pylist() for name in ("prompt", "chosen", "rejected"))
        return [
            _said(prompts, (*_ASKED, *_ANSWERED), or_all=True),
            _said(chosen, _ANSWERED),
            _said(rejected, _ANSWERED),
        ]
    return [forms.contents(batch.select([name]), form) for name in part_names(form)]


def _columns(form: Form) -> list[str]:
    return list(dict.fromkeys(path.split(".")[0] for path in form.texts))


def _table(held: Sequence[Sequence[str]]) -> pa.Table:
    return pa.table({f"part{index}": pa.array(texts, pa.large_string()) for index, texts in enumerate(held)})


def _said(chats: Sequence[Any], roles: Sequence[str], *, or_all: bool = False) -> list[str]:
    """What these roles say in each chat; all that is said where that is nothing, if asked for."""
    texts = []
    for chat in chats:
        messages = chat or ()
        text = "\n".join(one["content"] or "" for one in messages if one["role"] in roles)
        texts.append(text if text or not or_all else "\n".join(one["content"] or "" for one in messages))
    return texts
