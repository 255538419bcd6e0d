"""Every gate of an evaluation held: figures of all rows and of some, gaps, leaks, time, size and cost."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modelmint.core.errors import DataError
from modelmint.core.figures import METRICS
from modelmint.core.gates import Verdict
from modelmint.core.types import JSON
from modelmint.evaluation.answers import Answered, values
from modelmint.evaluation.comparison import paired
from modelmint.evaluation.gates import ALONE, GAPS, NOT_WORSE, Beside, Gate, Known, hold
from modelmint.evaluation.slicing.groups import rows_where
from modelmint.evaluation.speed import Speed
from modelmint.evaluation.sums import Mask


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What was measured, for gates to be held against."""

    found: Answered
    live: Answered | None
    cheap: Answered | None
    """The baseline's answers, where it gives one a row."""
    baseline: Mapping[str, float] | None
    gaps: Mapping[str, JSON]
    """Column -> its gaps (`fairness`)."""
    num_leaks: int
    size_mb: float
    speed: Speed | None
    machine_hour: str
    min_rows: int
    alpha: float


def verdicts(gates: Sequence[Gate], evidence: Evidence) -> list[Verdict]:
    """One a gate, in their order. What cannot be computed blocks, and says what there is."""
    figures: dict[str, float] = {}
    baseline: dict[str, float] = {}
    live: dict[str, float] = {}
    tests: dict[str, Beside] = {}
    why: dict[str, str] = {}
    for gate in gates:
        if gate.name in figures or gate.name in why:
            continue
        try:
            found = _measured(gate, evidence)
        except DataError as error:
            why[gate.name] = f"{error.message}{f' ({error.remedy})' if error.remedy else ''}"
            continue
        if isinstance(found, str):
            why[gate.name] = found
            continue
        figures[gate.name] = found
        if gate.metric in (*ALONE, *GAPS):
            continue
        rows = _rows(gate, evidence.found)
        for kept, other, whole in ((baseline, evidence.cheap, evidence.baseline), (live, evidence.live, None)):
            if (value := _of(gate, other, whole, rows)) is not None:
                kept[gate.name] = value
        asks = any(one.operator == NOT_WORSE and one.name == gate.name for one in gates)
        pair = paired(evidence.found, evidence.live, gate.metric, rows) if asks and evidence.live else None
        if pair is not None:
            tests[gate.name] = pair.beside(evidence.alpha)
    return hold(gates, Known(figures=figures, baseline=baseline, live=live, tests=tests, why=why))


def _measured(gate: Gate, evidence: Evidence) -> float | str:
    """The figure, or why there is none.

    Raises:
        DataError: the rows that it is about are not there.
    """
    if gate.metric in GAPS:
        return _gap(gate, evidence)
    if gate.metric in ALONE:
        return _alone(gate, evidence)
    found = evidence.found
    if gate.metric not in found.figures:
        return _no_such_figure(gate, found)
    if not gate.where:
        return float(found.figures[gate.metric]["value"])
    rows = rows_where(gate.where, found.truth, found.form, seed=found.seed)
    if int(rows.sum()) < evidence.min_rows:
        return f"only {int(rows.sum())} rows of the test set are such, fewer than min_slice_rows ({evidence.min_rows})"
    return found.value(gate.metric, rows)


def _no_such_figure(gate: Gate, found: Answered) -> str:
    names = list(found.figures)
    plain = gate.metric.partition(":")[0]
    if gate.metric == "micro_f1" or plain in METRICS:
        return f"{gate.metric} is no figure of this evaluation of {found.task}, which has {', '.join(names)}"
    return f"{gate.metric} could not be computed; there are {', '.join(names)}"


def _rows(gate: Gate, found: Answered) -> Mask | None:
    return rows_where(gate.where, found.truth, found.form, seed=found.seed) if gate.where else None


def _of(gate: Gate, other: Answered | None, whole: Mapping[str, float] | None, rows: Mask | None) -> float | None:
    """The same figure of a reference; None where it has none."""
    if rows is None:
        known = whole if whole is not None else values(other.figures) if other is not None else {}
        return known.get(gate.metric)
    if other is None:
        return None
    value = other.value(gate.metric, rows)
    return value if math.isfinite(value) else None


def _gap(gate: Gate, evidence: Evidence) -> float | str:
    gaps = evidence.gaps.get(gate.group)
    if gaps is None:
        there = ", ".join(evidence.gaps) or "none"
        return f"{gate.group} is no protected column of this evaluation; protected are: {there}"
    gap = gaps[gate.metric]
    if gap is None:
        if gate.metric == "rate_gap" and gaps["figure_gap"] is not None:
            return f"{evidence.found.task} gives no label a row, and so no rate of labels"
        small = ", ".join(f"{one['group']} ({one['n']:,})" for one in gaps["too_few"])
        return f"fewer than two groups of {gate.group} have {evidence.min_rows} rows{f'; too few: {small}' if small else ''}"  # fmt: skip
    return float(gap["value"])


def _alone(gate: Gate, evidence: Evidence) -> float | str:
    def cost() -> float | str:
        if evidence.speed is None:
            return "nothing was timed"
        value, currency = evidence.speed.cost_per_million(evidence.machine_hour)
        if gate.unit and gate.unit != currency:
            return f"this machine's price is in {currency}, not in {gate.unit}"
        return value

    ways: dict[str, Callable[[], float | str]] = {
        "leaks": lambda: float(evidence.num_leaks),
        "size_mb": lambda: evidence.size_mb,
        "p50_ms": lambda: evidence.speed.p50_ms if evidence.speed else "nothing was timed",
        "cost_per_million": cost,
    }
    return ways[gate.metric]()
