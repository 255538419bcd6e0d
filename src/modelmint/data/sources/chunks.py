"""Cutting a long text into parts at sentence ends, so that a document becomes rows a model can read."""

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

Cut: TypeAlias = Literal["document", "page", "paragraph", "chunk"]

_END = re.compile(r"[。！？…]+[”’」』）]*|[.!?]+[\"')\]]*\s+|\n+")
_EMPTY_LINE = re.compile(r"\n[ \t]*\n\s*")


def cut_text(text: str, cut: Cut, *, chunk_chars: int, overlap_chars: int) -> Iterator[str]:
    """The parts of a text, in order; empty ones are left out.

    Args:
        cut: ``chunk`` packs whole sentences (of English or Chinese) up to `chunk_chars` and begins each part with the
            last sentences of the one before, at most `overlap_chars` of them; a sentence longer than that is cut
            anywhere. ``paragraph`` cuts at empty lines, or at line ends where there is no empty line. ``document`` and
            ``page`` leave a text whole.
    """
    if cut == "paragraph":
        parts: Iterator[str] = iter(_EMPTY_LINE.split(text) if _EMPTY_LINE.search(text) else text.splitlines())
    elif cut == "chunk":
        parts = (text[first:end] for first, end in _spans(text, chunk_chars, overlap_chars))
    else:
        parts = iter([text])
    return (part.strip() for part in parts if part.strip())


def _spans(text: str, chunk_chars: int, overlap_chars: int) -> Iterator[tuple[int, int]]:
    ends = list(_ends(text, chunk_chars))
    first, at = 0, 0
    while at < len(ends):
        last = at
        while last + 1 < len(ends) and ends[last + 1] - first <= chunk_chars:
            last += 1
        end = ends[last]
        yield first, end
        at, first = last + 1, end
        if at == len(ends):
            return
        room = chunk_chars - (ends[at] - end)  # the overlap gives way to the sentence that follows
        for back in range(last - 1, -1, -1):
            if end - ends[back] > min(overlap_chars, room):
                break
            first = ends[back]


def _ends(text: str, chunk_chars: int) -> Iterator[int]:
    """Where a part may end: behind sentences, and inside those that are too long."""
    first = 0
    for end in (*(match.end() for match in _END.finditer(text)), len(text)):
        while end - first > chunk_chars:
            blank = text.rfind(" ", first + chunk_chars // 2, first + chunk_chars)
            first = blank + 1 if blank > 0 else first + chunk_chars
            yield first
        if end > first:
            yield end
            first = end
