"""What the columns of a table hold, found on the training rows alone, and rows as numbers by it.

Nothing need be filled, scaled or coded before: a missing cell stays missing, a category that training never saw is
missing too. A number that is missing where training had every cell is read as training's median: no model has learned
what it means (LightGBM would take 0). It knows no model; NumPy is all it needs, so that training and serving read a row
by the same code.

Shapes: N rows, k columns.
"""

import datetime
import difflib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from modelmint.core.errors import DataError, InputError
from modelmint.core.types import JSON

Floats: TypeAlias = npt.NDArray[np.float64]
Code: TypeAlias = Callable[[Any], float]
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""Words that stand for a missing cell, in any case."""
MAX_CATEGORIES = 255
NAME_SHARE, NAME_ROWS = 0.5, 50
"""A column of words most of which occur once names its rows, as an id or a free text does: nothing is learned from it."""
SHOWN_CHARS = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column. `categories` stand in the order of how often they occur; rarer ones than are listed are missing."""

    name: str
    kind: Literal["number", "date", "category"]
    categories: tuple[str, ...] = ()
    has_missing: bool = False
    """Whether a cell was missing in training: then a row may come without the column."""
    typical: float | None = None
    """Of a number or a date without missing cells in training, the median."""

    def code(self) -> Code:
        """A cell as a number, or as the place of its category; NaN, or what is typical, where it is missing or not known."""
        if self.kind != "category":
            read, typical = _READ[self.kind], math.nan if self.typical is None else self.typical
            return lambda cell: typical if math.isnan(number := read(cell)) else number
        places = {word: float(at) for at, word in enumerate(self.categories)}

        def place(cell: Any) -> float:
            if isinstance(cell, str) and cell in places:  # as most are
                return places[cell]
            return next((places[word] for word in _spellings(cell) if word in places), math.nan)

        return place

    def encode(self, cells: Sequence[Any]) -> Floats:
        """(N,) see `code`."""
        code = self.code()
        return np.array([code(cell) for cell in cells], dtype=np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The columns that are learned from, in order; `left_out` (name -> why) are not."""

    columns: tuple[Column, ...]
    left_out: Mapping[str, str]

    @classmethod
    def fit(cls, cells: Mapping[str, Sequence[Any]]) -> Self:
        """Find out what each column holds.

        Raises:
            DataError: none of them can be learned from.
        """
        columns, left_out = [], {}
        for name, values in cells.items():
            found = _column(name, values)
            if isinstance(found, Column):
                columns.append(found)
            else:
                left_out[name] = found
        if not columns:
            why = "; ".join(f"{name} {reason}" for name, reason in left_out.items()) or "it has none"
            raise DataError(
                f"train: must have a column to predict from; {why}",
                parameter="train",
                remedy="Name the columns in collect.features, and what they hold in collect.types.",
            )
        return cls(columns=tuple(columns), left_out=left_out)

    def encode(self, cells: Mapping[str, Sequence[Any]]) -> Floats:
        """(N, k) one column after another.

        Raises:
            InputError: a column is not there.
        """
        lacking = [column.name for column in self.columns if column.name not in cells]
        if lacking:
            raise InputError(
                f"columns: must hold {', '.join(column.name for column in self.columns)}; {', '.join(lacking)} is not there",
                parameter=lacking[0],
                remedy="Give null for a value that is not known.",
            )
        return np.column_stack([column.encode(cells[column.name]) for column in self.columns])

    @property
    def category_places(self) -> list[int]:
        """Which columns are categories."""
        return [at for at, column in enumerate(self.columns) if column.kind == "category"]

    def to_json(self) -> list[JSON]:
        return [asdict(column) | {"categories": list(column.categories)} for column in self.columns]

    @classmethod
    def from_json(cls, value: Sequence[JSON], left_out: Mapping[str, str] | None = None) -> Self:
        columns = tuple(Column(**{**one, "categories": tuple(one["categories"])}) for one in value)
        return cls(columns=columns, left_out=left_out or {})


class RowCodes:
    """How rows as an endpoint is given them, a JSON object each, become numbers."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._codes = [(column.name, column.code()) for column in columns.columns]
        self._known = {column.name: column for column in columns.columns}

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Floats:
        """(N, k) the same numbers as `Columns.encode` gives; a column that a row does not have is missing."""
        return np.array([[code(row.get(name)) for name, code in self._codes] for row in rows], dtype=np.float64)

    def wrong(self, row: Mapping[str, Any]) -> tuple[str, str] | None:
        """What cannot be answered in a row, and what mends it; None where all can.

        A row has the columns of training and no others. One may be left out where it had missing cells in training;
        null says of any column that the value is not known. Columns that training left out may be given: nothing is read.
        """
        unknown = next((name for name in row if name not in self._known and name not in self.columns.left_out), None)
        if unknown is not None:
            near = difflib.get_close_matches(unknown[:SHOWN_CHARS], self._known, n=1, cutoff=0.4)
            meant = f"Did you mean {near[0]}? " if near else ""
            return f"there is no column {unknown[:SHOWN_CHARS]!r}", f"{meant}The columns are {self._listed()}."
        lacking = [one.name for one in self.columns.columns if one.name not in row and not one.has_missing]
        if lacking:
            named = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
            return f"must have the column {named}", "Give null where the value is not known."
        for name, column in self._known.items():
            cell, kind = row.get(name), column.kind
            if kind != "category" and _word(cell) is not None and math.isnan(_READ[kind](cell)):
                wanted = "a number" if kind == "number" else "a date such as 2026-05-31 or 2026-05-31T12:30:00Z"
                return f"{name} must be {wanted}; got {str(cell)[:SHOWN_CHARS]!r}", "Give null where it is not known."
        return None

    def _listed(self, most: int = 20) -> str:
        names = list(self._known)
        return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def json_cell(cell: Any) -> Any:
    """A cell of a table as JSON has it: dates in ISO 8601; NaN and infinity, which JSON lacks, are null."""
    if cell is None or isinstance(cell, bool | int | str):
        return cell
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    if isinstance(cell, datetime.date):  # a datetime too
        return cell.isoformat()
    number = _number(cell)
    return str(cell) if math.isnan(number) else number


def _column(name: str, cells: Sequence[Any]) -> Column | str:
    """The column, or why nothing can be learned from it."""
    there = [cell for cell in cells if _word(cell) is not None]
    has_missing = len(there) < len(cells)
    if not there:
        return "is empty"
    if any(isinstance(cell, list | dict | bytes) for cell in there):
        return "holds lists or bytes"
    kind: Literal["number", "date"] = "date" if all(isinstance(cell, datetime.date) for cell in there) else "number"
    numbers = np.array([_READ[kind](cell) for cell in there])
    if not np.isnan(numbers).any():
        typical = None if has_missing else float(np.median(numbers))
        return Column(name=name, kind=kind, has_missing=has_missing, typical=typical)
    counts = Counter(str(_word(cell)) for cell in there)
    if len(counts) > NAME_ROWS and len(counts) > NAME_SHARE * len(there):
        return "has another word in most rows"
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return Column(name=name, kind="category", categories=tuple(ranked[:MAX_CATEGORIES]), has_missing=has_missing)


def _word(cell: Any) -> str | None:
    """None where it stands for a missing cell."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    word = str(cell).strip()
    return None if word.lower() in MISSING else word


def _spellings(cell: Any) -> tuple[str, ...]:
    """How a cell may stand among the categories: JSON has true and 1.0 where a file had the words "True" and "1"."""
    word = _word(cell)
    if word is None or isinstance(cell, str):
        return () if word is None else (word,)
    if isinstance(cell, bool):
        return word, word.lower(), word.upper()
    return (word, str(int(cell))) if isinstance(cell, float) and cell.is_integer() else (word,)


def _number(cell: Any) -> float:
    """NaN where it is none; true is 1."""
    try:
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _days(cell: Any) -> float:
    """Of a date, or of its text in ISO 8601: days since 1970; without a zone it is taken as UTC."""
    if isinstance(cell, str):
        try:
            cell = datetime.datetime.fromisoformat(cell.strip())
        except ValueError:
            return math.nan
    if isinstance(cell, datetime.datetime):
        there = cell if cell.tzinfo else cell.replace(tzinfo=datetime.UTC)
        return there.timestamp() / 86_400
    return float((cell - datetime.date(1970, 1, 1)).days) if isinstance(cell, datetime.date) else math.nan


_READ: Mapping[str, Code] = {"number": _number, "date": _days}
