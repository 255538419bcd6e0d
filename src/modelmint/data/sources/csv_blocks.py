"""Whole blocks of CSV by Arrow's parser: only such as it must read exactly as the strict parser of `csv` does.

That is a block of complete records whose every quote opens a cell, closes one, or is doubled inside one (RFC 4180),
without NUL and without a carriage return that ends a line by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from modelmint.data.sources.blocks import LINE_FEED, RETURN, Block, Places, num_foreign_lines, split_lines
from modelmint.data.sources.lines import Lines

_BYTE_ORDER_MARK = "\ufeff"
_Signs = npt.NDArray[np.uint8]


class _Bad(NamedTuple):
    place: int
    num_cells: int
    text: str


@dataclass(kw_only=True)
class CsvBlocks:
    """Blocks of one file. `num_foreign` counts the lines beyond ASCII of the last one."""

    header: Sequence[str]
    wanted: Sequence[str]
    """The columns to give; empty: all."""
    delimiter: str
    quote: str
    num_foreign: int = field(default=0, init=False)

    def next(self, lines: Lines, number: int, num_chars: int) -> Block | None:
        """The next block, its first row being `number`; None where the careful parser must read what comes next."""
        text, ended = lines.block(num_chars)
        block = self._block(text, ended, lines, number) if text else None
        if block is None:
            lines.unread(text)
        return block

    def _block(self, text: str, ended: bool, lines: Lines, number: int) -> Block | None:
        if text.startswith(_BYTE_ORDER_MARK) or "\0" in text or text.count("\r") != text.count("\r\n"):
            return None
        try:
            content = text.encode()
        except UnicodeEncodeError:  # bytes that could not be decoded
            return None
        size = len(content)
        signs = np.frombuffer(content if not ended or content.endswith(b"\n") else content + b"\n", np.uint8)
        line_ends = np.flatnonzero(signs == LINE_FEED)
        record_ends = self._record_ends(signs, line_ends)
        if record_ends is None:
            return None
        end = int(record_ends[-1]) + 1
        signs, line_ends = signs[:end], line_ends[: np.searchsorted(line_ends, end)]
        starts, ends = _filled(signs, record_ends)
        if (read := self._read(signs)) is None:
            return None
        table, bad = read
        if table.num_rows + len(bad) != len(starts) or any("\n" in row.text.rstrip("\r\n") for row in bad):
            return None
        faults = {}
        for row in bad:
            line = lines.number + 1 + int(np.searchsorted(line_ends, starts[row.place]))
            faults[row.place] = (
                "bad_width",
                f"line {line}: {row.num_cells} cells where the header has {len(self.header)}",
            )
        self.num_foreign = 0 if text.isascii() else num_foreign_lines(signs, line_ends)
        lines.number += len(line_ends)
        lines.unread(content[end:size].decode())
        return Block(
            number=number,
            columns={name: _joined(table.column(str(place))) for name, place in self._places().items()},
            faults=faults,
            num_rows=len(starts),
            record=lambda place: split_lines(content[starts[place] : ends[place] + 1].decode()),
            done_bytes=lines.done_bytes(),
        )

    def _record_ends(self, signs: _Signs, line_ends: Places) -> Places | None:
        """Where the records end that are whole; None when there is none, or when a quote stands where it may not."""
        if not self.quote:
            return line_ends if len(line_ends) else None
        quotes = np.flatnonzero(signs == ord(self.quote))
        if len(quotes):
            line_ends = line_ends[np.searchsorted(quotes, line_ends) % 2 == 0]
        if not len(line_ends):
            return None
        quotes = quotes[: np.searchsorted(quotes, line_ends[-1])]
        opening, closing = quotes[0::2], quotes[1::2]
        before = signs[np.maximum(opening - 1, 0)]
        opens = (opening == 0) | np.isin(before, [ord(self.delimiter), LINE_FEED, ord(self.quote)])
        closes = np.isin(signs[closing + 1], [ord(self.delimiter), LINE_FEED, RETURN, ord(self.quote)])
        return line_ends if opens.all() and closes.all() else None

    def _read(self, signs: _Signs) -> tuple[pa.Table, list[_Bad]] | None:
        bad: list[_Bad] = []

        def skip(row: Any) -> str:
            bad.append(_Bad(row.number - 1, row.actual_columns, row.text))
            return "skip"

        names = [str(place) for place in range(len(self.header))]
        taken = [str(place) for place in self._places().values()]
        try:
            table = csv.read_csv(
                pa.BufferReader(signs),
                csv.ReadOptions(use_threads=False, column_names=names, block_size=len(signs) + 1),
                csv.ParseOptions(
                    delimiter=self.delimiter,
                    quote_char=self.quote or False,
                    newlines_in_values=bool(self.quote),
                    invalid_row_handler=skip,
                ),
                csv.ConvertOptions(
                    check_utf8=False, include_columns=taken, column_types=dict.fromkeys(taken, pa.string())
                ),
            )
        except pa.ArrowInvalid:
            return None
        return table, bad

    def _places(self) -> dict[str, int]:
        """Column -> its place; the last where two have one name."""
        every = {name: place for place, name in enumerate(self.header)}
        return {name: every[name] for name in self.wanted} if self.wanted else every


def _filled(signs: _Signs, record_ends: Places) -> tuple[Places, Places]:
    """Where the records that are no blank lines begin and end."""
    starts = np.concatenate([np.zeros(1, np.int64), record_ends[:-1] + 1])
    lengths = record_ends - starts
    filled = ~((lengths == 0) | ((lengths == 1) & (signs[starts] == RETURN)))
    return starts[filled], record_ends[filled]


def _joined(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], pa.string())])
