"""Where personal data stands in a text: patterns find candidates, checksums and the words around them decide.

No pattern relies on word boundaries: Chinese has none. Not found by patterns: people, places, organisations (a model
finds them, `data/ner.py`), and what is spelt out in words.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, TypeAlias, get_args

from modelmint.data.expressions import Expression
from modelmint.data.personal import addresses, cards, dates, documents, identities, online
from modelmint.data.personal.contexts import Finder
from modelmint.data.personal.phones import phones

Kind: TypeAlias = Literal[
    "iban", "id", "card", "uscc", "url", "email", "passport", "plate", "ip", "date_of_birth", "account", "phone",
    "address", "handle", "date", "age", "year", "person", "place", "organisation",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order in which one wins over another of equal score on the same letters."""
NAMED: tuple[Kind, ...] = ("person", "place", "organisation")
"""What a model alone finds."""
FOUND_BY_PATTERN: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in NAMED)
PERSONAL: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in {"uscc", "url", "date", "age", "year"})
"""What is looked for by default: what says who someone is, without dates, years, ages, URLs and firms' codes."""
REGIONS = ("US", "GB", "CN")
MIN_SCORE = 0.5

_FULL_WIDTH = {
    code: code - 0xFEE0
    for code in (*range(0xFF10, 0xFF1A), *range(0xFF20, 0xFF3B), *range(0xFF41, 0xFF5B), 0xFF0B, 0xFF0D, 0xFF0E)
}
_WIDE = re.compile("[\uff0b\uff0d\uff0e\uff10-\uff19\uff20-\uff3a\uff41-\uff5a]")
_RUN = re.compile(r"[0-9](?:[ ().+-]{0,3}[0-9])*|[A-Z]{4}[0-9]{2}")
_LETTERS_RUN = 6
"""What letters right before two digits count as: an Italian or Mexican number has no long run of digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Search:
    """How one kind is looked for, and what spares the search: most texts end there."""

    find: Finder
    num_digits: int = 0
    """The fewest digits in the whole text."""
    longest: int = 0
    """The fewest digits in a row, spaces and hyphens between them allowed."""
    words: tuple[str, ...] = ()
    """One of these (in lower case) must be in the text."""


_SEARCHES: Mapping[str, _Search] = {
    "iban": _Search(find=cards.ibans, longest=6),
    "id": _Search(find=identities.identities, longest=_LETTERS_RUN),
    "card": _Search(find=cards.cards, longest=12),
    "uscc": _Search(find=identities.organisations, longest=8),
    "url": _Search(find=online.urls, words=("://", "www.")),
    "email": _Search(find=online.emails, words=("@", "[at", "(at", "[ at", "( at")),
    "passport": _Search(find=documents.passports, longest=6),
    "plate": _Search(find=documents.plates),
    "ip": _Search(find=online.addresses, num_digits=1),
    "date_of_birth": _Search(find=dates.birth_dates, num_digits=1, words=dates.BIRTH_WORDS),
    "account": _Search(find=cards.accounts, longest=6, words=cards.ACCOUNT_WORDS),
    "address": _Search(find=addresses.addresses, num_digits=1),
    "handle": _Search(find=online.handles, words=online.NETWORKS),
    "date": _Search(find=dates.dates),
    "age": _Search(find=dates.ages, num_digits=1),
    "year": _Search(find=dates.years, longest=4),
}


@dataclass(frozen=True, kw_only=True, order=True, slots=True)
class Span:
    """Personal data at ``text[start:end]``; `score` is how sure that is, 0 to 1."""

    start: int
    end: int
    kind: str
    score: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Recognizers:
    """What to look for. Thread-safe; one is made for a whole pass.

    Args:
        kinds: some of `KINDS`; those of `NAMED` are left to a model.
        regions: where telephone numbers without a country code may be from (ISO 3166 codes).
        patterns: the user's own kinds, by name.
        min_score: what is less sure is left.
    """

    kinds: Sequence[str] = PERSONAL
    regions: Sequence[str] = REGIONS
    patterns: Mapping[str, Expression] | None = None
    min_score: float = MIN_SCORE

    def find(self, text: str, about: str = "") -> list[Span]:
        """The personal data in a text, in order and without overlap.

        Args:
            about: what the text is, such as the name of its column: it counts as a word before the text.
        """
        ahead = f"{about}: " if about else ""
        plain = ahead + (text.translate(_FULL_WIDTH) if not text.isascii() and _WIDE.search(text) else text)
        spans = [
            Span(start=start - len(ahead), end=end - len(ahead), kind=kind, score=score)
            for kind, start, end, score in self._candidates(plain)
            if start >= len(ahead) and score >= self.min_score
        ]
        return spans if len(spans) < 2 else resolved(spans)

    def _candidates(self, text: str) -> Iterator[tuple[str, int, int, float]]:
        num_digits = sum(map(text.count, "0123456789"))
        longest = max(map(_length, _RUN.findall(text)), default=0) if num_digits >= 2 else num_digits
        lower = text.lower()
        for kind, search in self._searches:
            if num_digits < search.num_digits or longest < search.longest:
                continue
            if not search.words or any(word in lower for word in search.words):
                for start, end, score in search.find(text):
                    yield kind, start, end, score
        for name, expression in (self.patterns or {}).items():
            for start, end in expression.spans(text):
                if start < end:
                    yield name, start, end, 1.0

    @cached_property
    def _searches(self) -> Sequence[tuple[str, _Search]]:
        table = {**_SEARCHES, "phone": _Search(find=partial(phones, regions=tuple(self.regions)), longest=7)}
        return [(kind, table[kind]) for kind in FOUND_BY_PATTERN if kind in self.kinds]


def _length(run: str) -> int:
    return _LETTERS_RUN if run[0].isalpha() else len(run) if run.isdigit() else sum(map(str.isdigit, run))


def recognize(text: str, kinds: Sequence[str] = PERSONAL, regions: Sequence[str] = REGIONS) -> list[Span]:
    """The personal data in one text by the patterns alone."""
    return Recognizers(kinds=kinds, regions=regions).find(text)


def resolved(spans: Sequence[Span]) -> list[Span]:
    """In order and without overlap. The longer wins over what it holds: a rest of it would stay in the text.

    Else the surer wins, then the kind that stands first in `KINDS` (the user's own before all).
    """
    rank: dict[str, int] = {kind: at for at, kind in enumerate(KINDS)}
    kept: list[Span] = []
    for span in sorted(_outer(spans), key=lambda span: (-span.score, rank.get(span.kind, -1), span.start - span.end)):
        first, last = overlapping(kept, span.start, span.end)
        if first == last:
            kept.insert(first, span)
    return kept


def overlapping(spans: Sequence[Span], start: int, end: int) -> tuple[int, int]:
    """Which of spans in order and without overlap touch ``start:end``: ``spans[first:last]``."""
    first = bisect_right(spans, start, key=lambda span: span.end)
    return first, max(first, bisect_left(spans, end, key=lambda span: span.start))


def _outer(spans: Sequence[Span]) -> Iterator[Span]:
    """The spans that no longer one holds."""
    begun, reach = -1, -1
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if reach > span.end or (reach == span.end and begun < span.start):
            continue
        if span.end > reach:
            begun, reach = span.start, span.end
        yield span
