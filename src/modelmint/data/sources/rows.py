"""A row as every reader gives it, the file that it comes from, and how that is to be read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from modelmint.core.errors import DataError
from modelmint.data.sources.chunks import Cut
from modelmint.data.sources.parsing import Bounds

ROWS_A_STEP = 1000
"""How often progress is told."""


class Row(NamedTuple):
    """One row of a source: its cells by column, or the reason why there are none.

    A reader of a further format needs no more than ``Row(number, {"text": ..., "label": ...})``.
    """

    number: int
    """0-based, among all rows of its file; with the file's key it makes the row's id, so it must be stable."""
    cells: Mapping[str, Any] | None
    """Column -> string, number, list, dict, bytes or None; more columns than were asked for do no harm."""
    reason: str = ""
    """Why there are no cells: one short machine word (`bad_width`). The row goes to quarantine."""
    detail: str = ""
    line: int = 0
    """1-based line that it begins on; 0 where there are no lines."""
    raw: Sequence[str] = ()
    """The lines it was read from, for the person who looks at the quarantine."""
    done_bytes: int = 0
    """How far into the file the reader is; told on every `ROWS_A_STEP`-th row."""


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file (or folder of a kind, or database) to read.

    `key` takes part in the ids of its rows, so that renaming a single file changes none.
    """

    path: Path
    """The file or folder; for a database an empty path."""
    key: str
    split: str | None
    """train, validation or test where the source's file names declare it."""
    format: str
    """A name of `readers.FORMATS`."""
    gzipped: bool = False
    url: str = ""
    """A database's URL, credentials included: never logged, never a fact."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files are to be read. A reader uses what concerns it."""

    columns: Sequence[str] = ()
    """Which columns are wanted: each must be there (`need`), others need not be read. Empty: all."""
    texts: bool = False
    """Whether all wanted cells are texts: what is read as blocks then comes as Arrow columns."""
    strings: Sequence[str] = ()
    """Columns that a typed format must declare as strings."""
    known: Sequence[str] = ()
    """Columns that a header may be known by, where none is wanted."""
    block_chars: int = 1 << 20
    """How much text may be read at once, where that gives the same rows; 0: one row after the other."""
    encoding: str = "utf-8"
    delimiter: str | None = None
    header: Sequence[str] = ()
    """The columns of a text table without a header line."""
    skip_rows: int = 0
    """How many lines of a text table, or rows of a sheet, stand before the header."""
    quote: str = '"'
    guarded: bool = False
    """Whether cells were guarded against being run as formulas (`formulas.safe_cell`), which is taken back."""
    max_chars: int = 200_000_000_000
    """How many characters a text file may hold, unpacked."""
    max_cell_chars: int = 100_000
    sheet: str | None = None
    """Which sheet of a workbook; None: the first."""
    query: str | None = None
    """What to ask a database."""
    password_from: str | None = None
    """The environment variable that holds the database's password."""
    cut: Cut = "document"
    """How documents become rows."""
    chunk_chars: int = 2000
    chunk_overlap_chars: int = 200
    file_pattern: str | None = None
    """For folders: an expression whose named groups, found in a file's name, become columns."""
    metadata: str | None = None
    """For folders: the file in it that has a row for each of the others."""
    bounds: Bounds = field(default_factory=Bounds)
    """How much one document, image or recording may be."""
    max_rows: int | None = None
    """A reader may stop after so many rows; who reads from it stops there anyway."""


class Written(Sequence[str]):
    """A record as the one line of JSON that it was, written out when it is asked for."""

    __slots__ = ("_record",)

    def __init__(self, record: Any) -> None:
        self._record = record

    def __len__(self) -> int:
        return 1

    def __getitem__(self, place: Any) -> Any:
        return [json.dumps(self._record, ensure_ascii=False, default=str)][place]


def need(columns: Sequence[str], there: Sequence[str], name: str) -> None:
    """Check that every wanted column is among the columns of a source, once.

    Raises:
        DataError: one is missing, or there twice; says which columns are there.
    """
    for wanted in columns:
        if there.count(wanted) != 1:
            raise missing_column(name, wanted, there)


def cell_text(value: Any) -> str | None:
    """A JSON or Arrow value as the text of a cell; None stays None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)


def missing_column(name: str, wanted: str, there: Sequence[str]) -> DataError:
    """The error for a column that is not in the source of that name, or is there twice."""
    shown = ", ".join(repr(column[:60]) for column in there[:30]) or "none"
    said = "is not in" if wanted not in there else f"is there {there.count(wanted)} times in"
    return DataError(
        f"missing column: {wanted!r} {said} {name}; its columns are: {shown}",
        parameter="text, label",
        remedy="Set `text:` and `label:` (and other columns) of the collect stage to columns that are there, once. "
        "`modelmint data peek SOURCE` shows them and suggests a spec.",
    )
