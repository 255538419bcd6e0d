"""Gates on a variant, stated in the recipe of `compress`.

    gates:
      accuracy_drop: "<= 0.005"        against the trained model
      agreement: ">= 0.99"
      size_mb: "<= 30"
      p99_ms: "<= 10"
      cost_per_million: "<= 0.08"      in the currency of MODELMINT_MACHINE_HOUR

A gate that cannot be computed blocks.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelmint.core.errors import InputError
from modelmint.core.gates import NUMBER, OPERATORS, Verdict, blocked, holds, plain, unknown_gate

COMPARED = ("accuracy_drop", "agreement")
"""Against the trained model, as shares."""
TIMED = ("load_ms", "p50_ms", "p99_ms", "throughput_per_s", "cost_per_million", "peak_mb")
"""Measured on this machine."""
FIGURES = (*COMPARED, "size_mb", *TIMED)
DEFAULTS = {"accuracy_drop": "<= 0.005", "agreement": ">= 0.99"}
"""These stand where the recipe does not state others."""

_GATE = re.compile(rf"(?P<operator>>=|<=|>|<)\s*(?P<number>{NUMBER})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One condition on one figure."""

    name: str
    operator: str
    number: float

    @property
    def allowed(self) -> str:
        return f"{self.operator} {self.number:g}"


def parse(gates: Mapping[str, object]) -> tuple[Gate, ...]:
    """Read gates as a recipe states them: figure -> one condition or a list of them; `DEFAULTS` for those not named.

    Raises:
        InputError: an unknown figure, or a condition that is not in the language.
    """
    wanted = DEFAULTS | dict(gates)
    return tuple(_gate(name, text) for name, conditions in wanted.items() for text in _listed(name, conditions))


def judge(gates: Sequence[Gate], figures: Mapping[str, float]) -> list[Verdict]:
    """Hold every gate against a variant's figures; a missing figure fails its gate."""
    return [_verdict(gate, figures.get(gate.name)) for gate in gates]


def _verdict(gate: Gate, value: float | None) -> Verdict:
    if value is None or not math.isfinite(value):
        return blocked(gate.name, gate.allowed, f"{gate.name} could not be computed")
    passed = holds(value, gate.operator, gate.number)
    reason = "" if passed else f"{gate.name}: must be {gate.allowed}; it is {value:.5g}"
    return Verdict(name=gate.name, allowed=gate.allowed, value=round(value, 6), passed=passed, reason=reason)


def _listed(name: str, conditions: object) -> Sequence[str]:
    listed = [conditions] if isinstance(conditions, str) else conditions
    if name not in FIGURES:
        raise unknown_gate(name, FIGURES)
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(text, str) for text in listed):
        raise _wrong(name, conditions)
    return listed


def _gate(name: str, text: str) -> Gate:
    found = _GATE.fullmatch(plain(text))
    if found is None:
        raise _wrong(name, text)
    number = float(found["number"])
    if name in COMPARED and number > 1:
        raise InputError(
            f"gates.{name}: must compare with a share from 0 to 1; got {text!r}",
            parameter=f"gates.{name}",
            remedy=f'Write 99 % as 0.99: "{found["operator"]} 0.99".',
        )
    return Gate(name=name, operator=found["operator"], number=number)


def _wrong(name: str, given: object) -> InputError:
    example = DEFAULTS.get(name, "<= 30")
    return InputError(
        f"gates.{name}: must be {', '.join(OPERATORS)} and a number, as text, or a list of such texts; got {given!r}",
        parameter=f"gates.{name}",
        remedy=f'Write it like "{example}".',
    )
