"""Gates on the figures of tasks, stated in the recipe of `harness`.

    gates:
      colours/acc: ">= 0.60"
      wiki/bits_per_byte: "<= 1.9"
      gsm8k/exact_match:strict-match: ">= 0.20"     of a filter that has a name

A gate that cannot be computed blocks.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelmint.core.errors import InputError
from modelmint.core.gates import NUMBER, OPERATORS, Verdict, blocked, holds, plain

_GATE = re.compile(rf"(?P<operator>>=|<=|>|<)\s*(?P<number>-?(?:{NUMBER}))")


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One condition on one figure, ``task/metric``."""

    name: str
    operator: str
    number: float

    @property
    def allowed(self) -> str:
        return f"{self.operator} {self.number:g}"


def parse(gates: Mapping[str, object], tasks: Sequence[str]) -> tuple[Gate, ...]:
    """Read gates as a recipe states them: ``task/metric`` -> one condition or a list of them.

    Raises:
        InputError: a task that is not asked, or a condition that is not in the language.
    """
    return tuple(_gate(name, text) for name, conditions in gates.items() for text in _listed(name, conditions, tasks))


def judge(gates: Sequence[Gate], figures: Mapping[str, float], why: Mapping[str, str]) -> list[Verdict]:
    """Hold every gate against the figures; a missing one fails its gate. `why` tells of one that could not be computed."""
    return [_verdict(gate, figures, why) for gate in gates]


def _verdict(gate: Gate, figures: Mapping[str, float], why: Mapping[str, str]) -> Verdict:
    value = figures.get(gate.name)
    if value is None or not math.isfinite(value):
        task = gate.name.partition("/")[0]
        there = ", ".join(name for name in figures if name.startswith(f"{task}/")) or "none"
        return blocked(gate.name, gate.allowed, why.get(gate.name) or f"there is no such figure (there are: {there})")
    passed = holds(value, gate.operator, gate.number)
    reason = "" if passed else f"{gate.name}: must be {gate.allowed}; it is {value:.5g}"
    return Verdict(name=gate.name, allowed=gate.allowed, value=round(value, 6), passed=passed, reason=reason)


def _listed(name: str, conditions: object, tasks: Sequence[str]) -> Sequence[str]:
    task, slash, metric = name.rpartition("/")
    if not slash or not metric or task not in tasks:
        raise InputError(
            f"gates.{name}: must name a task that is asked and a metric of it, with a slash; the tasks are {', '.join(tasks)}",
            parameter=f"gates.{name}",
            remedy=f'Write it like "{tasks[0]}/acc".',
        )
    listed = [conditions] if isinstance(conditions, str) else conditions
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(text, str) for text in listed):
        raise _wrong(name, conditions)
    return listed


def _gate(name: str, text: str) -> Gate:
    found = _GATE.fullmatch(plain(text))
    if found is None:
        raise _wrong(name, text)
    return Gate(name=name, operator=found["operator"], number=float(found["number"]))


def _wrong(name: str, given: object) -> InputError:
    return InputError(
        f"gates.{name}: must be {', '.join(OPERATORS)} and a number, as text, or a list of such texts; got {given!r}",
        parameter=f"gates.{name}",
        remedy='Write it like ">= 0.60".',
    )
