"""Text files by line or by block, bounded: nothing read at once can use more memory than `MAX_RECORD_CHARS` allows."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, StringIO, TextIOWrapper
from pathlib import Path
from typing import IO

from modelmint.core.errors import DataError
from modelmint.data.sources.packed import CHUNK_BYTES, unpacked_gzip

MAX_RECORD_CHARS = 1 << 24
"""A row longer than this is not parsed: it is skipped and quarantined."""


_SKIPPED_CHARS = 1 << 20


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

    Between two records, `block` gives what comes next as one text instead, and `unread` takes back what of it was not
    used.

    Attributes:
        record: the lines handed out since `begin`.
        number: the 1-based number of the last line handed out.
        handed_chars: how much has been handed out line by line.
    """

    def __init__(self, stream: IO[str], *, newline: str, max_chars: int, done_bytes: Callable[[], int]) -> None:
        self.record: list[str] = []
        self.number = 0
        self.handed_chars = 0
        self.done_bytes = done_bytes
        self._stream, self._left, self._max_chars = stream, max_chars, max_chars
        self._newline = newline
        self._front = StringIO()  # what was read as a block and put back
        self._front_chars = 0
        self._waiting: deque[str] = deque()
        self._record_chars = 0

    def begin(self) -> None:
        """A new record starts with the next line."""
        self.record, self._record_chars = [], 0

    def keep_only_first(self) -> None:
        """Give every line of this record but the first back, to be read again."""
        self.number -= len(self.record) - 1
        self.handed_chars -= sum(map(len, self.record[1:]))
        self._waiting.extendleft(reversed(self.record[1:]))
        del self.record[1:]

    def block(self, num_chars: int) -> tuple[str, bool]:
        """The next characters, about that many, and whether they are the last of the file. Does not count lines.

        Raises:
            UndecodableError: in encodings of 16 and 32 bits.
            DataError: the file holds more characters than it may.
        """
        if self._waiting:
            self.unread("".join(self._waiting))
            self._waiting.clear()
        text, ended = self._take(num_chars)
        while text.endswith("\r") and not ended:  # never between the two signs of one line's end
            more, ended = self._take(1)
            text += more
        self._check_total()
        return text, ended

    def unread(self, text: str) -> None:
        """Put this before what comes next."""
        if text:
            rest = self._front.read() if self._front_chars else ""
            self._front, self._front_chars = StringIO(text + rest, newline=self._newline), len(text) + len(rest)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else self._read()
        self.number += 1
        self.record.append(line)
        self._record_chars += len(line)
        self.handed_chars += len(line)
        if isinstance(line, _CutLine) or self._record_chars > MAX_RECORD_CHARS:
            raise RecordTooLongError
        return line

    def _read(self) -> str:
        try:
            line = self._readline(MAX_RECORD_CHARS + 1)
        except UnicodeDecodeError as error:  # encodings of 16 and 32 bits: what follows has no place to go on from
            raise UndecodableError(self.number + 1) from error
        if not line:
            raise StopIteration
        if len(line) > MAX_RECORD_CHARS:
            self._skip_line(line)
            return _CutLine(line[: MAX_RECORD_CHARS // 16])
        self._check_total()
        return line

    def _skip_line(self, begun: str) -> None:
        """Go past the end of a line of which this was read: in large pieces, as `readline` is five times slower."""
        while begun and (end := self._line_end(begun)) < 0:
            begun, _ = self._take(_SKIPPED_CHARS)
            self._check_total()
        self.unread(begun[end:] if begun else "")

    def _line_end(self, text: str) -> int:
        """How far the first line goes; -1 where it does not end. Two searches beat one for either sign."""
        places = [text.find(sign) for sign in ("\n" if self._newline else "\r\n")]
        first = min((place for place in places if place >= 0), default=-1)
        return -1 if first < 0 else first + (2 if text.startswith("\r\n", first) else 1)

    def _take(self, num_chars: int) -> tuple[str, bool]:
        front = self._front.read(num_chars) if self._front_chars else ""
        self._front_chars -= len(front)
        if len(front) == num_chars:
            return front, False
        try:
            text = self._stream.read(num_chars - len(front))
        except UnicodeDecodeError as error:
            raise UndecodableError(self.number + 1) from error
        self._left -= len(text)
        return front + text, len(front) + len(text) < num_chars

    def _readline(self, most: int) -> str:
        """One line, first of what was put back; a line may begin there and end in the stream."""
        begun = self._front.readline(most) if self._front_chars else ""
        self._front_chars -= len(begun)
        if begun and (begun[-1] == "\n" or len(begun) >= most or self._front_chars):
            return begun
        line = self._stream.readline(most - len(begun))
        self._left -= len(line)
        return begun + line

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
        binary: IO[bytes] = BufferedReader(unpacked_gzip(raw, path.name), CHUNK_BYTES) if gzipped else raw
        name = "utf-8-sig" if encoding == "utf-8" else encoding
        text = stack.enter_context(TextIOWrapper(binary, encoding=name, errors="surrogateescape", newline=newline))
        text._CHUNK_SIZE = CHUNK_BYTES  # type: ignore[attr-defined]  # of 8 kB by itself: a third slower
        yield Lines(text, newline=newline, max_chars=max_chars, done_bytes=raw.tell)
