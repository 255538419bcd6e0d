"""The rules of cleaning that take a row out for its text, in the order in which they are asked.

A rule sees a row's whole text: the messages of a chat, or the texts of a pair, joined by line breaks; tokens joined by
spaces. The first rule that a row fails is its reason.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from modelmint.core.errors import DataError
from modelmint.data.cleaning.limits import QualityLimits
from modelmint.data.cleaning.quality import C4, RULES, first_failed
from modelmint.data.cleaning.tally import Rule
from modelmint.data.cleaning.wording import Wording
from modelmint.data.expressions import compile_expression

MAX_BAD_WORDS_BYTES = 4 << 20

Verdict: TypeAlias = tuple[str, str] | None
"""The rule that a text fails, and why; None where it passes."""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Some rules, and a function from (N,) texts to (N,) verdicts."""

    rules: tuple[Rule, ...]
    look: Callable[[Sequence[str]], list[Verdict]]


def length(min_chars: int | None, max_chars: int | None) -> Judge:
    """Too short and too long texts."""

    def look(text: str) -> Verdict:
        if min_chars is not None and len(text) < min_chars:
            return "min_chars", f"{len(text):,} characters; at least {min_chars:,}"
        if max_chars is not None and len(text) > max_chars:
            return "max_chars", f"{len(text):,} characters; at most {max_chars:,}"
        return None

    rules = [_rule("min_chars", "too short")] if min_chars is not None else []
    rules += [_rule("max_chars", "too long")] if max_chars is not None else []
    return _each(tuple(rules), look)


def links_only() -> Judge:
    """Texts that are links and e-mail addresses and nothing else."""

    def look(text: str) -> Verdict:
        rest, number = _LINK.subn("", text)
        alone = number and not any(letter.isalnum() for letter in rest)
        return ("links_only", f"{number} links or addresses and no other word") if alone else None

    return _each((_rule("links_only", "nothing but links and e-mail addresses"),), look)


def pattern(name: str, expression: str, *, required: bool) -> Judge:
    """A user's pattern that must not be found, or must."""
    compiled = compile_expression(expression, parameter=f"patterns.{name}")

    def look(text: str) -> Verdict:
        found = compiled.found(text)
        return (name, f"{'does not match' if required else 'matches'} {expression}") if found != required else None

    return _each((_rule(name, f"{'without' if required else 'with'} {expression}"),), look)


def language(wanted: Sequence[str], min_confidence: float) -> Judge:
    """Texts that are surely in another language; one too short to tell passes."""
    from modelmint.core.language.languages import UNKNOWN, is_one_of, languages_of

    def look(texts: Sequence[str]) -> list[Verdict]:
        return [
            ("language", f"{tag} ({sure:.0%} sure); wanted {', '.join(wanted)}")
            if tag != UNKNOWN and sure >= min_confidence and not is_one_of(tag, wanted)
            else None
            for tag, sure in languages_of(texts)
        ]

    rule = _rule("language", f"not in {', '.join(wanted)}", "py3langid (Lui and Baldwin 2011) and scripts")
    return Judge(rules=(rule,), look=look)


def quality(limits: QualityLimits) -> Judge | None:
    """The published rules that have a threshold; None where no rule has."""
    on = tuple(rule for rule in RULES if rule.is_on(limits))
    if not on:
        return None
    return _each(
        tuple(_rule(rule.name, rule.about, rule.source) for rule in on), lambda text: first_failed(text, on, limits)
    )


def bad_words(path: str) -> Judge:
    """Texts with a word or phrase of a list.

    Raises:
        DataError: the file cannot be read, or is no list.
    """
    single, phrases = _listed(path)

    def look(text: str) -> Verdict:
        if found := single.intersection(Wording(text).folded):
            return "c4_bad_words", f"on the list: {min(found)}"
        folded = text.casefold() if phrases else ""
        phrase = next((phrase for phrase in phrases if phrase in folded), None)
        return ("c4_bad_words", f"on the list: {phrase}") if phrase else None

    return _each((_rule("c4_bad_words", "with a word of the list", C4),), look)


def read_bad_words(path: str) -> bytes:
    """The bytes of a list of words.

    Raises:
        DataError: it cannot be read, or is larger than `MAX_BAD_WORDS_BYTES`.
    """
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_BAD_WORDS_BYTES + 1)
    except OSError as error:
        raise DataError(f"bad_words: {path} cannot be read: {error.strerror}", parameter="bad_words") from error
    if len(content) > MAX_BAD_WORDS_BYTES:
        raise DataError(
            f"bad_words: at most {MAX_BAD_WORDS_BYTES >> 20} MB; {path} is larger",
            parameter="bad_words",
            remedy="Give a text file with one word or phrase a line.",
        )
    return content


@lru_cache(maxsize=2)
def _listed(path: str) -> tuple[frozenset[str], tuple[str, ...]]:
    lines = {line.strip().casefold() for line in read_bad_words(path).decode("utf-8", "replace").splitlines()}
    lines = {line for line in lines if line and not line.startswith("#")}
    single = frozenset(line for line in lines if Wording(line).folded == [line])
    return single, tuple(sorted(lines - single))


def _each(rules: tuple[Rule, ...], look: Callable[[str], Verdict]) -> Judge:
    return Judge(rules=rules, look=lambda texts: [look(text) for text in texts])


def _rule(name: str, about: str, source: str = "") -> Rule:
    return Rule(name=name, kind="removes", about=about, source=source)


_LINK = re.compile(r"(?:https?://|www\.)\S+|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", re.IGNORECASE)
