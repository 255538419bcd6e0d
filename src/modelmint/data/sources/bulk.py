"""Blocks of text rows checked and counted many at once; a row in doubt is taken as any single row is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelmint.data.sources.blocks import Block
from modelmint.data.sources.parts import Part
from modelmint.data.sources.places import SPLITS
from modelmint.data.sources.plan import Plan
from modelmint.data.sources.row_ids import row_ids
from modelmint.data.sources.rows import Row

if TYPE_CHECKING:
    from modelmint.data.collect import CollectSpec

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """Takes the blocks of one part."""

    spec: CollectSpec
    plan: Plan
    part: Part
    take: Callable[[Row, Part], tuple[Any, ...] | None]
    """What takes a single row: its cells, or None when it went to quarantine."""
    pseudonym: Callable[[str | None], str | None]

    def piece(self, block: Block) -> pa.RecordBatch:
        """The usable rows of a block, in order, in the plan's schema."""
        doubtful = self._doubtful(block)
        places = np.flatnonzero(~_at(block.num_rows, list(block.faults)))  # of the rows that could be read
        fine = self._fine(block, places, ~doubtful)
        if not doubtful.any() and not block.faults:
            return fine
        single: dict[int, tuple[Any, ...]] = {}
        asked = {int(place): at for at, place in enumerate(places) if doubtful[at]}
        for place in sorted([*asked, *block.faults]):
            cells = self.take(self._row(block, place, asked.get(place)), self.part)
            if cells is not None:
                single[place] = cells
        return self._merged(fine, places[~doubtful], single) if single else fine

    def _doubtful(self, block: Block) -> _Mask:
        """(N,) rows that a check may refuse, among those that could be read."""
        doubtful = np.zeros(block.num_rows - len(block.faults), np.bool_)
        required = {name for canonical, name in self.plan.names.items() if canonical in self.plan.form.columns.names}
        for name, column in block.columns.items():
            if name in required:
                doubtful |= _is_empty(column)
            doubtful |= _is_long(column, self.spec.max_cell_chars) | _holds_nul(column)
        if self.spec.split_column:
            known = self._split(block.columns[self.spec.split_column])
            doubtful |= known.is_null().to_numpy(zero_copy_only=False)
        return doubtful

    def _fine(self, block: Block, places: npt.NDArray[np.int64], fine: _Mask) -> pa.RecordBatch:
        spec, plan = self.spec, self.plan
        mask = pa.array(fine)
        columns = block.columns if fine.all() else {name: each.filter(mask) for name, each in block.columns.items()}
        numbers = places[fine] + block.number
        arrays = [row_ids(self.part.key, numbers.tolist())]
        for name in plan.form.columns.names:
            column = columns[plan.names[name]]
            arrays.append(_by_value(column, str.strip) if name == "label" else column)
        if plan.has_split:
            split = pa.repeat(pa.scalar(self.part.split, pa.string()), len(numbers))
            arrays.append(self._split(columns[spec.split_column]) if spec.split_column else split)
        if plan.group:
            arrays.append(_by_value(columns[plan.group], lambda value: value or None))
        if spec.subject:
            arrays.append(_by_value(columns[spec.subject], self.pseudonym))
        arrays += [columns[name] for name in spec.keep]
        return pa.RecordBatch.from_arrays(arrays, schema=plan.schema)

    def _split(self, column: pa.Array) -> pa.Array:
        return _by_value(column, lambda value: SPLITS.get(value.strip().lower()))

    def _row(self, block: Block, place: int, at: int | None) -> Row:
        number = block.number + place
        if at is None:
            reason, detail = block.faults[place]
            return Row(number, None, reason, detail, raw=block.record(place))
        cells = {name: column[at].as_py() for name, column in block.columns.items()}
        return Row(number, cells, raw=block.record(place))

    def _merged(
        self, fine: pa.RecordBatch, places: npt.NDArray[np.int64], single: dict[int, tuple[Any, ...]]
    ) -> pa.RecordBatch:
        """Single rows put back among the others, each at its place."""
        columns = zip(*single.values(), strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self.plan.schema, strict=True)]
        rest = pa.RecordBatch.from_arrays(arrays, schema=self.plan.schema)
        order = np.argsort(np.concatenate([places, np.array(list(single), np.int64)]), kind="stable")
        both = pa.Table.from_batches([fine, rest]).combine_chunks().to_batches()[0]
        return both.take(pa.array(order))


def _at(length: int, places: list[int]) -> _Mask:
    mask = np.zeros(length, np.bool_)
    mask[places] = True
    return mask


def _is_empty(column: pa.Array) -> _Mask:
    blank = pc.or_kleene(pc.equal(pc.binary_length(column), 0), pc.utf8_is_space(column))
    return np.asarray(pc.fill_null(blank, True).to_numpy(zero_copy_only=False), np.bool_)


def _is_long(column: pa.Array, max_chars: int) -> _Mask:
    lengths = pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return np.asarray(lengths > max_chars, np.bool_)  # bytes: a row in doubt is counted in characters after


def _holds_nul(column: pa.Array) -> _Mask:
    content = column.buffers()[2]
    if content is None or content.to_pybytes().find(b"\0") < 0:  # a zero beyond the values costs time, no more
        return np.zeros(len(column), np.bool_)
    found = pc.fill_null(pc.match_substring(column, "\0"), False)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)


def _by_value(column: pa.Array, change: Callable[[str], str | None]) -> pa.Array:
    """Each value changed once, however often it stands there; null stays null."""
    coded = column.dictionary_encode()
    values = pa.array([change(value) for value in coded.dictionary.to_pylist()], pa.string())
    return values.take(coded.indices)
