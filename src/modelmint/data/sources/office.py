"""Office documents (.xlsx, .docx) are ZIP containers of XML: looked through before a parser sees them."""

from collections.abc import Iterator
from pathlib import Path

from modelmint.core.errors import DataError
from modelmint.data.sources.archive_names import Names
from modelmint.data.sources.packed import Bounds
from modelmint.data.sources.unreadable import UnreadableError
from modelmint.data.sources.zip_entries import zip_entries

_XML = (".xml", ".rels", ".vml")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FORBIDDEN = tuple(
    word.encode(name) for word in ("<!DOCTYPE", "<!ENTITY") for name in ("ascii", "utf-16-le", "utf-16-be")
)
_OVERLAP_BYTES = max(map(len, _FORBIDDEN)) - 1


def check_office(path: Path, *, max_bytes: int, max_shared_bytes: int | None = None) -> None:
    """Unpack the container to nowhere, counting what it really holds, and look for a document type in its XML.

    XML in such a file has none (ECMA-376 part 2, 8.1.4): one that is there is an attack by entities.

    Args:
        max_bytes: how much all parts may hold, unpacked.
        max_shared_bytes: how much a workbook's table of shared texts may hold, which its readers keep in memory.

    Raises:
        UnreadableError: ``encrypted``, ``bad_container`` (damaged, or a bomb) or ``bad_xml``.
    """
    with path.open("rb") as stream:
        if stream.read(8) == _OLE:
            raise UnreadableError("encrypted", "it has a password, or the format of before 2007")
    bounds = Bounds(max_bytes=max_bytes, max_entries=20_000)
    try:
        for entry in zip_entries(path, bounds, Names(archive=path.name, bounds=bounds)):
            num_bytes = _check_part(entry.path, entry.pieces)
            if "sharedstrings" in entry.path.lower() and max_shared_bytes is not None and num_bytes > max_shared_bytes:
                said = f"its shared texts are {num_bytes:,} bytes; at most {max_shared_bytes:,} are read"
                raise UnreadableError("bad_container", said)
    except DataError as error:
        raise UnreadableError("bad_container", error.message.removeprefix("source: ")) from error


def _check_part(name: str, pieces: Iterator[bytes]) -> int:
    num_bytes, tail, is_xml = 0, b"", name.lower().endswith(_XML)
    for piece in pieces:
        num_bytes += len(piece)
        if is_xml:
            seen = tail + piece
            if any(word in seen for word in _FORBIDDEN):
                raise UnreadableError("bad_xml", f"its part {name[:80]} declares a document type")
            tail = seen[-_OVERLAP_BYTES:]
    return num_bytes
