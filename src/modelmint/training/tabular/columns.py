"""What the columns of a table hold, found on the training rows alone, and rows as numbers by it.

Nothing need be filled, scaled or coded before: a missing cell stays missing, a category that training never saw is
missing too. It knows no model; NumPy and Arrow are all it needs, so that serving can do the same.

Shapes: N rows, k columns.
"""

import datetime
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from modelmint.core.errors import DataError, InputError
from modelmint.core.types import JSON

Floats: TypeAlias = npt.NDArray[np.float64]
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""Words that stand for a missing cell, in any case."""
MAX_CATEGORIES = 255
NAME_SHARE, NAME_ROWS = 0.5, 50
"""A column of words most of which occur once names its rows, as an id or a free text does: nothing is learned from it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column. `categories` stand in the order of how often they occur; rarer ones than are listed are missing."""

    name: str
    kind: Literal["number", "category"]
    categories: tuple[str, ...] = ()

    def encode(self, cells: Sequence[Any]) -> Floats:
        """(N,) numbers, or the places of categories; NaN where a cell is missing or not known."""
        if self.kind == "number":
            return np.array([_number(cell) for cell in cells], dtype=np.float64)
        place = {word: float(at) for at, word in enumerate(self.categories)}
        return np.array([place.get(_word(cell) or "", math.nan) for cell in cells], dtype=np.float64)


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
    def from_json(cls, value: Sequence[JSON]) -> Self:
        return cls(
            columns=tuple(Column(**{**one, "categories": tuple(one["categories"])}) for one in value), left_out={}
        )


def _column(name: str, cells: Sequence[Any]) -> Column | str:
    """The column, or why nothing can be learned from it."""
    there = [cell for cell in cells if _word(cell) is not None]
    if not there:
        return "is empty"
    if any(isinstance(cell, list | dict | bytes) for cell in there):
        return "holds lists or bytes"
    if all(not math.isnan(_number(cell)) for cell in there):
        return Column(name=name, kind="number")
    counts = Counter(str(_word(cell)) for cell in there)
    if len(counts) > NAME_ROWS and len(counts) > NAME_SHARE * len(there):
        return "has another word in most rows"
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return Column(name=name, kind="category", categories=tuple(ranked[:MAX_CATEGORIES]))


def _word(cell: Any) -> str | None:
    """None where it stands for a missing cell."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    word = str(cell).strip()
    return None if word.lower() in MISSING else word


def _number(cell: Any) -> float:
    """NaN where it is none. A date is days since 1970."""
    if isinstance(cell, datetime.datetime):
        there = cell if cell.tzinfo else cell.replace(tzinfo=datetime.UTC)
        return there.timestamp() / 86_400
    if isinstance(cell, datetime.date):
        return float((cell - datetime.date(1970, 1, 1)).days)
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan
