"""The language of gates: what a figure must be before a model goes on.

    gates:
      accuracy: [">= 0.90", ">= baseline + 0.02", ">= live - 0.01"]
      "accuracy[lang=zh]": [">= 0.85", "not worse than live"]   # of the rows whose column lang is zh
      "macro_f1[source=mobile app, length>200]": ">= 0.80"
      calibration: "<= 0.05"                                    # another word for ece
      "fairness_gap[gender]": "<= 0.05"
      leaks: 0
      p50_ms: "<= 20"

A gate that cannot be computed blocks.
"""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from modelmint.core.errors import InputError
from modelmint.core.figures import METRICS, SHARES
from modelmint.core.gates import NUMBER, OPERATORS, Verdict, blocked, holds, plain, unknown_gate

REFERENCES = ("baseline", "live")
GAPS = ("fairness_gap", "figure_gap", "rate_gap")
"""Between the groups of a protected column: ``fairness_gap[gender]``."""
ALONE = ("leaks", "p50_ms", "size_mb", "cost_per_million")
"""Neither of some rows nor of a reference."""
ALIASES = {"calibration": "ece"}
NOT_WORSE = "not worse"
"""The operator of ``not worse than live``: a paired test at `alpha` decides."""

Figures = Mapping[str, float]

_GATE = re.compile(
    rf"(?P<operator>>=|<=|>|<)\s*(?:(?P<constant>{NUMBER})(?:\s*(?P<unit>[A-Za-z]{{2,3}}))?"
    rf"|(?P<reference>[a-z]+)(?:\s*(?P<sign>[+-])\s*(?P<offset>{NUMBER}))?)"
    r"|(?P<test>not\s+worse\s+than\s+live)"
)
_UNITS = {"p50_ms": "ms", "size_mb": "MB"}
_KEY = re.compile(r"\s*(?P<metric>[^\[\]]+?)\s*(?:\[(?P<inside>.*)\]\s*)?", re.DOTALL)
_QUOTED = r"\"[^\"]*\"|'[^']*'"
_CONDITION = re.compile(rf"\s*({_QUOTED}|[^=<>,\"']+?)\s*(=|>=|<=|>|<)\s*({_QUOTED}|[^,\"']+?)\s*(?:,|$)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """How a figure stands beside the live model's on the same rows: the difference, and what chance says of it."""

    name: str
    difference: float
    p_value: float
    is_worse: bool
    """Worse than the live model's, and significantly so at the level that was asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One condition: the metric, compared with a number or with the same metric of a reference plus that number."""

    metric: str
    operator: str
    number: float
    reference: Literal["baseline", "live"] | None = None
    where: tuple[tuple[str, str, str], ...] = ()
    """Column, = or a comparison of numbers, and value: the rows that it is about; all where there is none."""
    group: str = ""
    """The protected column of a gap."""
    unit: str = ""
    """The currency of a price."""

    @property
    def name(self) -> str:
        inside = self.group or ", ".join("".join(condition) for condition in self.where)
        return f"{self.metric}[{inside}]" if inside else self.metric

    @property
    def allowed(self) -> str:
        if self.operator == NOT_WORSE:
            return "not worse than live"
        if self.reference is None:
            return f"{self.operator} {self.number:g}{f' {self.unit}' if self.unit else ''}"
        offset = f" {'-' if self.number < 0 else '+'} {abs(self.number):g}" if self.number else ""
        return f"{self.operator} {self.reference}{offset}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What gates are held against, each by the name of the gate: the figure here, and those of the references."""

    figures: Figures
    baseline: Figures | None = None
    live: Figures | None = None
    tests: Mapping[str, Beside] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)
    """Of a figure that is not there: why."""


def parse(gates: Mapping[str, object]) -> tuple[Gate, ...]:
    """Read gates as a recipe states them: metric -> one condition or a list of them.

    Raises:
        InputError: an unknown metric, a condition that is not in the language, or one that can never hold.
    """
    return tuple(
        gate for key, conditions in gates.items() for about in [_about(key)] for gate in _gates(key, about, conditions)
    )


def judge(
    gates: Sequence[Gate], figures: Figures, *, baseline: Figures | None = None, live: Figures | None = None
) -> list[Verdict]:
    """Hold every gate against the figures; a missing figure or reference fails its gate."""
    return hold(gates, Known(figures=figures, baseline=baseline, live=live))


def hold(gates: Sequence[Gate], known: Known) -> list[Verdict]:
    """Hold every gate against what is known of it by its name; what is not known fails its gate."""
    return [_verdict(gate, known) for gate in gates]


def _verdict(gate: Gate, known: Known) -> Verdict:
    value = known.figures.get(gate.name)
    if value is None or not math.isfinite(value):
        return blocked(gate.name, gate.allowed, known.why.get(gate.name) or f"{gate.name} could not be computed")
    if gate.operator == NOT_WORSE:
        return _tested(gate, value, known)
    limit = gate.number
    if gate.reference is not None:
        other = ((known.baseline if gate.reference == "baseline" else known.live) or {}).get(gate.name)
        if other is None or not math.isfinite(other):
            return blocked(gate.name, gate.allowed, f"there is no {gate.reference} to compare {gate.name} with", value)
        limit += other
    passed = holds(value, gate.operator, limit)
    against = f"{gate.allowed} ({limit:.4f})" if gate.reference else gate.allowed
    shown = f"{value:g}" if gate.metric in ALONE else f"{value:.4f}"
    reason = "" if passed else f"{gate.name}: must be {against}; it is {shown}"
    return Verdict(name=gate.name, allowed=gate.allowed, value=round(value, 6), passed=passed, reason=reason)


