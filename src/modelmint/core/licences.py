"""May a model be sold that was trained on data, or made from a base, under a licence? A first reading, no legal advice.

    judge("CC-BY-4.0").may_be_sold                        conditions
    judge("CC-BY-NC-4.0 OR Apache-2.0").may_be_sold       conditions: you may choose
    judge("CC-BY-NC-4.0 AND Apache-2.0").may_be_sold      no: both hold
    judge("llama3.1"), judge("other"), judge("")          names of hubs, and none at all

An expression is that of SPDX (specification 2.3, annex D): identifiers, ``AND`` above ``OR``, ``WITH``, parentheses.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from modelmint.core.licence_table import GROUPS, OTHER_NAMES, Group, Sale

DISCLAIMER = (
    "This is a first reading by a table of licences, and no legal advice. Whether a model is derived from its data is "
    "not settled in law; the reading here is the cautious one. Let a lawyer look before you rely on it."
)
SELLABLE: tuple[Sale, ...] = ("yes", "conditions")
MAX_CHARS = 2000

_ORDER: tuple[Sale, ...] = ("yes", "conditions", "unknown", "no")
_TOKEN = re.compile(r"\s*(?:([()])|([A-Za-z0-9][A-Za-z0-9.+:_-]*))")
_KNOWN = {name.casefold(): (name, group) for group in GROUPS for name in group.names.split()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What a licence, or an expression of several, says about selling."""

    licence: str
    """As it stands on the SPDX list, or ``LicenseRef-...``."""
    may_be_sold: Sale
    why: str
    """One sentence."""
    obligations: tuple[str, ...] = ()
    """What is owed when it is sold."""

    @property
    def sellable(self) -> bool:
        return self.may_be_sold in SELLABLE


@lru_cache(maxsize=1024)
def judge(expression: str | None) -> Judgement:
    """Read a licence or an SPDX expression; what cannot be read is unknown, with the reason. Never raises."""
    text = (expression or "").strip()
    if not text:
        return _of("NOASSERTION")
    if len(text) > MAX_CHARS:
        return _unreadable(f"{text[:40]}…", f"it is longer than {MAX_CHARS:,} characters")
    if text.casefold() in _KNOWN or text.casefold() in OTHER_NAMES:
        return _of(text)
    try:
        return _Expression(text).read()
    except _NoExpressionError as error:
        return _unreadable(text, str(error))


def together(judgements: Iterable[Judgement]) -> Judgement:
    """All of them hold at once: the strictest decides, and everything is owed. None at all: unknown."""
    several = list(judgements)
    if not several:
        return _of("NOASSERTION")
    if len(several) == 1:
        return several[0]
    return replace(
        max(several, key=lambda one: _ORDER.index(one.may_be_sold)),
        licence=" AND ".join(_bracketed(one.licence) for one in several),
        obligations=tuple(dict.fromkeys(owed for one in several for owed in one.obligations)),
    )


def canonical(name: str) -> str:
    """The identifier that a hub's or a person's name for a licence stands for; itself where none is known."""
    folded = name.strip().casefold()
    folded = OTHER_NAMES.get(folded, folded).casefold()
    return _KNOWN[folded][0] if folded in _KNOWN else name.strip()


def nearest(name: str) -> str | None:
    """A known licence that looks like it, for a remedy."""
    close = difflib.get_close_matches(name.casefold(), [*_KNOWN, *OTHER_NAMES], n=1, cutoff=0.8)
    return canonical(close[0]) if close else None


class _NoExpressionError(ValueError):
    pass


class _Expression:
    """A parser by recursive descent: or := and {OR and}, and := one {AND one}, one := (or) | name [WITH name]."""

    def __init__(self, text: str) -> None:
        self._words: list[str] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise _NoExpressionError(f"no SPDX expression: {text[at:].strip()[:20]!r} is no identifier")
            self._words.append(found[1] or found[2])
            at = found.end()

    def read(self) -> Judgement:
        found = self._either(0)
        if self._words:
            raise _NoExpressionError(f"no SPDX expression: AND, OR or WITH must stand before {self._words[0]!r}")
        return found

    def _either(self, depth: int) -> Judgement:
        options = [self._both(depth)]
        while self._takes("OR"):
            options.append(self._both(depth))
        if len(options) == 1:
            return options[0]
        best = min(options, key=lambda one: _ORDER.index(one.may_be_sold))
        licence = " OR ".join(one.licence for one in options)
        return replace(best, licence=licence, why=f"{best.licence} may be chosen: {best.why}")

    def _both(self, depth: int) -> Judgement:
        parts = [self._one(depth)]
        while self._takes("AND"):
            parts.append(self._one(depth))
        return together(parts)

    def _one(self, depth: int) -> Judgement:
        if depth > 50:
            raise _NoExpressionError("no SPDX expression: more than 50 parentheses are open")
        if self._takes("("):
            found = self._either(depth + 1)
            if not self._takes(")"):
                raise _NoExpressionError("no SPDX expression: a parenthesis is not closed")
            return found
        found = _of(self._name())
        if self._takes("WITH"):  # an exception only allows more
            found = replace(found, licence=f"{found.licence} WITH {self._name()}")
        return found

    def _takes(self, word: str) -> bool:
        if not self._words or self._words[0].upper() != word:
            return False
        del self._words[0]
        return True

    def _name(self) -> str:
        if not self._words or self._words[0].upper() in ("AND", "OR", "WITH", "(", ")"):
            raise _NoExpressionError("no SPDX expression: a licence is missing")
        return self._words.pop(0)


def _of(name: str) -> Judgement:
    identifier = canonical(name)
    known = _KNOWN.get(identifier.casefold()) or _KNOWN.get(identifier.removesuffix("+").casefold())
    if known is None:
        meant = nearest(identifier)
        hint = f"; did you mean {meant}?" if meant else ""
        return _unreadable(identifier, f"it is not in the table of licences: read it{hint}")
    group: Group = known[1]
    return Judgement(
        licence=known[0] + ("+" if identifier.endswith("+") and not known[0].endswith("+") else ""),
        may_be_sold=group.may_be_sold,
        why=group.why,
        obligations=group.obligations,
    )


def _unreadable(licence: str, why: str) -> Judgement:
    return Judgement(licence=licence, may_be_sold="unknown", why=why)


def _bracketed(licence: str) -> str:
    return f"({licence})" if " OR " in licence else licence
