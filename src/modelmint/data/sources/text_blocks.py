"""Batches of a typed file whose wanted columns are all texts, as blocks."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from modelmint.data.sources.blocks import Block

_MAX_BLOCK_BYTES = 64 << 20


def text_block(batch: pa.RecordBatch, names: Sequence[str], number: int, done_bytes: int = 0) -> Block | None:
    """A batch as one block; None where a column holds no texts, bad UTF-8, or too much once each cell is written out."""
    columns = {}
    for name in names:
        column = batch.column(name)
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)) or _num_bytes(column) > _MAX_BLOCK_BYTES:
            return None
        try:
            columns[name] = column.cast(pa.string())
            columns[name].validate(full=True)
        except pa.ArrowInvalid:
            return None
    if not batch.num_rows:
        return None
    return Block(
        number=number, columns=columns, faults={}, num_rows=batch.num_rows, record=_no_lines, done_bytes=done_bytes
    )


def _num_bytes(column: Any) -> int:
    """How many bytes the cells hold, each written out."""
    if pa.types.is_dictionary(column.type):
        lengths = pc.binary_length(column.dictionary).take(column.indices)
    else:
        lengths = pc.binary_length(column)
    return int(pc.sum(lengths).as_py() or 0)


def _no_lines(_place: int) -> list[str]:
    return []
