"""Gates on what preflight finds, stated in its recipe.

    gates:
      leaks: 0                      at most none
      truncated: "<= 0.01"          a share: a number between 0 and 1, or with %
      duplicates: "<= 5%"
      imbalance: "<= 50"
      licence: sellable
      estimate_cost: "<= 0.50 USD"

A gate that cannot be computed blocks.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelmint.core.errors import InputError
from modelmint.core.gates import NUMBER, OPERATORS, Verdict, blocked, holds, plain, unknown_gate
from modelmint.core.money import MINOR_UNITS

COUNTED = (
    "truncated",
    "targets_lost",
    "untrainable",
    "unknown_tokens",
    "template_refused",
    "label_conflicts",
    "rare_labels",
    "duplicates",
    "near_duplicates",
    "leaks",
    "near_leaks",
    "personal_data",
    "language_unknown",
    "suspects",
)
"""How many, or which share of all: a whole number is compared with the first, a fraction or a percentage with the second."""
MEASURED = ("estimate_seconds", "estimate_memory_gb", "estimate_cost")
"""Figures that differ a little from time to time and from machine to machine."""
NUMBERS = ("rows", "labels", "imbalance", *MEASURED)
SELLABLE = "sellable"
NAMES = (*COUNTED, *NUMBERS, "licence")

_GATE = re.compile(rf"(?P<operator>>=|<=|>|<)?\s*(?P<number>{NUMBER})\s*(?P<unit>%|[A-Z]{{3}})?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """Something found: a number, perhaps of a total, or a word. None where it could not be computed."""

    value: float | None = None
    total: float | None = None
    """Of how many, for the names in `COUNTED`."""
    word: str = ""
    """The licence verdict, or a currency."""
    why: str = "it could not be computed"
    """Why there is no value; for the licence, why the verdict."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One condition. `unit` is ``%`` for a share (`number` is then 0 to 1), a currency, or empty."""

    name: str
    operator: str = "<="
    number: float = 0.0
    unit: str = ""

    @property
    def allowed(self) -> str:
        if self.name == "licence":
            return SELLABLE
        if self.unit == "%":
            return f"{self.operator} {self.number * 100:g}%"
        return f"{self.operator} {self.number:g}{f' {self.unit}' if self.unit else ''}"


def parse(gates: Mapping[str, object]) -> tuple[Gate, ...]:
    """Read gates as a recipe states them: name -> a number (at most so many), a condition, or a list of conditions.

    Raises:
        InputError: an unknown name, a condition that is not in the language, or one that can never hold.
    """
    return tuple(_gate(name, one) for name, conditions in gates.items() for one in _listed(name, conditions))


def judge(gates: Sequence[Gate], figures: Mapping[str, Figure]) -> list[Verdict]:
    """Hold every gate against the figures; a figure that is missing fails its gate."""
    return [_verdict(gate, figures.get(gate.name, Figure())) for gate in gates]


def _verdict(gate: Gate, figure: Figure) -> Verdict:
    if gate.name == "licence":
        passed = figure.word in ("yes", "conditions")
        reason = "" if passed else f"licence: must be {SELLABLE}; it is {figure.word or 'unknown'}: {figure.why}"
        return Verdict(name=gate.name, allowed=gate.allowed, value=float(passed), passed=passed, reason=reason)
    value = figure.value
    if value is not None and gate.unit == "%":
        value = value / figure.total if figure.total else 0.0
    if value is None or not math.isfinite(value):
        return blocked(gate.name, gate.allowed, figure.why)
    if gate.unit not in ("", "%", figure.word):
        return blocked(gate.name, gate.allowed, f"it is known in {figure.word or 'no currency'} alone", value)
    passed = holds(value, gate.operator, gate.number)
    reason = "" if passed else f"{gate.name}: must be {gate.allowed}; {_found(gate, value, figure)}"
    return Verdict(name=gate.name, allowed=gate.allowed, value=round(value, 6), passed=passed, reason=reason)


def _found(gate: Gate, value: float, figure: Figure) -> str:
    of = f" of {figure.total:,.0f}" if figure.total and gate.name in COUNTED else ""
    if gate.unit == "%":
        return f"it is {value:.2%}" + (f" ({figure.value:,.0f}{of})" if of else "")
    return f"it is {value:,.6g}{f' {gate.unit}' if gate.unit else ''}{of}"


def _listed(name: str, conditions: object) -> Sequence[object]:
    if name not in NAMES:
        raise unknown_gate(name, NAMES)
    listed = conditions if isinstance(conditions, list | tuple) else [conditions]
    if not listed or not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in listed):
        raise _wrong(name, conditions)
    return list(listed)


def _gate(name: str, given: object) -> Gate:
    text = plain(str(given))
    if name == "licence":
        if text != SELLABLE:
            raise InputError(
                f"gates.licence: must be {SELLABLE}; got {given!r}",
                parameter="gates.licence",
                remedy=f"`licence: {SELLABLE}` refuses what may not be sold, and what nobody knows.",
            )
        return Gate(name=name)
    found = _GATE.fullmatch(text)
    if found is None:
        raise _wrong(name, given)
    number, unit = float(found["number"]), _unit(name, found["number"], found["unit"] or "", given)
    if found["unit"] == "%":
        number /= 100
    if unit == "%" and number > 1:
        raise InputError(
            f"gates.{name}: must compare with a share of at most 100%; got {given!r}",
            parameter=f"gates.{name}",
            remedy='Write a share like "<= 5%" or "<= 0.05", and a number of rows as a whole number.',
        )
    return Gate(name=name, operator=found["operator"] or "<=", number=number, unit=unit)


def _unit(name: str, number: str, unit: str, given: object) -> str:
    """The unit that is meant: a fraction of something counted is a share."""
    if name in COUNTED and unit in ("", "%"):
        return "%" if unit or ("." in number and 0 < float(number) < 1) else ""
    if name == "estimate_cost" and unit in MINOR_UNITS:
        return unit
    if unit == "" and name in NUMBERS and name != "estimate_cost":
        return ""
    raise _wrong(name, given)


def _wrong(name: str, given: object) -> InputError:
    example = (
        '"<= 0.50 USD"' if name == "estimate_cost" else '0, "<= 5%" or "<= 0.05"' if name in COUNTED else '"<= 50"'
    )
    return InputError(
        f"gates.{name}: must be a number, or {', '.join(OPERATORS)} and a number, "
        f"{'with a currency' if name == 'estimate_cost' else 'or a list of such'}; got {given!r}",
        parameter=f"gates.{name}",
        remedy=f"Write it like {example}.",
    )
