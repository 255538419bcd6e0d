"""Unpacking gzip, bzip2, xz and Zstandard with bounds on what really comes out, not on what a header says.

A bomb packs a thousand times and more; text packs ten to fifty times. Beyond the first `free_bytes`, what comes out
may be at most `max_ratio` times what went in, so a bomb ends after a moment, whatever size is allowed in all.
"""

import bz2
import io
import lzma
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from modelmint.core.errors import DataError

PACKINGS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
"""File suffix -> what it is packed with."""
CHUNK_BYTES = 1 << 18
_INTAKE_BYTES = 1 << 15  # small, as what follows a member's end is copied: a file may be a million members of nothing
_SMALL_MEMBER_BYTES = 1 << 10
_XZ_MEMORY_BYTES = 128 << 20  # a header may ask for a dictionary of 1.5 GB
_FAULTS = (EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much an archive or packed file may become."""

    max_bytes: int = 200_000_000_000
    """All files together, unpacked."""
    max_entries: int = 200_000
    max_ratio: int = 250
    """Unpacked to packed bytes, once `free_bytes` have come out."""
    free_bytes: int = 64 << 20
    max_depth: int = 20
    """Folders within folders."""


class Budget:
    """What has come out of one file so far. Not thread-safe."""

    def __init__(self, bounds: Bounds, *, name: str) -> None:
        self.num_bytes = self.num_entries = 0
        self._bounds, self._name = bounds, name

    def take(self, num_bytes: int, *, packed_bytes: int) -> None:
        """Count bytes that came out, after `packed_bytes` in all have gone in.

        Raises:
            DataError: too many of them, or too many for what went in.
        """
        self.num_bytes += num_bytes
        bounds = self._bounds
        if self.num_bytes > bounds.max_bytes:
            raise self._refused(f"unpacks to more than {bounds.max_bytes:,} bytes")
        if self.num_bytes > max(bounds.free_bytes, bounds.max_ratio * packed_bytes):
            raise self._refused(
                f"unpacks to more than {bounds.max_ratio} times its size ({self.num_bytes:,} bytes so far): a bomb"
            )

    def entry(self) -> None:
        """Count one entry of an archive.

        Raises:
            DataError: too many.
        """
        self.num_entries += 1
        if self.num_entries > self._bounds.max_entries:
            raise self._refused(f"holds more than {self._bounds.max_entries:,} entries")

    def _refused(self, said: str) -> DataError:
        return DataError(
            f"source: {self._name} {said}",
            parameter="source",
            remedy="If that is meant, unpack it yourself and give the folder or the plain file.",
        )


def unpacked(path: Path, packing: str | None, budget: Budget) -> Iterator[bytes]:
    """The bytes of a packed file in small pieces (of a plain one where `packing` is None), each counted.

    Raises:
        DataError: past the budget, or not a whole file of that packing.
    """
    with path.open("rb") as stream:
        yield from _counted(stream, path.name, packing, budget)


def unpacked_gzip(stream: IO[bytes], name: str) -> "UnpackedStream":
    """What an open gzip file of text holds; the stream's own place says how far it is read."""
    return UnpackedStream(stream, name, "gzip", Budget(Bounds(free_bytes=8 << 20), name=name))


class UnpackedStream(io.RawIOBase):
    """What `unpacked` gives, of a stream that stays its opener's, to be read as a file; seeks are refused."""

    def __init__(self, stream: IO[bytes], name: str, packing: str | None, budget: Budget) -> None:
        self._pieces = _counted(stream, name, packing, budget)
        self._waiting = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._waiting:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._waiting = memoryview(piece)
        num_bytes = min(len(buffer), len(self._waiting))
        buffer[:num_bytes] = self._waiting[:num_bytes]
        self._waiting = self._waiting[num_bytes:]
        return num_bytes


def _counted(stream: IO[bytes], name: str, packing: str | None, budget: Budget) -> Iterator[bytes]:
    size_bytes = os.fstat(stream.fileno()).st_size
    try:
        if packing and not size_bytes:
            raise EOFError("it is empty")
        for piece in _pieces(stream, packing, budget):
            budget.take(len(piece), packed_bytes=stream.tell() if packing else size_bytes)
            yield piece
    except _FAULTS as error:
        raise DataError(
            f"source: {name} is not a whole {packing} file: {str(error)[:200]}",
            parameter="source",
            remedy="Copy it again, or unpack it and give the plain file.",
        ) from error


def _pieces(stream: IO[bytes], packing: str | None, budget: Budget) -> Iterator[bytes]:
    if packing is None:
        while piece := stream.read(CHUNK_BYTES):
            yield piece
    elif packing == "zstd":
        yield from _zstd_pieces(stream)
    else:
        yield from _members(stream, packing, budget)


def _members(stream: IO[bytes], packing: str, budget: Budget) -> Iterator[bytes]:
    """A packed file is one or more members, one after another; zeros may fill its end."""
    waiting = stream.read(_INTAKE_BYTES)
    while waiting:
        machine, num_bytes = _machine(packing), 0
        while not machine.eof:
            if not waiting and not (waiting := stream.read(_INTAKE_BYTES)) and _hungry(machine):
                raise EOFError("it ends too early")
            piece = machine.decompress(waiting, CHUNK_BYTES)
            num_bytes += len(piece)
            yield piece
            waiting = getattr(machine, "unconsumed_tail", b"")  # only zlib gives back what it did not take
        if num_bytes < _SMALL_MEMBER_BYTES:
            budget.entry()
        waiting = machine.unused_data.lstrip(b"\0")
        while not waiting and (more := stream.read(_INTAKE_BYTES)):
            waiting = more.lstrip(b"\0")


def _machine(packing: str) -> Any:
    if packing == "gzip":
        return zlib.decompressobj(wbits=31)
    return bz2.BZ2Decompressor() if packing == "bzip2" else lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY_BYTES)


def _hungry(machine: Any) -> bool:
    return bool(getattr(machine, "needs_input", True))


def _zstd_pieces(stream: IO[bytes]) -> Iterator[bytes]:
    import pyarrow as pa

    with pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd") as machine:
        while piece := machine.read(CHUNK_BYTES):
            yield piece
