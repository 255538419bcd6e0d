"""Rows of a Parquet file, in batches sized by what the file says of itself; nothing is allocated on its word alone."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from modelmint.core.errors import DataError
from modelmint.data.rows import Row, cell_text, missing_column

_BATCH_BYTES = 32 << 20
_MAX_BATCH_ROWS = 8192
_MAX_ROWS_PER_BYTE = 100
"""A file that declares more rows than this for each of its bytes holds no text worth training on, or lies."""


def parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a Parquet file; strings are read as dictionaries, so that a huge repeated cell is held once.

    Raises:
        DataError: not Parquet, damaged, without a wanted column, or with an absurd declared number of rows.
    """
    try:
        yield from _rows(path, columns)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"source: {path.name} is not a readable Parquet file: {str(error)[:300]}",
            parameter="source",
            remedy="Write it again, or export it as CSV.",
        ) from error


def _rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    size_bytes = path.stat().st_size
    with pq.ParquetFile(path) as plain:
        metadata, schema = plain.metadata, plain.schema_arrow
    _check(path, metadata, schema, columns, size_bytes)
    texts = [
        name
        for name in columns
        if pa.types.is_string(schema.field(name).type) or pa.types.is_large_string(schema.field(name).type)
    ]
    names = _class_names(schema, columns[1])
    number = 0
    with pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False, buffer_size=1 << 20) as file:
        for batch in file.iter_batches(batch_size=_batch_rows(metadata), columns=list(columns), use_threads=False):
            cells = [_cells(batch.column(name)) for name in columns]
            if names:
                cells[1] = [names.get(value, value) for value in cells[1]]
            for row in zip(*cells, strict=True):
                yield Row(number, 0, row, "", "", (), size_bytes * number // max(metadata.num_rows, 1))
                number += 1


def _check(path: Path, metadata: Any, schema: pa.Schema, columns: Sequence[str], size_bytes: int) -> None:
    for name in columns:
        if schema.names.count(name) != 1:
            raise missing_column(path.name, name, schema.names)
    kind = schema.field(columns[0]).type
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(inner) or pa.types.is_large_string(inner)):
        raise DataError(
            f"text: column {columns[0]!r} of {path.name} must hold strings; it holds {kind}",
            parameter="text",
            remedy="Name another column, or write this one as strings.",
        )
    groups = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    if metadata.num_rows != sum(groups) or metadata.num_rows > _MAX_ROWS_PER_BYTE * size_bytes:
        raise DataError(
            f"source: {path.name} declares {metadata.num_rows:,} rows in {size_bytes:,} bytes: its footer is wrong",
            parameter="source",
            remedy="Write the file again from its source.",
        )


def _batch_rows(metadata: Any) -> int:
    widest = max(
        (
            metadata.row_group(index).total_byte_size // max(metadata.row_group(index).num_rows, 1)
            for index in range(metadata.num_row_groups)
        ),
        default=0,
    )
    return max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES // max(widest, 1)))


def _cells(column: Any) -> list[str | None]:
    if pa.types.is_dictionary(column.type):
        values = _cells(column.dictionary)
        return [None if index is None else values[index] for index in column.indices.to_pylist()]
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):  # bad UTF-8 costs a row, not the file
        return [
            None if value is None else value.decode("utf-8", "surrogateescape")
            for value in column.cast(pa.large_binary()).to_pylist()
        ]
    return [cell_text(value) for value in column.to_pylist()]


def _class_names(schema: pa.Schema, label: str) -> dict[str | None, str]:
    """The names of integer classes, where the Hugging Face `datasets` library wrote them into the file."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        names = features[label]["names"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {str(index): str(name) for index, name in enumerate(names)}
