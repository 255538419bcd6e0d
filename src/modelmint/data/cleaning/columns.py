"""What the columns of a table hold: missing cells, constants, copies of one another, mixed types, spellings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelmint.data.cleaning.spellings import Spellings

MIN_NUMBER_SHARE = 0.5
"""A column of text of which more cells than this are numbers, but not all, is of mixed types."""
NUM_EXAMPLES = 5


def is_missing(cells: pa.Array, words: Iterable[str]) -> npt.NDArray[np.bool_]:
    """(N,) cells that are null, not a number, or one of the words that stand for a missing value, in any case."""
    if pa.types.is_floating(cells.type):
        return np.asarray(pc.is_null(cells, nan_is_null=True).to_numpy(zero_copy_only=False), np.bool_)
    missing = cells.is_null()
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        folded = pc.utf8_lower(pc.utf8_trim_whitespace(cells))
        values = pa.array(sorted({word.strip().lower() for word in words}), cells.type)
        missing = pc.or_(missing, pc.fill_null(pc.is_in(folded, value_set=values), fill_value=False))
    return np.asarray(missing.to_numpy(zero_copy_only=False), np.bool_)


def is_number(cells: pa.Array) -> npt.NDArray[np.bool_]:
    """(N,) cells of text that read as a number; a code with a leading zero (``0150``) is none, nor is null."""
    found = pc.fill_null(pc.match_substring_regex(cells, pattern=_NUMBER), fill_value=False)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)


def missing_shares(batch: pa.RecordBatch, names: Sequence[str], words: Iterable[str]) -> npt.NDArray[np.float64]:
    """(N,) the share of each row's cells that are missing."""
    if not names:
        return np.zeros(batch.num_rows)
    found = np.stack([is_missing(batch.column(name), words) for name in names])
    return np.asarray(found.mean(axis=0), np.float64)


def null_missing(batch: pa.RecordBatch, names: Sequence[str], words: Iterable[str]) -> pa.RecordBatch:
    """The batch with null in place of cells that stand for a missing value."""
    for name in names:
        cells = batch.column(name)
        gone = is_missing(cells, words)
        if gone.any():
            place = batch.schema.get_field_index(name)
            emptied = pc.if_else(pa.array(gone), pa.scalar(None, cells.type), cells)
            batch = batch.set_column(place, batch.schema.field(place), emptied)
    return batch


@dataclass(kw_only=True)
class _Column:
    kind: str
    num_missing: int = 0
    num_numbers: int = 0
    """Cells of text that read as numbers."""
    odd: list[str] = field(default_factory=list)
    """Some cells of text that do not."""
    digest: Any = field(default_factory=lambda: blake2b(digest_size=16))
    values: Spellings = field(default_factory=Spellings)
    first: Any = None
    is_constant: bool = True


class ColumnCounts:
    """Counts over the batches of a table; memory does not grow with its rows. Not thread-safe."""

    def __init__(self, *, missing: Sequence[str]) -> None:
        self._words = missing
        self._columns: dict[str, _Column] = {}
        self._num_rows = 0

    def see(self, batch: pa.RecordBatch) -> None:
        """Count the cells of one batch, all of whose columns are looked at."""
        self._num_rows += batch.num_rows
        for name in batch.schema.names:
            cells = batch.column(name)
            column = self._columns.setdefault(name, _Column(kind=str(cells.type)))
            gone = is_missing(cells, self._words)
            column.num_missing += int(gone.sum())
            present = cells.filter(pa.array(~gone))
            written = _written(cells)
            column.digest.update("\x1f".join(written).encode("utf-8", "replace") + b"\x1e")
            different = pc.unique(present)
            if column.first is None and len(different):
                column.first = different[0].as_py()
            column.is_constant &= len(different) == 0 or (len(different) == 1 and different[0].as_py() == column.first)
            if pa.types.is_string(cells.type):
                self._see_text(column, present)

    def facts(self) -> dict[str, Any]:
        """`columns` by name, and the names of those that are constant, copies, or of mixed types."""
        firsts: dict[bytes, str] = {}
        copies = []
        for name, column in self._columns.items():
            first = firsts.setdefault(column.digest.digest(), name)
            if first != name:
                copies.append([first, name])
        return {
            "missing": {name: one.num_missing for name, one in self._columns.items() if one.num_missing},
            "constant": [name for name, one in self._columns.items() if one.is_constant],
            "copies": copies,
            "numbers_as_text": [name for name, one in self._columns.items()
                                if one.kind == "string" and one.num_numbers == self._num_rows - one.num_missing > 0],
            "mixed_types": {name: one.odd for name, one in self._columns.items() if self._is_mixed(one)},
            "spellings": {name: found for name, one in self._columns.items()
                          if not one.values.is_full and (found := one.values.variants())},
            "types": {name: one.kind for name, one in self._columns.items()},
        }  # fmt: skip

    def _see_text(self, column: _Column, present: pa.Array) -> None:
        numeric = is_number(present)
        column.num_numbers += int(numeric.sum())
        if len(column.odd) < NUM_EXAMPLES and not numeric.all():
            others = pc.unique(present.filter(pa.array(~numeric))).to_pylist()
            column.odd = list(dict.fromkeys([*column.odd, *others]))[:NUM_EXAMPLES]
        if not column.values.is_full:
            column.values.see(present.to_pylist())

    def _is_mixed(self, column: _Column) -> bool:
        present = self._num_rows - column.num_missing
        return column.kind == "string" and MIN_NUMBER_SHARE * present < column.num_numbers < present


def _written(cells: pa.Array) -> list[str]:
    return [str(cell) for cell in cells.to_pylist()]


_NUMBER = r"^\s*[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?\s*$"
