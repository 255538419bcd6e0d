"""Rows of a Parquet file, in batches sized by what the file says of itself; nothing is allocated on its word alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modelmint.core.errors import DataError
from modelmint.data.sources.blocks import Block
from modelmint.data.sources.parquet_pages import check_footer, check_pages, within
from modelmint.data.sources.rows import Reading, Row, SourceFile, need
from modelmint.data.sources.text_blocks import text_block

_BATCH_BYTES = 32 << 20
_MAX_NESTED_BATCH_BYTES = 64 << 20
_MAX_NESTED_ROW_BYTES = 4 << 20
_MAX_BATCH_ROWS = 8192
_MAX_ROWS_PER_BYTE = 100
"""A file that declares more rows than this for each of its bytes holds no text worth training on, or lies."""
_MAX_COLUMNS = 10_000


def parquet_rows(file: SourceFile, how: Reading) -> Iterator[Row | Block]:
    """The rows of a Parquet file; strings are read as dictionaries, so that a huge repeated cell is held once.

    Raises:
        DataError: not Parquet, damaged, without a wanted column, or with an absurd declared number of rows.
    """
    path = file.path
    with readable(path, "Parquet"):
        size_bytes = path.stat().st_size
        check_footer(path, size_bytes)
        with pq.ParquetFile(path) as plain:
            metadata, schema = plain.metadata, plain.schema_arrow
        need(how.columns, schema.names, path.name)
        need_strings(how.strings, schema, path.name)
        _check(path, metadata, schema, size_bytes)
        names = list(how.columns or dict.fromkeys(schema.names))
        texts = _text_leaves(metadata, names)
        groups = check_pages(path, metadata, names, texts)
        classes = class_names(schema)
        number = 0
        with pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False, buffer_size=1 << 20) as opened:
            for at, group in enumerate(groups):
                num_rows = max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES // max(group.widest_row_bytes, 1)))
                for batch in opened.iter_batches(num_rows, row_groups=[at], columns=names, use_threads=False):
                    done_bytes = size_bytes * number // max(metadata.num_rows, 1)
                    block = text_block(batch, names, number, done_bytes) if how.texts and how.block_chars else None
                    yield from [block] if block else batch_rows(batch, names, classes, number, done_bytes)
                    number += batch.num_rows


def batch_rows(
    batch: pa.RecordBatch,
    names: Sequence[str],
    classes: Mapping[str, Mapping[int, str]],
    number: int,
    done_bytes: int = 0,
) -> Iterator[Row]:
    """The rows of a batch; a row with bytes in a list or struct that are no UTF-8 comes with its reason.

    So does a row whose lists and structs are too large: a dictionary may hold one huge text for any number of them.
    """
    num_bytes = sum(_nested_bytes(batch.column(name)) for name in names)
    if num_bytes > _MAX_NESTED_BATCH_BYTES and batch.num_rows > 1:
        for at in range(batch.num_rows):
            yield from batch_rows(batch.slice(at, 1), names, classes, number + at, done_bytes)
        return
    if num_bytes > _MAX_NESTED_ROW_BYTES and batch.num_rows == 1:
        detail = f"its lists and objects hold {num_bytes:,} bytes; {_MAX_NESTED_ROW_BYTES:,} can be read"
        yield Row(number, None, "too_long", detail, done_bytes=done_bytes)
        return
    try:
        columns = [_cells(batch.column(name), classes.get(name)) for name in names]
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            yield Row(number, None, "undecodable", "a cell holds bytes that are not utf-8", done_bytes=done_bytes)
            return
        for at in range(batch.num_rows):
            yield from batch_rows(batch.slice(at, 1), names, classes, number + at, done_bytes)
        return
    for at, cells in enumerate(zip(*columns, strict=True)):
        yield Row(number + at, dict(zip(names, cells, strict=True)), done_bytes=done_bytes)


@contextmanager
def readable(path: Path, kind: str) -> Iterator[None]:
    """Say what Arrow raises of a damaged file in our words."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"source: {path.name} is not a readable {kind} file: {str(error)[:300]}",
            parameter="source",
            remedy="Write it again, or export it as CSV.",
        ) from error


