"""The entries of a ZIP container, each checked before a byte of it is unpacked, and counted while it is."""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple

from modelmint.core.errors import DataError
from modelmint.data.sources.archive_names import Names
from modelmint.data.sources.packed import CHUNK_BYTES, Bounds, Budget

_MAX_DIRECTORY_BYTES = 8 << 20  # of the table of contents: what 100,000 entries need; it is read whole
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2})  # LZMA may ask for 4 GB of memory
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_FAULTS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError)


class Entry(NamedTuple):
    """One file or folder of an archive. Read `pieces` before the next entry is asked for."""

    path: str
    is_folder: bool
    pieces: Iterator[bytes]


def zip_entries(path: Path, bounds: Bounds, names: Names) -> Iterator[Entry]:
    """Every entry, in the order of the table of contents.

    Raises:
        DataError: damaged, encrypted, too many or too large entries, entries that overlap, or a name or kind that is
            not taken; also while `pieces` are read.
    """
    budget = Budget(bounds, name=path.name)
    with (
        _damage(path.name),
        path.open("rb") as raw,
        zipfile.ZipFile(_Directory(raw, path.name)) as archive,
    ):
        infos = archive.infolist()
        _check_all(infos, path, bounds, names, directory_at=archive.start_dir)
        packed_bytes = 0
        for info in infos:
            budget.entry()
            packed_bytes += info.compress_size
            name = _name(info)
            place = names.take(name, is_folder=info.is_dir())
            if place is not None:
                yield Entry(place, info.is_dir(), _pieces(archive, info, budget, packed_bytes, names))


def _check_all(infos: list[zipfile.ZipInfo], path: Path, bounds: Bounds, names: Names, *, directory_at: int) -> None:
    declared_bytes = sum(info.file_size for info in infos)
    if len(infos) > bounds.max_entries or declared_bytes > bounds.max_bytes:
        raise DataError(
            f"source: {path.name} declares {len(infos):,} entries and {declared_bytes:,} bytes; "
            f"{bounds.max_entries:,} and {bounds.max_bytes:,} are allowed",
            parameter="source",
            remedy="If that is meant, unpack it yourself and give the folder.",
        )
    for info in infos:
        if fault := _fault(info):
            raise names.refused(info.orig_filename, fault)
    ordered = sorted(infos, key=lambda info: info.header_offset)
    for info, following in pairwise(ordered):  # Fifield, "A better zip bomb": many entries over the same bytes
        if info.header_offset + 30 + info.compress_size > following.header_offset:
            raise names.refused(following.orig_filename, f"overlaps another, '{info.orig_filename[:80]}'")
    if ordered and ordered[-1].header_offset + 30 + ordered[-1].compress_size > directory_at:
        raise names.refused(ordered[-1].orig_filename, "reaches past the end of the entries")


def _fault(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    faults = (
        (info.flag_bits & _ENCRYPTED, "is encrypted"),
        (kind == stat.S_IFLNK, "is a symbolic link"),
        (kind not in {0, stat.S_IFREG, stat.S_IFDIR}, "is no plain file (a device or a pipe)"),
        (kind == stat.S_IFDIR and not info.is_dir(), "says it is a folder and a file"),
        (info.is_dir() and info.file_size, "is a folder that holds bytes"),
        (
            info.compress_type not in _METHODS,
            f"is packed by method {info.compress_type}; stored, deflate and bzip2 are taken",
        ),
    )
    return next((said for wrong, said in faults if wrong), None)


def _name(info: zipfile.ZipInfo) -> str:
    """The whole name (`filename` ends at a NUL); names of no declared encoding are UTF-8 or GB 18030 where they can be."""
    name = info.orig_filename
    if info.flag_bits & 0x800 or name.isascii():
        return name
    raw = name.encode("cp437")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name


def _pieces(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget, packed_bytes: int, names: Names
) -> Iterator[bytes]:
    if info.is_dir():
        return
    num_bytes = 0
    with _damage(names.archive), archive.open(info) as stream:
        while piece := stream.read(CHUNK_BYTES):
            num_bytes += len(piece)
            budget.take(len(piece), packed_bytes=packed_bytes)
            yield piece
    if num_bytes != info.file_size or (not num_bytes and info.CRC):  # of nothing, `zipfile` checks no checksum
        raise names.refused(info.orig_filename, f"holds {num_bytes:,} bytes and declares {info.file_size:,}")


@contextmanager
def _damage(archive: str) -> Iterator[None]:
    try:
        yield
    except _FAULTS as error:
        raise DataError(
            f"source: {archive} is not a whole ZIP archive: {str(error)[:200]}",
            parameter="source",
            remedy="Copy or pack it again.",
        ) from error


class _Directory:
    """A file whose single reads are bounded: `zipfile` reads the table of contents in one, as long as the file says."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name = stream, name
        self.seek, self.tell, self.seekable, self.close = stream.seek, stream.tell, stream.seekable, lambda: None

    def read(self, num_bytes: int = -1) -> bytes:
        if num_bytes > _MAX_DIRECTORY_BYTES:
            raise DataError(
                f"source: {self._name} has a table of contents of {num_bytes:,} bytes; "
                f"{_MAX_DIRECTORY_BYTES:,} are allowed",
                parameter="source",
                remedy="Pack it as several archives, or unpack it yourself and give the folder.",
            )
        return self._stream.read(num_bytes)
