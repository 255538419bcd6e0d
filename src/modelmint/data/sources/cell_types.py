"""Cells of tables as numbers: what is missing, what a number is, and what kind a column is of."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from modelmint.data.sources.checks import BadRowError
from modelmint.data.sources.rows import cell_text

ColumnType: TypeAlias = Literal["number", "integer", "text"]

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "#n/a", "-", "?"})
"""What stands for a missing value in a table, in small letters."""
ARROW_TYPES: Mapping[str, pa.DataType] = {"number": pa.float64(), "integer": pa.int64(), "text": pa.string()}

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_CODE = re.compile(r"0[0-9]+")
_CODES = 2
"""So many cells with leading zeros (postcodes) are no mistake: the column is text."""
_SHARE_NUMBERS = 0.99
"""A column is one of numbers when so many of its filled cells are; the others are mistakes."""


def typed(value: Any, kind: str, column: str) -> Any:
    """A cell as its column's kind; None where it is missing.

    Raises:
        BadRowError: it is no number where one must stand.
    """
    if is_missing(value):
        return None
    if kind == "text":
        return cell_text(value)
    found = kind_of(value)
    if found == "integer" or (found == "number" and kind == "number"):
        number = float(value) if kind == "number" else int(value)
        if isinstance(number, float) and not math.isfinite(number):
            raise BadRowError("bad_number", f"{column!r} is too large for a number")
        return number
    if kind == "integer" and found == "number" and float(value).is_integer() and abs(float(value)) < 1 << 53:
        return int(float(value))
    raise BadRowError("bad_number", f"{column!r} must be {'a whole number' if kind == 'integer' else 'a number'}; is {str(value)[:60]!r}")  # fmt: skip


def is_missing(value: Any) -> bool:
    """Whether a cell holds no value."""
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    return value is None or (isinstance(value, float) and math.isnan(value))


def kind_of(value: Any) -> ColumnType:
    """What a filled cell is. A number with a leading zero (a postcode) is text."""
    if isinstance(value, bool):
        return "text"
    if isinstance(value, int):
        return "integer" if abs(value) < 1 << 63 else "text"
    if isinstance(value, float):
        return "number"
    text = value.strip() if isinstance(value, str) else ""
    if _INTEGER.fullmatch(text):
        return "integer"
    return "number" if _NUMBER.fullmatch(text) and not _LEADING_ZERO.match(text) else "text"


class Kinds:
    """What the columns of a table hold, counted over rows."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._counts = {column: Counter[str]() for column in columns}

    def see(self, record: Mapping[str, Any]) -> None:
        for column, counts in self._counts.items():
            value = record.get(column)
            counts["missing" if is_missing(value) else kind_of(value)] += 1
            counts["code"] += isinstance(value, str) and _CODE.fullmatch(value.strip()) is not None

    def found(self, *, whole: bool) -> dict[str, ColumnType]:
        """The kind of each column; whole numbers only where every row was seen (`whole`), else a fraction may follow."""
        return {column: self._kind(counts, whole=whole) for column, counts in self._counts.items()}

    def num_missing(self) -> dict[str, int]:
        return {column: counts["missing"] for column, counts in self._counts.items()}

    @staticmethod
    def _kind(counts: Counter[str], *, whole: bool) -> ColumnType:
        filled = counts.total() - counts["missing"] - counts["code"]  # a code is counted as text too
        if not filled or counts["code"] >= _CODES or counts["integer"] + counts["number"] < _SHARE_NUMBERS * filled:
            return "text"
        return "integer" if whole and counts["integer"] == filled else "number"
