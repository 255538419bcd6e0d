"""Personal data by every means at once: the patterns, and engines plugged in beside them (a model, Presidio)."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from modelmint.data.personal.recognizers import PERSONAL, REGIONS, Recognizers, Span, overlapping


class Engine(Protocol):
    """Another means to find personal data. Not thread-safe unless it says so."""

    @property
    def kinds(self) -> Collection[str]:
        """What it can find, some of `KINDS`."""

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """(N,) the spans of each text, in order and without overlap; many texts at once, as a model likes it."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """All means together. A pattern wins over an engine, since a checksum or a word stood behind it."""

    patterns: Recognizers
    engines: Sequence[Engine] = field(default_factory=tuple)

    def find(self, texts: Sequence[str], about: str = "") -> list[list[Span]]:
        """(N,) the spans of each text; `about` says what the texts are, such as the name of their column."""
        unique = list(dict.fromkeys(texts))  # the cells of a table say the same again and again
        found = {text: self.patterns.find(text, about) for text in unique}
        for engine in self.engines:
            for text, more in zip(unique, engine.find(unique), strict=True):
                if more:
                    found[text] = joined(text, found[text], more)
        return [found[text] for text in texts]


def count_personal(
    texts: Iterable[str], kinds: Sequence[str] = PERSONAL, regions: Sequence[str] = REGIONS
) -> Counter[str]:
    """How often each kind stands in the texts, by the patterns alone: what was left before money is spent."""
    patterns = Recognizers(kinds=kinds, regions=regions)
    return Counter(span.kind for text in texts for span in patterns.find(text))


def joined(text: str, first: Sequence[Span], more: Sequence[Span]) -> list[Span]:
    """The spans of `first`, and of `more` what they leave: a longer span of the same kind takes the shorter in.

    So a name that a model found together with an e-mail address stays a name beside it.
    """
    spans = list(first)
    for span in more:
        at, last = overlapping(spans, span.start, span.end)
        taken = spans[at:last]
        if taken and all(other.kind == span.kind for other in taken):
            start, end = min(span.start, taken[0].start), max(span.end, taken[-1].end)
            spans[at:last] = [Span(start=start, end=end, kind=span.kind, score=max(span.score, taken[0].score))]
        else:
            spans[at:last] = sorted([*taken, *_rest(text, span, taken)])
    return spans


def _rest(text: str, span: Span, taken: Sequence[Span]) -> list[Span]:
    """What of a span no other has, without blanks and signs at its ends."""
    rests, start = [], span.start
    for end, after in [*((other.start, other.end) for other in taken), (span.end, span.end)]:
        part = text[start : max(start, end)]
        core = part.strip(" \t\n,.;:()[]<>，。；：（）、")
        if len(core) > 1 or (core and not taken):
            begin = start + part.index(core)
            rests.append(Span(start=begin, end=begin + len(core), kind=span.kind, score=span.score))
        start = max(start, after)
    return rests
