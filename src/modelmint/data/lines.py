"""Lines of text files, bounded: no line, no record and no file can use more memory than `MAX_RECORD_CHARS` allows."""

import gzip
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from modelmint.core.errors import DataError

MAX_RECORD_CHARS = 1 << 24
"""A row longer than this is not parsed: it is skipped and quarantined."""


class RecordTooLongError(Exception):
    """A record passed `MAX_RECORD_CHARS`; its beginning is in `Lines.record`. Never leaves the readers."""


class UndecodableError(Exception):
    """A line cannot be decoded at all. Never leaves the readers."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class _CutLine(str):
    """The beginning of a line that was too long to read."""

    __slots__ = ()


class Lines:
    """An iterator of lines for a record parser; remembers the lines of the record under way and takes them back.

    Attributes:
        record: the lines handed out since `begin`.
        number: the 1-based number of the last line handed out.
    """

    def __init__(self, stream: IO[str], *, max_chars: int, done_bytes: Callable[[], int]) -> None:
        self.record: list[str] = []
        self.number = 0
        self.done_bytes = done_bytes
        self._stream, self._left, self._max_chars = stream, max_chars, max_chars
        self._waiting: deque[str] = deque()
        self._record_chars = 0

    def begin(self) -> None:
        """A new record starts with the next line."""
        self.record, self._record_chars = [], 0

    def keep_only_first(self) -> None:
        """Give every line of this record but the first back, to be read again."""
        self.number -= len(self.record) - 1
        self._waiting.extendleft(reversed(self.record[1:]))
        del self.record[1:]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else self._read()
        self.number += 1
        self.record.append(line)
        self._record_chars += len(line)
        if isinstance(line, _CutLine) or self._record_chars > MAX_RECORD_CHARS:
            raise RecordTooLongError
        return line

    def _read(self) -> str:
        try:
            line = self._stream.readline(MAX_RECORD_CHARS + 1)
        except UnicodeDecodeError as error:  # encodings of 16 and 32 bits: what follows has no place to go on from
            raise UndecodableError(self.number + 1) from error
        if not line:
            raise StopIteration
        self._left -= len(line)
        if len(line) > MAX_RECORD_CHARS:
            rest = line
            while rest and rest[-1] not in "\r\n":
                rest = self._stream.readline(MAX_RECORD_CHARS)
                self._left -= len(rest)
                self._check_total()
            return _CutLine(line[: MAX_RECORD_CHARS // 16])
        self._check_total()
        return line

    def _check_total(self) -> None:
        if self._left < 0:
            raise DataError(
                f"max_source_chars: the source may hold {self._max_chars:,} characters and holds more",
                parameter="max_source_chars",
                remedy="Raise max_source_chars of the collect stage, or read a part with max_rows.",
            )


@contextmanager
def open_lines(path: Path, *, gzipped: bool, encoding: str, newline: str, max_chars: int) -> Iterator[Lines]:
    """The lines of a file. Bytes that `encoding` cannot decode arrive as lone surrogates (U+DC80 to U+DCFF)."""
    with ExitStack() as stack:
        raw = stack.enter_context(path.open("rb"))
        binary = stack.enter_context(gzip.GzipFile(fileobj=raw)) if gzipped else raw
        name = "utf-8-sig" if encoding == "utf-8" else encoding
        text = stack.enter_context(TextIOWrapper(binary, encoding=name, errors="surrogateescape", newline=newline))
        yield Lines(text, max_chars=max_chars, done_bytes=raw.tell)
