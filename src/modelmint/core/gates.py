"""What every gate shares: a condition on a figure, the verdict on it, and what is said of a name that is none.

A gate that cannot be computed blocks.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from modelmint.core.errors import InputError

OPERATORS = (">=", "<=", ">", "<")
NUMBER = r"\d+(?:\.\d*)?|\.\d+"
"""A number in a condition, as a regular expression."""
_LIMIT = re.compile(rf"(?P<operator>>=|<=|>|<)\s*(?P<number>-?(?:{NUMBER}))")
SLACK = 1e-9  # 0.93 - 0.01 is not 0.92 in binary: a figure exactly at its limit passes >= and <=


class Verdict(TypedDict):
    """`value` is None when the gate could not be computed; `reason` is a sentence, empty when it passed."""

    name: str
    allowed: str
    value: float | None
    passed: bool
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """One condition on one figure, such as ``>= 0.99``."""

    name: str
    operator: str
    number: float

    @property
    def allowed(self) -> str:
        return f"{self.operator} {self.number:g}"

    def verdict(self, value: float | None, missing: str) -> Verdict:
        """Hold it against a figure; `missing` says why there is none."""
        if value is None or not math.isfinite(value):
            return blocked(self.name, self.allowed, missing)
        passed = holds(value, self.operator, self.number)
        reason = "" if passed else f"{self.name}: must be {self.allowed}; it is {value:.5g}"
        return Verdict(name=self.name, allowed=self.allowed, value=round(value, 6), passed=passed, reason=reason)


def limit(name: str, text: str, *, example: str) -> Limit:
    """A condition as a recipe states it.

    Raises:
        InputError: it is not an operator and a number.
    """
    found = _LIMIT.fullmatch(plain(text))
    if found is None:
        raise no_limit(name, text, example=example)
    return Limit(name=name, operator=found["operator"], number=float(found["number"]))


def conditions(name: str, given: object, *, example: str) -> Sequence[str]:
    """The conditions on one figure: one text, or a list of them.

    Raises:
        InputError: it is neither.
    """
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(text, str) for text in listed):
        raise no_limit(name, given, example=example)
    return listed


def no_limit(name: str, given: object, *, example: str) -> InputError:
    """The error for a condition that is none."""
    return InputError(
        f"gates.{name}: must be {', '.join(OPERATORS)} and a number, as text, or a list of such texts; got {given!r}",
        parameter=f"gates.{name}",
        remedy=f'Write it like "{example}".',
    )


def readable(gates: Any, parse: Callable[[Any], Any]) -> Any:
    """The gates of a spec as given, once `parse` has read them: for a validator, so that a recipe can name the line."""
    if isinstance(gates, Mapping):
        try:
            parse(gates)
        except InputError as error:
            raise ValueError(str(error)) from error
    return gates


def holds(value: float, operator: str, limit: float) -> bool:
    """Whether a figure is within its limit."""
    if math.isclose(value, limit, rel_tol=0, abs_tol=SLACK):
        return operator in (">=", "<=")
    return value > limit if operator in (">=", ">") else value < limit


def plain(condition: str) -> str:
    """A condition with ASCII operators and no space around it."""
    return condition.replace("≥", ">=").replace("≤", "<=").strip()


def refusals(verdicts: Sequence[Verdict]) -> list[str]:
    """Why the gates refuse: one sentence a failed gate, none when all passed."""
    return [verdict["reason"] for verdict in verdicts if not verdict["passed"]]


def blocked(name: str, allowed: str, why: str, value: float | None = None) -> Verdict:
    """The verdict of a gate that could not be computed."""
    return Verdict(
        name=name,
        allowed=allowed,
        value=value,
        passed=False,
        reason=f"{name}: must be {allowed}; {why}, and a gate that cannot be computed blocks",
    )


def unknown_gate(name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is none, with the one that was perhaps meant."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return InputError(
        f"gates: must name one of {', '.join(names)}; got {name!r}",
        parameter="gates",
        remedy=f"Did you mean {close[0]!r}?" if close else None,
    )
