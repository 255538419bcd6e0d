"""Rows of one JSON document, streamed: a list of objects, or an object that holds such a list; SQuAD's nesting unfolded."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from modelmint.core.errors import DataError
from modelmint.data.sources.json_values import RepeatedKey, repeated, too_many
from modelmint.data.sources.lines import MAX_RECORD_CHARS, Lines
from modelmint.data.sources.rows import ROWS_A_STEP, Row, Written

_CHUNK_CHARS = 1 << 18
_GROWN_CHARS = 1 << 20  # a text longer than this is all one element
_SPACE = re.compile(r"[ \t\n\r]*")
_SHOWN_CHARS = 60
_KEPT_CHARS = 2000  # of an element that is quarantined


def document_records(lines: Lines, *, name: str) -> Iterator[Row]:
    """The objects of the list, each a row; an element that is no object has a reason instead.

    Raises:
        DataError: not JSON, an element longer than `MAX_RECORD_CHARS` or nested past what can be read, or no list.
    """
    number = 0
    for value in _Document(lines, name).elements():
        for record in _unfolded(value):
            fault = None if isinstance(record, dict) else f"must be an object; is a {type(record).__name__}"
            if isinstance(record, RepeatedKey):
                fault = f"the key {record.key[:60]!r} stands twice"
            done_bytes = lines.done_bytes() if number % ROWS_A_STEP == 0 else 0
            yield Row(
                number,
                record if fault is None else None,
                "bad_json" if fault else "",
                fault or "",
                raw=(record.written,) if isinstance(record, RepeatedKey) else Written(record),
                done_bytes=done_bytes,
            )
            number += 1


class _Document:
    """A cursor over the text of a document; only the element under way is in memory."""

    def __init__(self, lines: Lines, name: str) -> None:
        self._lines, self._name = lines, name
        self._text, self._at, self._ended = "", 0, False
        self._num_dropped_lines = 0
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)
        self._repeated = ""

    def elements(self) -> Iterator[Any]:
        """The elements of the list that is the document, or of the first list of objects in it."""
        if self._next_sign() == "[":
            self._at += 1
            yield from self._list()
        elif self._next_sign() == "{":
            yield from self._first_list()
        else:
            raise self._wrong("is neither a list of objects nor an object")
        if self._next_sign():
            raise self._wrong("goes on after its end")

    def _first_list(self) -> Iterator[Any]:
        """The list of objects among the values of the object; without one the object itself is the only row."""
        self._at += 1
        whole: dict[str, Any] = {}
        found = False
        while self._next_sign() not in {"}", ""}:
            key = self._value()
            self._take(":")
            if not found and self._next_sign() == "[" and self._sign_after() == "{":
                found = True
                self._at += 1
                yield from self._list()
            else:
                value = self._value()
                if isinstance(value, RepeatedKey) or str(key) in whole:
                    raise self._wrong("has a key that stands twice")
                whole[str(key)] = value
            if self._next_sign() != "}":
                self._take(",")
        self._take("}")
        if not found:
            yield whole

    def _list(self) -> Iterator[Any]:
        while (sign := self._next_sign()) != "]":
            if not sign:
                raise self._wrong("ends in the middle of its list")
            yield self._value()
            if self._next_sign() != "]":
                self._take(",")
        self._at += 1

    def _value(self) -> Any:
        """One whole value from here on."""
        self._next_sign()
        while True:
            if too_many(self._text, self._at) and len(self._text) - self._at > _GROWN_CHARS:
                raise self._wrong("has an element of too many values")
            self._repeated = ""
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise self._wrong("is nested deeper than can be read") from error
            except ValueError as error:
                if not self._more():
                    raise self._wrong(f"is not JSON: {error}") from error
                continue
            if end == len(self._text) and not self._ended and isinstance(value, int | float) and self._more():
                continue  # a number may go on
            written = self._text[self._at : min(end, self._at + _KEPT_CHARS)]
            self._at = end
            return RepeatedKey(self._repeated, written) if self._repeated else value

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            self._repeated = repeated(pairs) or " "
        return made

    def _next_sign(self) -> str:
        """The next sign that is no space; empty at the end of the document."""
        while True:
            self._at = _end(_SPACE.match(self._text, self._at))
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _sign_after(self) -> str:
        """The sign after the one that is next."""
        while True:
            place = _end(_SPACE.match(self._text, self._at + 1))
            if place < len(self._text):
                return self._text[place]
            if not self._more():
                return ""

    def _take(self, sign: str) -> None:
        if self._next_sign() != sign:
            raise self._wrong(f"is not JSON: {sign!r} is missing")
        self._at += 1

    def _more(self) -> bool:
        """Read on; each time twice as much of one element, so that a long one is tried few times."""
        if self._ended:
            return False
        if len(self._text) - self._at > MAX_RECORD_CHARS:
            raise self._wrong(f"has an element longer than {MAX_RECORD_CHARS:,} characters")
        self._num_dropped_lines += self._text.count("\n", 0, self._at)
        kept = self._text[self._at :]
        more, self._ended = self._lines.block(max(_CHUNK_CHARS, len(kept)))
        self._text, self._at = kept + more, 0
        return bool(more)

    def _wrong(self, said: str) -> DataError:
        line = self._num_dropped_lines + self._text.count("\n", 0, self._at) + 1
        near = self._text[self._at : self._at + _SHOWN_CHARS].encode("utf-8", "backslashreplace").decode()
        return DataError(
            f"source: {self._name} {said} (line {line}, near {near!r})",
            parameter="source",
            remedy="Write it again as a list of objects, or as JSON lines, where a broken row costs only itself.",
        )


def _end(match: re.Match[str] | None) -> int:
    return match.end() if match else 0


def _unfolded(value: Any) -> Iterator[Any]:
    """The questions of an article of SQuAD (Rajpurkar et al. 2016); any other value as it is."""
    paragraphs = value.get("paragraphs") if isinstance(value, Mapping) else None
    if not isinstance(paragraphs, list) or not all(isinstance(part, dict) and "qas" in part for part in paragraphs):
        yield value
        return
    for part in paragraphs:
        for question in part["qas"] if isinstance(part["qas"], list) else ():
            asked = question if isinstance(question, dict) else {"question": question}
            yield {"title": value.get("title"), "context": part.get("context"), **asked}
