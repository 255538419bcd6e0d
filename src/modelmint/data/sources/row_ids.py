"""The ids of rows: a digest of their file's key and their number, the same when rows are edited in place."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

ID_CHARS = 16


def row_id(key: str, number: int) -> str:
    """16 hex digits of SHA-256."""
    return hashlib.sha256(f"{key}\0{number}".encode()).hexdigest()[:ID_CHARS]


def row_ids(key: str, numbers: Iterable[int]) -> pa.Array:
    """(N,) `row_id` of each number, as strings."""
    begun = hashlib.sha256(f"{key}\0".encode())
    digests = []
    for number in numbers:
        each = begun.copy()
        each.update(b"%d" % number)
        digests.append(each.digest()[: ID_CHARS // 2])
    written = b"".join(digests).hex().encode("ascii")
    offsets = np.arange(0, (len(digests) + 1) * ID_CHARS, ID_CHARS, dtype=np.int32)
    buffers: list[Any] = [None, pa.py_buffer(offsets), pa.py_buffer(written)]
    return pa.Array.from_buffers(pa.string(), len(digests), buffers)
