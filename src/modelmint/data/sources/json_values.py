"""JSON as rows may hold it: no key stands twice in an object, and a text of 16 MB does not become a gigabyte of lists."""

import json
from typing import Any, NamedTuple

MAX_STRINGS = 200_000
MAX_BRACKETS = 200_000
"""In one row. An empty list of two signs takes 64 bytes of memory."""


class RepeatedKeyError(ValueError):
    """A key stands twice: `json` keeps the last value, other readers the first, and one of them is lost."""


class RepeatedKey(NamedTuple):
    """In the place of a value of a document in which a key stands twice."""

    key: str
    written: str


def parsed(text: str) -> Any:
    """The value of one row.

    Raises:
        ValueError: not JSON, a key that stands twice, a number of more than 4300 digits, or too many values.
        RecursionError: nested too deep.
    """
    if too_many(text):
        raise ValueError(f"more than {MAX_STRINGS:,} strings or {MAX_BRACKETS:,} lists and objects in one row")
    return json.loads(text, object_pairs_hook=once)


def too_many(text: str, start: int = 0) -> bool:
    """Whether a text from `start` on may hold more values than a row may; cheap, and never wrong about a small one."""
    if len(text) - start < 2 * min(MAX_STRINGS, MAX_BRACKETS):
        return False
    return text.count('"', start) > 2 * MAX_STRINGS or text.count("[", start) + text.count("{", start) > MAX_BRACKETS


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of these pairs, for `json.loads`.

    Raises:
        RepeatedKeyError: two of one key.
    """
    made = dict(pairs)
    if len(made) < len(pairs):
        raise RepeatedKeyError(f"the key {repeated(pairs)[:60]!r} stands twice")
    return made


def repeated(pairs: list[tuple[str, Any]]) -> str:
    """The first key that stands twice; empty where none does."""
    seen: set[str] = set()
    return next((key for key, _ in pairs if key in seen or seen.add(key)), "")  # type: ignore[func-returns-value]