def class_names(schema: pa.Schema) -> dict[str, dict[int, str]]:
    """The names of integer classes by column, where the `datasets` library wrote them into the file."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    found = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else {}
        names = inner.get("names") if isinstance(inner, dict) else None
        if isinstance(names, list):
            found[column] = {index: str(name) for index, name in enumerate(names)}
    return found


def need_strings(columns: Sequence[str], schema: pa.Schema, name: str) -> None:
    """Check that these columns hold text.

    Raises:
        DataError: one holds something else.
    """
    for column in columns:
        kind = schema.field(column).type
        if not is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
            raise DataError(
                f"text: column {column!r} of {name} must hold strings; it holds {kind}",
                parameter="text",
                remedy="Name another column, or write this one as strings.",
            )


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check(path: Path, metadata: Any, schema: pa.Schema, size_bytes: int) -> None:
    if len(schema.names) > _MAX_COLUMNS:
        raise DataError(
            f"source: {path.name} has {len(schema.names):,} columns; {_MAX_COLUMNS:,} can be read",
            parameter="source",
            remedy="Write the columns that are needed.",
        )
    groups = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    if metadata.num_rows != sum(groups) or metadata.num_rows > _MAX_ROWS_PER_BYTE * size_bytes:
        raise DataError(
            f"source: {path.name} declares {metadata.num_rows:,} rows in {size_bytes:,} bytes: its footer is wrong",
            parameter="source",
            remedy="Write the file again from its source.",
        )


def _text_leaves(metadata: Any, names: Sequence[str]) -> list[str]:
    """The paths of the texts in these columns, also within lists and structs."""
    leaves = [metadata.schema.column(at) for at in range(metadata.num_columns)]
    return [
        leaf.path
        for leaf in leaves
        if leaf.physical_type == "BYTE_ARRAY" and leaf.logical_type.type == "STRING" and within(leaf.path, names)
    ]


def _nested_bytes(column: Any) -> int:
    """What the lists and structs of a column become as Python values; 0 for a plain column, whose texts are shared."""
    if pa.types.is_struct(column.type):
        return sum(_leaf_bytes(field) for field in column.flatten())
    if pa.types.is_nested(column.type):
        return _leaf_bytes(column)
    return 0


def _leaf_bytes(column: Any) -> int:
    kind = column.type
    if pa.types.is_struct(kind):
        return sum(_leaf_bytes(field) for field in column.flatten())
    if pa.types.is_map(kind):
        return _leaf_bytes(column.keys) + _leaf_bytes(column.items)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _leaf_bytes(column.flatten())
    if pa.types.is_dictionary(kind) and (is_text(kind.value_type) or pa.types.is_binary(kind.value_type)):
        lengths = pc.binary_length(column.dictionary).take(column.indices)
        return int(pc.sum(lengths).as_py() or 0)
    return int(column.nbytes)


def _cells(column: Any, names: Mapping[int, str] | None) -> list[Any]:
    if pa.types.is_dictionary(column.type):
        values = _cells(column.dictionary, names)
        return [None if index is None else values[index] for index in column.indices.to_pylist()]
    if is_text(column.type):  # bad UTF-8 costs a row, not the file
        return [
            None if value is None else value.decode("utf-8", "surrogateescape")
            for value in column.cast(pa.large_binary()).to_pylist()
        ]
    cells: list[Any] = column.to_pylist()
    if names:
        return [_named(cell, names) for cell in cells]
    return cells


def _named(cell: Any, names: Mapping[int, str]) -> Any:
    if isinstance(cell, list):
        return [_named(each, names) for each in cell]
    return names.get(cell, cell) if isinstance(cell, int) else cell
