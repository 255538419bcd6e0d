"""Rows in batches whose borders depend on the rows alone, however they came: in blocks or one by one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

ROWS_A_BATCH = 65_536
_BATCH_BYTES = 32 << 20

Sizes = npt.NDArray[np.int64]


class Batcher:
    """Takes pieces of any length and gives batches of `ROWS_A_BATCH` rows, or fewer where rows are large."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._pieces: list[pa.RecordBatch] = []
        self._num_rows = self._num_bytes = 0

    def add(self, piece: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The batches that are full with this piece."""
        ends = np.cumsum(_row_bytes(piece))
        start, done_bytes = 0, 0
        while start < piece.num_rows:
            fit = int(np.searchsorted(ends, done_bytes + _BATCH_BYTES - self._num_bytes)) + 1 - start
            take = min(piece.num_rows - start, ROWS_A_BATCH - self._num_rows, max(fit, 1))
            self._pieces.append(piece.slice(start, take))
            start += take
            self._num_rows += take
            self._num_bytes += int(ends[start - 1]) - done_bytes
            done_bytes = int(ends[start - 1])
            if self._num_rows >= ROWS_A_BATCH or self._num_bytes >= _BATCH_BYTES:
                yield self._flush()

    def rest(self) -> Iterator[pa.RecordBatch]:
        """The last batch, where there is one."""
        if self._pieces:
            yield self._flush()

    def _flush(self) -> pa.RecordBatch:
        table = pa.Table.from_batches(self._pieces, self._schema).combine_chunks()
        self._pieces, self._num_rows, self._num_bytes = [], 0, 0
        (batch,) = table.to_batches()
        return batch


def _row_bytes(piece: pa.RecordBatch) -> Sizes:
    """(N,) how many bytes of strings, binaries and numbers each row holds."""
    sizes = np.zeros(piece.num_rows, np.int64)
    for column in piece.columns:
        sizes += _sizes(column)
    return sizes


def _sizes(array: Any) -> Sizes:
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        if not len(array):
            return np.zeros(0, np.int64)
        offsets = np.frombuffer(array.buffers()[1], np.int32, len(array) + 1, array.offset * 4)
        return np.diff(offsets).astype(np.int64)
    if pa.types.is_list(kind):
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(_sizes(array.values))])
        offsets = array.offsets.to_numpy()
        return np.asarray(ends[offsets[1:]] - ends[offsets[:-1]], np.int64)
    if pa.types.is_struct(kind):
        every = [_sizes(array.field(at)) for at in range(kind.num_fields)]
        return np.asarray(np.sum(every, axis=0), np.int64)
    return np.full(len(array), 8, np.int64)
