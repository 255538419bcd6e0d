"""Regular expressions given by users. They run on RE2: the time for a text grows with its length, never exponentially.

A pattern of a recipe or a rule comes from outside, and `re` can be made to run for years by ten characters of it
(catastrophic backtracking). RE2 has no backtracking, and so no backreferences and no lookaround.
Source: https://swtch.com/~rsc/regexp/regexp3.html; the syntax: https://github.com/google/re2/wiki/Syntax.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from modelmint.core.errors import InputError

MAX_PATTERN_CHARS = 1000
MAX_GROUPS = 50
MAX_MEMORY_BYTES = 8 << 20
"""What RE2 may take for one pattern: its program and its cache of states."""
MAX_PROGRAM = 10_000
"""How many steps a pattern may compile to: what one character of text costs in the worst case."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled pattern. Places are in characters of the text as given, also where it holds halves of surrogate pairs.

    Thread-safe. Not to be pickled: compile the pattern again in another process.
    """

    pattern: str
    compiled: Any
    """The `re2` object, for what is not wrapped here; it raises UnicodeEncodeError on halves of surrogate pairs."""

    def found(self, text: str) -> bool:
        """Whether the pattern matches anywhere in the text."""
        return self.compiled.search(_sound(text)) is not None

    def whole(self, text: str) -> bool:
        """Whether the pattern matches the whole text."""
        return self.compiled.fullmatch(_sound(text)) is not None

    def spans(self, text: str, group: int | str = 0) -> Iterator[tuple[int, int]]:
        """``(start, end)`` of each match (or of one of its groups, where that took part), left to right."""
        place = self.compiled.groupindex[group] if isinstance(group, str) else group
        for match in self.compiled.finditer(_sound(text)):
            span: tuple[int, int] = match.span(place)
            if span[0] >= 0:
                yield span

    def replace(self, text: str, by: str | Callable[[str], str]) -> str:
        """The text with each match replaced; `by` is taken as it is, or called with what matched."""
        parts, end = [], 0
        for first, last in self.spans(text):
            parts += [text[end:first], by if isinstance(by, str) else by(text[first:last])]
            end = last
        return "".join([*parts, text[end:]])


def compile_expression(pattern: str, *, parameter: str, may_be_empty: bool = True) -> Expression:
    """A user's pattern, checked and compiled; the same pattern is compiled once.

    Args:
        parameter: the name of the field that holds the pattern, for the message.
        may_be_empty: whether a pattern that matches the empty text is allowed (it matches everywhere).

    Raises:
        InputError: too long, not in RE2's syntax (backreferences, lookaround), or too large when compiled.
    """
    fault = _shape_fault(pattern)
    expression = None if fault else _compiled(pattern)
    if isinstance(expression, str):
        fault = expression
    elif expression is not None and not may_be_empty and expression.found(""):
        fault = "matches the empty text, and so everywhere: write + where it says *, or name what must be there"
    if fault or not isinstance(expression, Expression):
        raise InputError(
            f"{parameter}: must be a regular expression of RE2; {pattern[:80]!r} {fault}",
            parameter=parameter,
            remedy="See https://github.com/google/re2/wiki/Syntax: what needs a backreference or lookaround must be "
            "written as alternatives.",
        )
    return expression


def _shape_fault(pattern: str) -> str | None:
    if not pattern:
        return "is empty"
    if len(pattern) > MAX_PATTERN_CHARS:
        return f"has {len(pattern):,} characters; at most {MAX_PATTERN_CHARS:,} are allowed"
    if _SURROGATE.search(pattern) or "\0" in pattern:
        return "holds a NUL or half of a surrogate pair"
    return "uses \\C, which cuts characters apart" if _ONE_BYTE.search(pattern) else None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Expression | str:
    import re2

    options = re2.Options()
    options.log_errors = False  # the message goes to the user, not to the log
    options.max_mem = MAX_MEMORY_BYTES
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0]
        return _explain(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said))
    if compiled.programsize > MAX_PROGRAM or compiled.groups > MAX_GROUPS:
        return f"compiles to {compiled.programsize:,} steps and {compiled.groups} groups: too large; repeat less"
    return Expression(pattern, compiled)


def _explain(said: str) -> str:
    lookaround = next((sign for sign in ("(?=", "(?!", "(?<=", "(?<!", "(?<") if f"operator: {sign}" in said), None)
    if lookaround:
        return f"uses lookaround ({lookaround}...), which RE2 does not have"
    if re.search(r"invalid escape sequence: \\([1-9]|k)", said):
        return "uses a backreference, which RE2 does not have"
    if "invalid perl operator: (?>" in said or re.search(r"bad repetition operator: [*+?]\+", said):
        return "uses an atomic group or possessive repetition, which RE2 does not have (it needs none)"
    if "pattern too large" in said:
        return "is too large when compiled: repeat less"
    return f"cannot be compiled: {said}"


def _sound(text: str) -> str:
    """The text with halves of surrogate pairs made U+FFFD, one for one, as RE2 reads UTF-8."""
    return text if text.isascii() else _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


_SURROGATE = re.compile("[\ud800-\udfff]")
_ONE_BYTE = re.compile(r"(?<!\\)(?:\\\\)*\\C")
