"""What the pages of a Parquet file say of themselves, read before a reader allocates what they ask for.

A footer may lie, and a page of 30 kB may honestly unpack to a gigabyte. Each page's header gives its unpacked size, to
which the reader's decompressor then keeps; so bounding the headers bounds the memory. Format: parquet.thrift in
apache/parquet-format, in Thrift's compact protocol.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from modelmint.core.errors import DataError

MAX_PAGE_BYTES = 64 << 20
"""Unpacked. Writers close a page at 1 MB; a larger one holds a single huge cell."""
MAX_PAGES = 200_000
MAX_FOOTER_BYTES = 16 << 20
_MAX_HEADER_BYTES = 1 << 20
_FIRST_READ_BYTES = 512
_MAX_NESTING = 8
_EXPANSION = 8  # how many times the bytes of a batch values of a dictionary may become

_Header = dict[int, Any]
_TYPE, _UNPACKED, _PACKED, _V1, _DICTIONARY, _V2 = 1, 2, 3, 5, 7, 8
_INDEX_PAGE, _DICTIONARY_PAGE = 1, 2


@dataclass(frozen=True, kw_only=True)
class GroupPages:
    """What the wanted columns of one row group hold."""

    unpacked_bytes: int
    widest_row_bytes: int
    """By the page with the fewest rows for its bytes, or by what one value of a dictionary may become."""


def check_pages(
    path: Path, metadata: Any, columns: Sequence[str], as_dictionary: Collection[str] = ()
) -> list[GroupPages]:
    """Walk over the page headers of the wanted columns; one element a row group.

    Args:
        metadata: pyarrow's `FileMetaData`.
        columns: names of top-level columns.
        as_dictionary: leaves that are read as dictionaries, and so take no more than their pages do.

    Raises:
        DataError: a page lies outside the file, is too large unpacked, or there are too many.
    """
    num_pages, found = 0, []
    size_bytes = path.stat().st_size
    with path.open("rb") as stream:
        for at in range(metadata.num_row_groups):
            group, unpacked_bytes, widest = metadata.row_group(at), 0, 0
            for chunk in (group.column(index) for index in range(group.num_columns)):
                if not any(
                    chunk.path_in_schema == name or chunk.path_in_schema.startswith(f"{name}.") for name in columns
                ):
                    continue
                pages = _chunk_pages(stream, chunk, path.name, size_bytes)
                num_pages += len(pages)
                if num_pages > MAX_PAGES:
                    raise _refused(path.name, f"has more than {MAX_PAGES:,} pages")
                unpacked_bytes += sum(page_bytes for page_bytes, _ in pages)
                num_values = sum(values for _, values in pages)
                rows_a_value = min(group.num_rows / max(num_values, 1), 1.0)
                expands = chunk.physical_type == "BYTE_ARRAY" and chunk.path_in_schema not in as_dictionary
                for page_bytes, values in pages:
                    if values:
                        widest = max(widest, int(page_bytes / max(values * rows_a_value, 1)))
                    elif expands:  # any row may be the dictionary's one large value
                        widest = max(widest, page_bytes // _EXPANSION)
            found.append(GroupPages(unpacked_bytes=unpacked_bytes, widest_row_bytes=widest))
    return found


def check_footer(path: Path, size_bytes: int) -> None:
    """Look how long a file's footer says it is; read, it takes thirty times that in memory.

    Raises:
        DataError: too long.
    """
    with path.open("rb") as stream:
        stream.seek(max(size_bytes - 8, 0))
        end = stream.read(8)
    footer_bytes = int.from_bytes(end[:4], "little")
    if end[4:] == b"PAR1" and MAX_FOOTER_BYTES < footer_bytes <= size_bytes:
        raise _refused(path.name, f"has a footer of {footer_bytes:,} bytes; {MAX_FOOTER_BYTES:,} can be read")


def within(path: str, columns: Sequence[str]) -> bool:
    """Whether a leaf (``chat.list.element.content``) belongs to one of these columns."""
    return any(path == name or path.startswith(f"{name}.") for name in columns)


def _chunk_pages(stream: IO[bytes], chunk: Any, name: str, size_bytes: int) -> list[tuple[int, int]]:
    """(unpacked bytes, number of values) of each page of a column chunk; a dictionary page has 0 values."""
    starts = [chunk.data_page_offset] + ([chunk.dictionary_page_offset] if chunk.has_dictionary_page else [])
    place = min(start for start in starts if start > 0) if any(start > 0 for start in starts) else 0
    end = place + chunk.total_compressed_size
    if not 4 <= place <= end <= size_bytes:
        raise _refused(name, f"has a column at bytes {place:,} to {end:,} of {size_bytes:,}")
    pages, num_values = [], 0
    while place < end and num_values < chunk.num_values:
        header, header_bytes = _header(stream, place, name)
        unpacked, packed = header.get(_UNPACKED, -1), header.get(_PACKED, -1)
        if not (0 <= packed <= end - place - header_bytes and 0 <= unpacked <= MAX_PAGE_BYTES):
            raise _refused(name, f"has a page of {unpacked:,} bytes, {packed:,} packed; {MAX_PAGE_BYTES:,} can be read")
        body = header.get(_V1) or header.get(_V2) or {}
        values = (
            body.get(1, 0) if isinstance(body, dict) and header.get(_TYPE) not in {_INDEX_PAGE, _DICTIONARY_PAGE} else 0
        )
        if not isinstance(values, int) or values < 0:
            raise _refused(name, f"has a page of {values} values")
        pages.append((unpacked, values))
        num_values += values
        place += header_bytes + packed
        if len(pages) > MAX_PAGES:
            break
    return pages


def _header(stream: IO[bytes], place: int, name: str) -> tuple[_Header, int]:
    num_bytes = _FIRST_READ_BYTES
    while True:
        stream.seek(place)
        compact = _Compact(stream.read(num_bytes))
        try:
            return compact.struct(0), compact.at
        except IndexError as error:
            if num_bytes >= _MAX_HEADER_BYTES or len(compact.content) < num_bytes:
                raise _refused(name, "has a page header without end") from error
            num_bytes *= 8
        except ValueError as error:
            raise _refused(name, f"has a broken page header ({error})") from error


class _Compact:
    """A reader of Thrift's compact protocol: structs of numbers; strings and lists are passed over."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def struct(self, depth: int) -> _Header:
        if depth > _MAX_NESTING:
            raise ValueError("nested too deep")
        fields: _Header = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._signed()
            fields[number] = self._value(kind & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in {1, 2}:
            return kind == 1
        if kind in {3, 4, 5, 6}:
            return self._byte() if kind == 3 else self._signed()
        if kind == 7:
            return self._skip(8)
        if kind == 8:
            return self._skip(self._varint())
        if kind in {9, 10}:
            return self._list(depth)
        if kind == 12:
            return self.struct(depth + 1)
        raise ValueError(f"type {kind}")

    def _list(self, depth: int) -> None:
        head = self._byte()
        for _ in range(self._varint() if head >> 4 == 15 else head >> 4):
            if head & 15 in {1, 2}:
                self._byte()
            else:
                self._value(head & 15, depth + 1)

    def _skip(self, num_bytes: int) -> None:
        if self.at + num_bytes > len(self.content):
            raise IndexError
        self.at += num_bytes

    def _byte(self) -> int:
        self.at += 1
        return self.content[self.at - 1]

    def _varint(self) -> int:
        number = shift = 0
        while shift < 70:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
        raise ValueError("a number without end")

    def _signed(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)


def _refused(name: str, said: str) -> DataError:
    return DataError(
        f"source: {name} {said}: it is damaged or made to exhaust memory",
        parameter="source",
        remedy="Write the file again from its source; a cell may have a few megabytes.",
    )
