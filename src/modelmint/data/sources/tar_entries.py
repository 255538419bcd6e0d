"""The entries of a tar archive, read front to back from a bounded stream; nothing but plain files and folders is taken.

`tarfile` reads extended headers as long as they say they are and keeps every entry in memory, so only its reading of
one header block is used. Format: POSIX.1-2001 (pax), with GNU's long names.
"""

import tarfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO

from modelmint.core.errors import DataError
from modelmint.data.sources.archive_names import Names
from modelmint.data.sources.packed import CHUNK_BYTES, Bounds, Budget, UnpackedStream
from modelmint.data.sources.zip_entries import Entry

_BLOCK_BYTES = tarfile.BLOCKSIZE
_MAX_HEADER_BYTES = 1 << 16
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.GNUTYPE_LONGLINK: "a link",
}
_PLAIN = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE})
_HEADERS = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME})


def tar_entries(path: Path, packing: str | None, bounds: Bounds, names: Names) -> Iterator[Entry]:
    """Every entry, in order.

    Raises:
        DataError: damaged or cut, too many or too large entries, or a name or kind that is not taken; also while
            `pieces` are read.
    """
    budget, entries = Budget(bounds, name=path.name), Budget(bounds, name=path.name)
    with path.open("rb") as raw, BufferedReader(UnpackedStream(raw, path.name, packing, budget), CHUNK_BYTES) as stream:
        reader = _Reader(stream, path.name, names)
        while (info := reader.next()) is not None:
            entries.entry()
            place = names.take(info.name, is_folder=info.isdir())
            pieces = reader.pieces(info.size)
            if place is not None:
                yield Entry(place, info.isdir(), pieces)
            for _ in pieces:  # whatever was not read, so that the next header is where the stream stands
                pass
        reader.check_end()


class _Reader:
    def __init__(self, stream: IO[bytes], archive: str, names: Names) -> None:
        self._stream, self._archive, self._names = stream, archive, names
        self._num_read = 0

    def next(self) -> tarfile.TarInfo | None:
        """The next file or folder, with its whole name and true size; None at the end."""
        said: dict[str, str] = {}
        while True:
            block = self._stream.read(_BLOCK_BYTES)
            if not block.strip(b"\0") and (self._num_read or len(block) == _BLOCK_BYTES):
                return None
            info = self._header(block)
            if info.type not in _HEADERS:
                return self._checked(info, said)
            self._num_read += 1
            said |= self._extended(info)

    def pieces(self, num_bytes: int) -> Iterator[bytes]:
        """The bytes of an entry, and past its padding."""
        left = num_bytes
        while left:
            piece = self._stream.read(min(left, CHUNK_BYTES))
            if not piece:
                raise self._damaged(f"it ends {left:,} bytes too early")
            left -= len(piece)
            yield piece
        padding = -num_bytes % _BLOCK_BYTES
        if len(self._stream.read(padding)) < padding:
            raise self._damaged("it ends too early")

    def check_end(self) -> None:
        """Nothing but zeros may follow."""
        while piece := self._stream.read(CHUNK_BYTES):
            if piece.strip(b"\0"):
                raise self._damaged("it goes on after its end")

    def _header(self, block: bytes) -> tarfile.TarInfo:
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise self._damaged(str(error)) from error

    def _checked(self, info: tarfile.TarInfo, said: dict[str, str]) -> tarfile.TarInfo:
        self._num_read += 1
        info.name = said.get("path", info.name)
        if any(key.startswith("GNU.sparse") for key in said):
            raise self._names.refused(info.name, "is a sparse file; plain files are taken")
        if info.type not in _PLAIN:
            raise self._names.refused(
                info.name, f"is {_KINDS.get(info.type, 'of an unknown kind')}; plain files are taken"
            )
        if info.type == tarfile.AREGTYPE and info.name.endswith("/"):
            info.type = tarfile.DIRTYPE  # how tar wrote folders before POSIX
        if "size" in said:
            info.size = int(said["size"]) if said["size"].isdecimal() and len(said["size"]) < 16 else -1
        if info.size < 0 or (info.isdir() and info.size):
            raise self._names.refused(info.name, f"declares {info.size} bytes")
        return info

    def _extended(self, info: tarfile.TarInfo) -> dict[str, str]:
        """What an extended header says of the entry after it."""
        if not 0 < info.size <= _MAX_HEADER_BYTES:
            raise self._damaged(f"a header of {info.size:,} bytes; {_MAX_HEADER_BYTES:,} are allowed")
        body = b"".join(self.pieces(info.size))
        if info.type == tarfile.GNUTYPE_LONGNAME:
            return {"path": body.rstrip(b"\0").decode("utf-8", "surrogateescape")}
        said = self._records(body)
        if info.type == tarfile.XGLTYPE and said.keys() & {"path", "size", "linkpath"}:
            raise self._damaged("a header for all entries gives a name or size")
        return {} if info.type == tarfile.XGLTYPE else said

    def _records(self, body: bytes) -> dict[str, str]:
        """``"<length> <key>=<value>\\n"``, one after another."""
        said = {}
        while body.strip(b"\0"):
            number, _, _ = body.partition(b" ")
            length = int(number) if number.isdigit() and len(number) < 8 else 0
            key, equals, value = body[len(number) + 1 : length - 1].partition(b"=")
            if not equals or body[length - 1 : length] != b"\n":
                raise self._damaged("a broken extended header")
            said[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
            body = body[length:]
        return said

    def _damaged(self, said: str) -> DataError:
        return DataError(
            f"source: {self._archive} is not a whole tar archive: {said}",
            parameter="source",
            remedy="Copy or pack it again.",
        )
