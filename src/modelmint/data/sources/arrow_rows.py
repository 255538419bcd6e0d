"""Rows of Arrow IPC files and streams (``.arrow``, Feather version 2, what the `datasets` library caches)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from modelmint.core.errors import DataError
from modelmint.data.sources.arrow_messages import check_messages
from modelmint.data.sources.blocks import Block
from modelmint.data.sources.parquet_rows import batch_rows, class_names, need_strings, readable
from modelmint.data.sources.rows import Reading, Row, SourceFile, need
from modelmint.data.sources.text_blocks import text_block

_MAGIC = b"ARROW1"
_FILE_START = 8
_MAX_BATCH_BYTES = 1 << 30
_ROWS_AT_A_TIME = 8192


def arrow_rows(file: SourceFile, how: Reading) -> Iterator[Row | Block]:
    """The rows, one record batch in memory at a time.

    Raises:
        DataError: no Arrow file, damaged, without a wanted column, or with a batch of more than 1 GiB.
    """
    with readable(file.path, "Arrow"), _opened(file) as (schema, batches):
        need(how.columns, schema.names, file.path.name)
        need_strings(how.strings, schema, file.path.name)
        names = list(how.columns or dict.fromkeys(schema.names))
        classes = class_names(schema)
        number = 0
        for batch in batches:
            if batch.nbytes > _MAX_BATCH_BYTES:
                raise DataError(
                    f"source: {file.path.name} holds a record batch of {batch.nbytes:,} bytes; 1 GiB can be read",
                    parameter="source",
                    remedy="Write it in smaller batches, or as Parquet.",
                )
            for start in range(0, batch.num_rows, _ROWS_AT_A_TIME):
                some = batch.slice(start, _ROWS_AT_A_TIME)
                block = text_block(some, names, number + start) if how.texts and how.block_chars else None
                yield from [block] if block else batch_rows(some, names, classes, number + start)
            number += batch.num_rows


@contextmanager
def _opened(file: SourceFile) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    with pa.memory_map(str(file.path)) as stream:
        start = _FILE_START if stream.read(len(_MAGIC)) == _MAGIC else 0
        stream.seek(start)
        check_messages(stream)
        stream.seek(start)
        with pa.ipc.open_stream(stream) as reader:
            yield reader.schema, (_sound(batch) for batch in reader)


def _sound(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same batch, when no offset in it leads outside; bytes that are no UTF-8 cost a row later, not the file."""
    for column in batch.columns:
        plain = _as_bytes(column.type)
        (column if plain == column.type else column.view(plain)).validate(full=True)
    return batch


def _as_bytes(kind: Any) -> Any:
    """The type with bytes in the place of texts, which have the same layout."""
    types = pa.types
    if types.is_string(kind) or types.is_large_string(kind):
        return pa.binary() if types.is_string(kind) else pa.large_binary()
    if types.is_list(kind) or types.is_large_list(kind):
        make = pa.list_ if types.is_list(kind) else pa.large_list
        return make(kind.value_field.with_type(_as_bytes(kind.value_type)))
    if types.is_struct(kind):
        return pa.struct([field.with_type(_as_bytes(field.type)) for field in kind])
    return kind
