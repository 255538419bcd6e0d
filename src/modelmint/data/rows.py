"""A row as every reader gives it."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from modelmint.core.errors import DataError

ROWS_A_STEP = 1000
"""How often progress is told."""


class Row(NamedTuple):
    """One row of a source: its cells in the order asked for, or the reason why there are none."""

    number: int
    """0-based, among all rows of its file."""
    line: int
    """1-based line that it begins on; 0 where there are no lines."""
    cells: Sequence[str | None] | None
    reason: str
    detail: str
    raw: Sequence[str]
    """The lines it was read from."""
    done_bytes: int
    """How far into the file the reader is; told on every `ROWS_A_STEP`-th row."""


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
        remedy="Set `text:` and `label:` (and other columns) of the collect stage to columns that are there, once.",
    )
