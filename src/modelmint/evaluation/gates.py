"""The language of gates: what a figure must be before a model goes on.

    gates:
      accuracy: [">= 0.90", ">= baseline + 0.02", ">= live - 0.01"]
      macro_f1: ">= 0.80"

A gate that cannot be computed blocks.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict, cast

from modelmint.core.errors import InputError

OPERATORS = (">=", "<=", ">", "<")
REFERENCES = ("baseline", "live")
COMPARED = ("accuracy", "macro_f1")  # known of the model, the baseline and the live model alike
METRICS = (*COMPARED, "log_loss", "ece")
SHARES = (*COMPARED, "ece")
SLACK = 1e-9  # 0.93 - 0.01 is not 0.92 in binary: a figure exactly at its limit passes >= and <=

Figures = Mapping[str, float]

_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
_GATE = re.compile(
    rf"(?P<operator>>=|<=|>|<)\s*(?:(?P<constant>{_NUMBER})"
    rf"|(?P<reference>[a-z]+)(?:\s*(?P<sign>[+-])\s*(?P<offset>{_NUMBER}))?)"
)


class Verdict(TypedDict):
    """`value` is None when the gate could not be computed; `reason` is a sentence, empty when it passed."""

    name: str
    allowed: str
    value: float | None
    passed: bool
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One condition: the metric, compared with a number or with the same metric of a reference plus that number."""

    metric: str
    operator: str
    number: float
    reference: Literal["baseline", "live"] | None = None

    @property
    def allowed(self) -> str:
        if self.reference is None:
            return f"{self.operator} {self.number:g}"
        offset = f" {'-' if self.number < 0 else '+'} {abs(self.number):g}" if self.number else ""
        return f"{self.operator} {self.reference}{offset}"


def parse(gates: Mapping[str, object]) -> tuple[Gate, ...]:
    """Read gates as a recipe states them: metric -> one condition or a list of them.

    Raises:
        InputError: an unknown metric, a condition that is not in the language, or one that can never hold.
    """
    return tuple(_gate(metric, text) for metric, conditions in gates.items() for text in _listed(metric, conditions))


def judge(
    gates: Sequence[Gate], figures: Figures, *, baseline: Figures | None = None, live: Figures | None = None
) -> list[Verdict]:
    """Hold every gate against the figures; a missing figure or reference fails its gate."""
    references = {"baseline": baseline, "live": live}
    return [_verdict(gate, figures, references) for gate in gates]


def refusals(verdicts: Sequence[Verdict]) -> list[str]:
    """Why the gates refuse: one sentence a failed gate, none when all passed."""
    return [verdict["reason"] for verdict in verdicts if not verdict["passed"]]


def _verdict(gate: Gate, figures: Figures, references: Mapping[str, Figures | None]) -> Verdict:
    value = figures.get(gate.metric)
    if value is None or not math.isfinite(value):
        return _blocked(gate, f"{gate.metric} could not be computed")
    limit = gate.number
    if gate.reference is not None:
        other = (references[gate.reference] or {}).get(gate.metric)
        if other is None or not math.isfinite(other):
            return _blocked(gate, f"there is no {gate.reference} to compare {gate.metric} with", value)
        limit += other
    passed = _holds(value, gate.operator, limit)
    against = f"{gate.allowed} ({limit:.4f})" if gate.reference else gate.allowed
    reason = "" if passed else f"{gate.metric}: must be {against}; it is {value:.4f}"
    return Verdict(name=gate.metric, allowed=gate.allowed, value=round(value, 6), passed=passed, reason=reason)


def _blocked(gate: Gate, why: str, value: float | None = None) -> Verdict:
    return Verdict(
        name=gate.metric,
        allowed=gate.allowed,
        value=value,
        passed=False,
        reason=f"{gate.metric}: must be {gate.allowed}; {why}, and a gate that cannot be computed blocks",
    )


def _holds(value: float, operator: str, limit: float) -> bool:
    if math.isclose(value, limit, rel_tol=0, abs_tol=SLACK):
        return operator in (">=", "<=")
    return value > limit if operator in (">=", ">") else value < limit


def _listed(metric: str, conditions: object) -> Sequence[str]:
    listed = [conditions] if isinstance(conditions, str) else conditions
    if metric not in METRICS:
        raise InputError(f"gates: must name one of {', '.join(METRICS)}; got {metric!r}", parameter="gates")
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(text, str) for text in listed):
        raise _wrong(metric, conditions)
    return cast("Sequence[str]", listed)


def _gate(metric: str, text: str) -> Gate:
    found = _GATE.fullmatch(text.replace("≥", ">=").replace("≤", "<=").strip())
    if found is None or found["reference"] not in (None, *REFERENCES):
        raise _wrong(metric, text)
    if found["reference"] and metric not in COMPARED:
        raise InputError(
            f"gates.{metric}: only {' and '.join(COMPARED)} can be compared with {found['reference']}; got {text!r}",
            parameter=f"gates.{metric}",
            remedy='Give a number, like "<= 0.1".',
        )
    number = float(found["constant"] or found["offset"] or 0)
    if metric in SHARES and number > 1:
        raise InputError(
            f"gates.{metric}: must compare with a share from 0 to 1; got {text!r}",
            parameter=f"gates.{metric}",
            remedy=f'Write 90 % as 0.90: "{found["operator"]} 0.90".',
        )
    return Gate(
        metric=metric,
        operator=found["operator"],
        number=-number if found["sign"] == "-" else number,
        reference=cast('Literal["baseline", "live"] | None', found["reference"]),
    )


def _wrong(metric: str, given: object) -> InputError:
    return InputError(
        f"gates.{metric}: must be {', '.join(OPERATORS)} and a number, or {' or '.join(REFERENCES)} plus or minus a "
        f"number, as text, or a list of such texts; got {given!r}",
        parameter=f"gates.{metric}",
        remedy='Write it like ">= 0.90", ">= baseline + 0.02" or ">= live - 0.01".',
    )
