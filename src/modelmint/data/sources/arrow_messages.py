"""What the messages of an Arrow stream say of themselves, read before a reader allocates what they ask for.

Plain buffers are mapped, not copied; packed ones each say how large they become, and are believed. An Arrow file is such
a stream between two marks; its footer, which may lead anywhere, is not used. Format: Arrow columnar format,
"Serialization and interprocess communication"; its metadata are FlatBuffers (Message.fbs).
"""

import struct
from typing import Any

import pyarrow as pa

MAX_BATCH_BYTES = 128 << 20
"""A packed record batch may become so large; `datasets` and pandas write some megabytes."""
MAX_MESSAGES = 1_000_000
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_HEADER_KIND, _HEADER = 1, 2
_DICTIONARY_DATA, _BUFFERS, _COMPRESSION = 1, 2, 3


def check_messages(stream: Any) -> None:
    """Walk over the messages of a stream from where it stands, unpacking none.

    Raises:
        pa.ArrowInvalid: a message is damaged, or a batch would become larger than `MAX_BATCH_BYTES`.
    """
    reader = pa.ipc.MessageReader.open_stream(stream)
    for _ in range(MAX_MESSAGES):
        try:
            message = reader.read_next_message()
        except StopIteration:
            return
        try:
            unpacked_bytes = _unpacked_bytes(message.metadata.to_pybytes(), message.body)
        except struct.error as error:
            raise pa.ArrowInvalid("a message's metadata are damaged") from error
        if unpacked_bytes > MAX_BATCH_BYTES:
            raise pa.ArrowInvalid(f"a batch becomes {unpacked_bytes:,} bytes; {MAX_BATCH_BYTES:,} can be read")
    raise pa.ArrowInvalid(f"more than {MAX_MESSAGES:,} batches")


def _unpacked_bytes(metadata: bytes, body: Any) -> int:
    """What the packed buffers of a message become; 0 where none is packed."""
    message = _Table(metadata, *struct.unpack_from("<I", metadata))
    kind = message.number(_HEADER_KIND, "<B")
    if kind not in {_DICTIONARY_BATCH, _RECORD_BATCH}:
        return 0
    batch = message.table(_HEADER)
    if kind == _DICTIONARY_BATCH and batch is not None:
        batch = batch.table(_DICTIONARY_DATA)
    if batch is None or batch.place(_COMPRESSION) is None or (vector := batch.place(_BUFFERS)) is None:
        return 0
    start = vector + struct.unpack_from("<I", metadata, vector)[0]
    (num_buffers,) = struct.unpack_from("<I", metadata, start)
    content, num_bytes = memoryview(body), 0
    for at in range(min(num_buffers, len(metadata))):
        offset, length = struct.unpack_from("<qq", metadata, start + 4 + 16 * at)
        if length > 0:
            if offset < 0:
                raise struct.error("a negative offset")
            num_bytes += max(struct.unpack_from("<q", content, offset)[0], length)
    return num_bytes


class _Table:
    """A FlatBuffers table: its fields are found through a table of offsets before it."""

    def __init__(self, content: bytes, start: int) -> None:
        self._content, self._start = content, start
        (back,) = struct.unpack_from("<i", content, start)
        self._fields = start - back
        if self._fields < 0:
            raise struct.error("a negative offset")
        (self._size,) = struct.unpack_from("<H", content, self._fields)

    def place(self, field: int) -> int | None:
        """Where a field stands; None where it is not there."""
        at = 4 + 2 * field
        offset = struct.unpack_from("<H", self._content, self._fields + at)[0] if at < self._size else 0
        return self._start + offset if offset else None

    def number(self, field: int, form: str) -> int:
        place = self.place(field)
        return 0 if place is None else int(struct.unpack_from(form, self._content, place)[0])

    def table(self, field: int) -> "_Table | None":
        place = self.place(field)
        if place is None:
            return None
        return _Table(self._content, place + struct.unpack_from("<I", self._content, place)[0])
