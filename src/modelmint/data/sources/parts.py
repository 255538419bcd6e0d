"""The files and splits of a source as parts to read, and a look at their first records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from modelmint.data.sources.hub import hub_rows
from modelmint.data.sources.readers import read_rows
from modelmint.data.sources.rows import Reading, Row, SourceFile

SAMPLE_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file or split to read, and what its rows are called by."""

    key: str
    split: str | None
    rows: Callable[[], Iterator[Any]]
    """Opens it: rows, blocks of rows."""
    size_bytes: int


def part_of(file: SourceFile, how: Reading) -> Part:
    """A local file or folder as a part."""
    size_bytes = file.path.stat().st_size if file.path.is_file() else 0
    return Part(key=file.key, split=file.split, rows=lambda: read_rows(file, how), size_bytes=size_bytes)


def first_records(file: SourceFile, how: Reading) -> list[Mapping[str, Any]]:
    """The first records of a file that could be read."""
    rows = singles(read_rows(file, how))
    return [row.cells for row in islice(rows, SAMPLE_ROWS) if row.cells is not None]


def singles(rows: Iterator[Any]) -> Iterator[Row]:
    """Rows one by one, those of blocks too."""
    for row in rows:
        if isinstance(row, Row):
            yield row
        else:
            yield from row.rows()


class HubParts:
    """The splits of a hub data set; the rows looked at first are read once."""

    def __init__(self, source: str, columns: list[str], *, revision: str | None, config: str | None = None) -> None:
        self._parts = hub_rows(source, columns, revision=revision, config=config)
        self._first = next(self._parts, None)
        self._begun = list(islice(self._first[1], SAMPLE_ROWS)) if self._first else []

    def sample(self) -> list[Mapping[str, Any]]:
        """The first records."""
        return [row.cells for row in self._begun if row.cells is not None]

    def parts(self) -> Iterator[Part]:
        """Every split, the rows of the sample too. Use it once."""
        if self._first:
            yield _opened(self._first[0], chain(self._begun, self._first[1]))
        for split, rows in self._parts:
            yield _opened(split, rows)


def _opened(split: str, rows: Iterator[Row]) -> Part:
    return Part(key=split, split=split, rows=lambda: rows, size_bytes=0)