def _tested(gate: Gate, value: float, known: Known) -> Verdict:
    test = known.tests.get(gate.name)
    if test is None:
        return blocked(gate.name, gate.allowed, f"there is no live to compare {gate.name} with", value)
    reason = (
        f"{gate.name}: must not be worse than that of the live model; it is {value:.4f}, {abs(test.difference):.4f} "
        f"worse ({test.name}, p = {test.p_value:.4g})"
    )
    return Verdict(
        name=gate.name,
        allowed=gate.allowed,
        value=round(value, 6),
        passed=not test.is_worse,
        reason=reason if test.is_worse else "",
    )


def _about(key: str) -> Gate:
    """What a gate is about, read from its name; its condition is still to come."""
    found = _KEY.fullmatch(str(key))
    metric = found["metric"].strip("\"'") if found else str(key)
    metric = ALIASES.get(metric, metric)
    inside = (found["inside"] or "").strip() if found else ""
    plain_name = metric.partition(":")[0]
    if plain_name not in METRICS and metric not in (*GAPS, *ALONE):
        raise unknown_gate(str(key), (*METRICS, *GAPS, *ALONE, *ALIASES)) if not inside else _unknown(metric)
    if metric in GAPS:
        if not inside or "=" in inside:
            raise InputError(
                f"gates.{key}: must name the column of the groups; got {key!r}",
                parameter=f"gates.{key}",
                remedy=f'Write it like "{metric}[gender]", and evaluate: {{protected: [gender]}}.',
            )
        return Gate(metric=metric, operator="", number=0, group=inside.strip("\"'"))
    where = _where(str(key), inside) if found and found["inside"] is not None else ()
    if where and metric in ALONE:
        raise InputError(
            f"gates.{key}: {metric} is of all rows; got {key!r}", parameter=f"gates.{key}", remedy="Take the [..] away."
        )
    return Gate(metric=metric, operator="", number=0, where=where)


def _unknown(metric: str) -> InputError:
    known = (*METRICS, *GAPS, *ALONE, *ALIASES)
    close = difflib.get_close_matches(metric, known, n=1, cutoff=0.5)
    return InputError(
        f"gates: must name one of {', '.join(known)}; got {metric!r}",
        parameter="gates",
        remedy=f"Did you mean {close[0]!r}?" if close else None,
    )


def _where(key: str, inside: str) -> tuple[tuple[str, str, str], ...]:
    found: list[tuple[str, str, str]] = []
    at = 0
    while at < len(inside) or not found:
        condition = _CONDITION.match(inside, at)
        if condition is None or (condition[2] != "=" and not re.fullmatch(rf"-?(?:{NUMBER})", condition[3])):
            raise InputError(
                f"gates.{key}: must be of rows by column=value or column>number, with commas between several; got {inside!r}",
                parameter=f"gates.{key}",
                remedy='Write it like "accuracy[lang=zh]", "accuracy[length>200]" or \'f1[kind="a, b"]\'.',
            )
        found.append((_bare(condition[1]), condition[2], _bare(condition[3])))
        at = condition.end()
    return tuple(found)


def _bare(text: str) -> str:
    return text[1:-1] if text[:1] in "\"'" and text[:1] == text[-1:] and len(text) > 1 else text.strip()


def _gates(key: str, about: Gate, conditions: object) -> list[Gate]:
    if about.metric == "leaks" and isinstance(conditions, int) and not isinstance(conditions, bool):
        conditions = f"<= {conditions}"
    listed = [conditions] if isinstance(conditions, str) else conditions
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(text, str) for text in listed):
        raise _wrong(key, conditions)
    return [_gate(key, about, text) for text in cast("Sequence[str]", listed)]


def _gate(key: str, about: Gate, text: str) -> Gate:
    found = _GATE.fullmatch(plain(text))
    if found is None or found["reference"] not in (None, *REFERENCES):
        raise _wrong(key, text)
    reference = "live" if found["test"] else found["reference"]
    if reference and (about.group or about.metric in ALONE):
        raise InputError(
            f"gates.{key}: cannot be compared with {reference}, of which it is not known; got {text!r}",
            parameter=f"gates.{key}",
            remedy='Give a number, like "<= 0.1".',
        )
    if found["test"]:
        return replace(about, operator=NOT_WORSE, reference="live")
    number = float(found["constant"] or found["offset"] or 0)
    if about.metric.partition(":")[0] in SHARES | {"rate_gap"} and number > 1:
        raise InputError(
            f"gates.{key}: must compare with a share from 0 to 1; got {text!r}",
            parameter=f"gates.{key}",
            remedy=f'Write 90 % as 0.90: "{found["operator"]} 0.90".',
        )
    return replace(
        about,
        operator=found["operator"],
        number=-number if found["sign"] == "-" else number,
        reference=cast('Literal["baseline", "live"] | None', reference),
        unit=_unit(key, about.metric, found["unit"] or "", text),
    )


def _unit(key: str, metric: str, unit: str, text: str) -> str:
    """The currency of a price; another figure has its unit in its name, which may be said once more."""
    if not unit or unit == _UNITS.get(metric):
        return ""
    if metric == "cost_per_million" and len(unit) == 3 and unit.isupper():
        return unit
    raise _wrong(key, text)


def _wrong(key: str, given: object) -> InputError:
    return InputError(
        f"gates.{key}: must be {', '.join(OPERATORS)} and a number, or {' or '.join(REFERENCES)} plus or minus a "
        f'number, or "not worse than live", as text, or a list of such texts; got {given!r}',
        parameter=f"gates.{key}",
        remedy='Write it like ">= 0.90", ">= baseline + 0.02" or ">= live - 0.01".',
    )
