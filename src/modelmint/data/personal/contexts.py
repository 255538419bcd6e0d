"""The words around a candidate: what makes a bare number a passport, or keeps an order number from being a telephone."""

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

Found: TypeAlias = tuple[int, int, float]
"""Start, end (exclusive) and a score from 0 to 1."""
Finder: TypeAlias = Callable[[str], Iterator[Found]]

BEFORE_CHARS = 40
AFTER_CHARS = 12


def words(*alternatives: str) -> re.Pattern[str]:
    """Words of context, in any case."""
    return re.compile("|".join(alternatives), re.IGNORECASE)


def near(
    text: str, start: int, end: int, said: re.Pattern[str], *, before: int = BEFORE_CHARS, after: int = AFTER_CHARS
) -> bool:
    """Whether one of the words stands shortly before ``text[start:end]`` or right after it."""
    return (
        said.search(text, max(0, start - before), start) is not None
        or said.search(text, end, min(len(text), end + after)) is not None
    )
