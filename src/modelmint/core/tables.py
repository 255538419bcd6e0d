"""Reading datasets: Parquet shards as Arrow tables.

Columns that begin with an underscore are ours: `_row` (a stable id), `_subject` (a keyed hash of the person a row is
about), `_split` (the declared split), `_group` (rows that must stay together), `_cluster` (equal for near-copies),
`_weight` (a row's weight in the loss).
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from modelmint.core.types import Dataset

BATCH_ROWS = 8192
BATCH_BYTES = 32 << 20
"""About how large a batch may be: one of images has fewer rows than one of sentences."""


def read(dataset: Dataset, columns: Sequence[str] | None = None) -> pa.Table:
    """The whole dataset, or some columns of it, in memory."""
    shards = []
    for path in dataset.paths():
        with dataset.files.open(path) as stream:
            shards.append(pq.read_table(stream, columns=columns))
    return pa.concat_tables(shards)


def batches(dataset: Dataset, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The dataset in record batches of at most `BATCH_ROWS` rows and about `BATCH_BYTES`; only one is in memory."""
    for path in dataset.paths():
        with dataset.files.open(path) as stream:
            file = pq.ParquetFile(stream, pre_buffer=False)  # else all that was read is kept until it is closed
            yield from file.iter_batches(batch_size=_batch_rows(file.metadata), columns=columns)


def sample(dataset: Dataset, *, max_rows: int, max_bytes: int) -> Dataset:
    """Every so many-th row, in memory: at most `max_rows` of them, and about `max_bytes`, reckoned by the first."""
    stride, num_seen = 0, 0
    drawn: list[pa.RecordBatch] = []
    for batch in batches(dataset):
        if not stride:
            most = max(1, min(max_rows, max_bytes * batch.num_rows // max(batch.nbytes, 1)))
            stride = max(1, -(-dataset.num_rows // most))
        places = range(-num_seen % stride, batch.num_rows, stride)
        num_seen += batch.num_rows
        if places:
            drawn.append(batch.take(pa.array(places, pa.int64())))
    return in_memory(dataset.name, pa.Table.from_batches(drawn), dataset.facts)


def column(dataset: Dataset, name: str) -> list[Any]:
    """One column as Python values."""
    values: list[Any] = read(dataset, [name]).column(name).to_pylist()
    return values


def rows(values: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows given as dictionaries, as a table of that schema."""
    return pa.Table.from_pylist(list(values), schema=schema)


QUARANTINE = pa.schema([(name, pa.string()) for name in ("_row", "reason", "detail", "raw", "cells")])
"""Rows taken out, each with the reason: nothing is lost in silence. `cells` is the row as JSON, so that it can be put
back (`data.restore`); null where it could not be read as a row.
"""


def in_memory(name: str, table: pa.Table, facts: Mapping[str, Any]) -> Dataset:
    """A table as a dataset that is read like any other and is nowhere kept: for a look at a sample."""
    known = {**facts, "num_rows": table.num_rows, "columns": {field.name: str(field.type) for field in table.schema}}
    manifest = {"facts": known, "measured": {}, "files": [{"path": "data.parquet", "size_bytes": table.nbytes}]}
    return Dataset(id=name, kind="dataset", name=name, digest="", manifest=manifest, files=_Memory(table))


class _Memory:
    def __init__(self, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        self._content = sink.getvalue()

    @contextmanager
    def open(self, _path: str) -> Iterator[IO[bytes]]:
        yield io.BytesIO(self._content)

    def folder(self) -> Path:
        raise NotImplementedError("a table in memory has no folder")


def _batch_rows(metadata: pq.FileMetaData) -> int:
    num_bytes: int = sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
    return max(1, min(BATCH_ROWS, BATCH_BYTES * int(metadata.num_rows) // max(num_bytes, 1)))


def column_names(dataset: Dataset) -> list[str]:
    """The columns in the order that they stand in (the fact `columns` has them by name)."""
    with dataset.files.open(next(dataset.paths())) as stream:
        names: list[str] = pq.read_schema(stream).names
    return names
