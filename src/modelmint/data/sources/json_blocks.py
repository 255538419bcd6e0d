"""Whole blocks of JSON lines: texts by Arrow's parser, other values in one call, where that reads as line by line.

A block is refused when a line is not one object from brace to brace: then no two objects can stand on one line or one
object on two without the count of rows being wrong. What the two parsers take differently (NaN and Inf, halves of
surrogate pairs, nesting past Python's stack) is left to the line-by-line reader too.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import json as arrow_json

from modelmint.data.sources.blocks import LINE_FEED, RETURN, Block, Places, Records, num_foreign_lines
from modelmint.data.sources.json_values import MAX_BRACKETS, once
from modelmint.data.sources.lines import MAX_RECORD_CHARS, Lines
from modelmint.data.sources.rows import ROWS_A_STEP, Row

_NO_NUMBER = re.compile(rb"[:,\[]\s*-?(Inf|NaN)")
_MAX_BRACKETS = 200
_MOST_BRACKETS_A_ROW = 1000  # in the mean; a block with more is read row by row, which bounds each


@dataclass(kw_only=True)
class JsonBlocks:
    """Blocks of one file. `num_foreign` counts the lines beyond ASCII of the last one."""

    wanted: Sequence[str]
    texts: bool
    """Whether the wanted values are texts."""
    num_foreign: int = field(default=0, init=False)

    def next(self, lines: Lines, number: int, num_chars: int) -> Block | Records | None:
        """The next block, its first row being `number`; None where lines must be read one by one."""
        text, ended = lines.block(num_chars)
        block = self._block(text, ended, lines, number) if text and "\0" not in text else None
        if block is None:
            lines.unread(text)
        return block

    def _block(self, text: str, ended: bool, lines: Lines, number: int) -> Block | Records | None:
        try:
            content = text.encode()
        except UnicodeEncodeError:  # bytes that could not be decoded
            return None
        size = len(content)
        content = content if not ended or content.endswith(b"\n") else content + b"\n"
        end = content.rfind(b"\n") + 1
        signs = np.frombuffer(content, np.uint8, end)
        line_ends = np.flatnonzero(signs == LINE_FEED)
        places = _objects(signs, line_ends)
        if places is None or not len(places[0]):
            return None
        starts, ends = places
        done_bytes, first_line = lines.done_bytes(), lines.number
        block: Block | Records | None = None
        if self.texts and self.wanted and _reads_alike(content[:end], len(starts)):
            columns = self._columns(signs, len(starts))
            if columns is not None:
                block = Block(
                    number=number,
                    columns=columns,
                    faults={},
                    num_rows=len(starts),
                    record=lambda place: [content[starts[place] : ends[place] + 1].decode()],
                    done_bytes=done_bytes,
                )
        if block is None:
            block = _records(content, starts, ends, line_ends, first_line, number, done_bytes)
        if block is None:
            return None
        self.num_foreign = 0 if text.isascii() else num_foreign_lines(signs, line_ends)
        lines.number += len(line_ends)
        lines.unread(content[end:size].decode())
        return block

    def _columns(self, signs: npt.NDArray[np.uint8], num_rows: int) -> dict[str, pa.Array] | None:
        schema = pa.schema([(name, pa.string()) for name in self.wanted])
        try:
            table = arrow_json.read_json(
                pa.BufferReader(signs),
                arrow_json.ReadOptions(use_threads=False, block_size=len(signs) + 1),
                arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
            ).combine_chunks()
            table.validate(full=True)
        except pa.ArrowInvalid:
            return None
        return {name: table.column(name).chunk(0) for name in self.wanted} if table.num_rows == num_rows else None


def _objects(signs: npt.NDArray[np.uint8], line_ends: Places) -> tuple[Places, Places] | None:
    """Where the lines that are not blank begin and end; None when one is not from brace to brace."""
    if not len(line_ends):
        return None
    starts = np.concatenate([np.zeros(1, np.int64), line_ends[:-1] + 1])
    last = line_ends - 1
    last = np.where((last >= starts) & (signs[last] == RETURN), last - 1, last)
    filled = last >= starts
    starts, last, ends = starts[filled], last[filled], line_ends[filled]
    if not ((signs[starts] == ord("{")) & (signs[last] == ord("}"))).all():
        return None
    return (starts, ends) if not len(starts) or int((ends - starts).max()) <= MAX_RECORD_CHARS else None


def _reads_alike(content: bytes, num_rows: int) -> bool:
    if content.count(b"{") + content.count(b"[") > num_rows + _MAX_BRACKETS:
        return False
    return not ((b"Inf" in content or b"NaN" in content) and _NO_NUMBER.search(content))


def _records(
    content: bytes, starts: Places, ends: Places, line_ends: Places, first_line: int, number: int, done_bytes: int
) -> Records | None:
    """The lines as one list of JSON, which is read faster than each by itself."""
    parts = [content[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    if content.count(b"[") + content.count(b"{") > MAX_BRACKETS + _MOST_BRACKETS_A_ROW * len(parts):
        return None
    try:
        values: list[Any] = json.loads(b"[" + b",".join(parts) + b"]", object_pairs_hook=once)
    except (ValueError, RecursionError):
        return None
    if len(values) != len(parts) or not all(type(value) is dict for value in values):
        return None
    places = (first_line + 1 + np.searchsorted(line_ends, starts)).tolist()
    rows = [
        Row(number + at, value, "", "", line, _Line(part), done_bytes if (number + at) % ROWS_A_STEP == 0 else 0)
        for at, (value, line, part) in enumerate(zip(values, places, parts, strict=True))
    ]
    return Records(given=rows)


class _Line(Sequence[str]):
    """A line that is decoded when it is asked for."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __len__(self) -> int:
        return 1

    def __getitem__(self, place: Any) -> Any:
        return [self._content.decode() + "\n"][place]
