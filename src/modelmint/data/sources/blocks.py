"""Many rows of a text file at once: the fast path of the readers, taken only where it gives what the careful one gives."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelmint.data.sources.encodings import EncodingWatch
from modelmint.data.sources.lines import Lines
from modelmint.data.sources.rows import Row

_SMALL_BLOCKS = 16
"""After a block that was refused so many small ones are tried in its place."""
_WATCHED_ROWS = 8192
LINE_FEED, RETURN = 10, 13

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Rows with text cells as Arrow columns, and those among them that could not be read."""

    number: int
    """Of the first row, as `Row.number`."""
    columns: Mapping[str, pa.Array]
    """(N,) strings a column, for the rows that could be read, in order."""
    faults: Mapping[int, tuple[str, str]]
    """Place among all rows of the block (0 is the first) -> reason and detail, for rows that could not be read."""
    num_rows: int
    """All rows, those with faults too."""
    record: Callable[[int], list[str]]
    """The lines of the row at a place."""
    done_bytes: int

    def rows(self) -> Iterator[Row]:
        """The same rows one by one."""
        names = list(self.columns)
        cells = zip(*(self.columns[name].to_pylist() for name in names), strict=True)
        for place in range(self.num_rows):
            number = self.number + place
            if place in self.faults:
                reason, detail = self.faults[place]
                yield Row(number, None, reason, detail, raw=self.record(place), done_bytes=self.done_bytes)
            else:
                record = dict(zip(names, next(cells), strict=True))
                yield Row(number, record, raw=_Raw(self.record, place), done_bytes=self.done_bytes)


@dataclass(frozen=True, kw_only=True)
class Records:
    """Rows that were read together, cells of any kind."""

    given: Sequence[Row]

    @property
    def num_rows(self) -> int:
        return len(self.given)

    def rows(self) -> Iterator[Row]:
        """The same rows one by one."""
        return iter(self.given)


def blockwise(
    lines: Lines,
    next_block: Callable[[int, int], Block | Records | None],
    next_row: Callable[[int], Row | None],
    *,
    watch: EncodingWatch,
    block_chars: int,
    careful_rows: int,
) -> Iterator[Row | Block | Records]:
    """The rows of a file: by blocks where `next_block` gives one, else row by row.

    Where a block is refused smaller ones are tried, so that one odd row slows down few others.

    Args:
        next_block: takes the number of the first row and how many characters to read.
        next_row: takes the row's number; None at the end.
        block_chars: how much text a block is to have.
        careful_rows: how many rows to read one by one at the start.
    """
    number = num_small = resume_chars = 0
    small_chars = max(block_chars // _SMALL_BLOCKS, 1)
    while True:
        if number >= careful_rows and lines.handed_chars >= resume_chars:
            block = next_block(number, small_chars if num_small else block_chars)
            if block is not None:
                num_small = max(num_small - 1, 0)
                number += block.num_rows
                yield block
                continue
            if not num_small:
                num_small = _SMALL_BLOCKS
                continue
            num_small -= 1
            resume_chars = lines.handed_chars + small_chars
        row = next_row(number)
        if row is None:
            break
        number += 1
        watch.see(row.raw, row.line)
        if number % _WATCHED_ROWS == 0:
            watch.check()
        yield row
    watch.check()


class _Raw(list[str]):
    """The lines of a row, looked up when they are asked for."""

    def __init__(self, record: Callable[[int], list[str]], place: int) -> None:
        super().__init__()
        self._record, self._place = record, place

    def __iter__(self) -> Iterator[str]:
        return iter(self._record(self._place))

    def __getitem__(self, place: Any) -> Any:
        return self._record(self._place)[place]


def split_lines(text: str) -> list[str]:
    """The lines of a text as a file gives them, with their ends."""
    return list(StringIO(text, newline=""))


def num_foreign_lines(content: npt.NDArray[np.uint8], line_ends: Places) -> int:
    """How many lines hold a byte beyond ASCII."""
    beyond = np.flatnonzero(content > 127)
    return len(np.unique(np.searchsorted(line_ends, beyond))) if len(beyond) else 0
