"""What a parity report says: how far apart the two sides are, the gates on it, and the reasons to refuse."""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelmint.core.gates import Verdict, refusals
from modelmint.core.inputs import Input, shown
from modelmint.core.items import NUM_ITEMS
from modelmint.core.types import JSON
from modelmint.evaluation.gates import Gate, judge
from modelmint.evaluation.metrics.answers import best, exact
from modelmint.evaluation.proof.adversarial import TOO_LONG, Odd
from modelmint.evaluation.proof.exact import Exact
from modelmint.evaluation.proof.replay import Replay
from modelmint.evaluation.proof.sides import Apart, Side, alike
from modelmint.evaluation.rows import Rows
from modelmint.evaluation.search_rows import SearchRows

NUM_SHOWN = 20
SHOWN_CHARS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What the gates allow; `max_drift` is None where the candidate's form rounds."""

    agreement: float
    adversarial_agreement: float
    accuracy_drop: float
    mean_drift: float
    max_drift: float | None
    neighbour_drift: float
    enough_rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """The rows, then the odd texts, as both sides answered them."""

    rows: Rows | SearchRows
    odd: Sequence[Odd]
    trained: Side
    served: Side
    apart: Apart
    may_answer: Sequence[bool]
    """Whether a text is short enough for the API."""
    neighbours: Apart
    """The same texts (`neighbour_texts`) alone and in company, both of the endpoint."""
    neighbour_texts: Sequence[Input]
    failures: list[JSON]
    failed: Sequence[bool]
    how: JSON
    exact: Exact

    @property
    def of_rows(self) -> list[int]:
        return [at for at in range(len(self.rows.ids)) if self.may_answer[at]]

    @property
    def of_odd(self) -> list[int]:
        return [at for at in range(len(self.rows.ids), len(self.may_answer)) if self.may_answer[at]]


def facts_of(compared: Compared, limits: Limits) -> JSON:
    """The facts of the report; `refused` names differences first, since they are causes, then gates and failures."""
    rows, odd = compared.apart.part(compared.of_rows), compared.apart.part(compared.of_odd)
    accuracies = _accuracies(compared)
    figures = {
        "differences": float(len(compared.exact.differences)),
        "agreement": rows.agreement,
        "mean_drift": rows.mean_drift,
        "max_drift": max(rows.max_drift, odd.max_drift),
        "failed_rows": float(_num_failed(compared)),
        "neighbour_drift": compared.neighbours.max_drift,
        **({"accuracy_drop": accuracies["accuracy_drop"]} if accuracies else {}),
        **(
            {"adversarial_agreement": odd.agreement, "adversarial_mean_drift": odd.mean_drift}
            if compared.of_odd
            else {}
        ),
    }
    verdicts = judge(gates_of(limits, figures), {name: round(value, 6) for name, value in figures.items()})
    return {
        "num_rows": len(compared.rows.ids),
        "agreement": round(rows.agreement, 6),
        **{name: round(value, 6) for name, value in accuracies.items()},
        "drift": _drift(rows),
        "num_failed_rows": _num_failed(compared),
        "num_too_long_rows": len(compared.rows.ids) - len(compared.of_rows),
        "failures": compared.failures,
        "adversarial": _adversarial(compared, odd),
        "neighbours": {
            "num_texts": len(compared.neighbours.same_n),
            "max_drift": round(compared.neighbours.max_drift, 4),
        },
        "exact": _exact(compared),
        "gates": [rounded(verdict) for verdict in verdicts],
        "refused": _refused(compared, verdicts),
        "notes": _notes(compared, limits),
        "disagreements": _disagreements(compared, compared.of_rows),
    }


def measured_of(compared: Compared, served: Replay, seconds: float) -> JSON:
    """Times, and drift to its last digit: rounding in a batch depends on what else was in it."""
    p50, p95 = np.percentile(np.asarray(served.latencies_ms or [0.0]), [50, 95])
    rows, odd = compared.apart.part(compared.of_rows), compared.apart.part(compared.of_odd)
    return {
        "p50_ms": round(float(p50), 3),
        "p95_ms": round(float(p95), 3),
        "requests": served.num_requests,
        "requests_answered": len(served.latencies_ms),
        "seconds": round(seconds, 3),
        "rows_per_s": round(len(served.answers) / max(seconds, 1e-9), 1),
        "score_difference": {"max": round(rows.max_drift, 6), "mean": round(rows.mean_drift, 6)},
        "adversarial_difference": {"max": round(odd.max_drift, 6), "mean": round(odd.mean_drift, 6)},
        "drift": [round(float(drift), 6) for drift in np.sort(rows.drift_n[np.isfinite(rows.drift_n)])[::-1][:200]],
    }


def gates_of(limits: Limits, figures: JSON) -> list[Gate]:
    """The gates on those figures that there are."""
    given: dict[str, tuple[str, float | None]] = {
        "differences": ("<=", 0),
        "agreement": (">=", limits.agreement),
        "accuracy_drop": ("<=", limits.accuracy_drop),
        "mean_drift": ("<=", limits.mean_drift),
        "max_drift": ("<=", limits.max_drift),
        "adversarial_agreement": (">=", limits.adversarial_agreement),
        "adversarial_mean_drift": ("<=", limits.mean_drift),
        "neighbour_drift": ("<=", limits.neighbour_drift),
        "failed_rows": ("<=", 0),
    }
    return [
        Gate(metric=name, operator=operator, number=number)
        for name, (operator, number) in given.items()
        if number is not None and name in figures
    ]


def rounded(verdict: Verdict) -> JSON:
    """Drift as far as two runs agree on it."""
    value = verdict["value"]
    return {**verdict, "value": round(value, 4) if value is not None and "drift" in verdict["name"] else value}


def _refused(compared: Compared, verdicts: Sequence[Verdict]) -> list[str]:
    """Causes first: what differs exactly, then what the gates say, then why requests failed."""
    failed = [f"the endpoint failed on {each['num_rows']} rows: {each['reason']}" for each in compared.failures[:3]]
    gates = refusals([verdict for verdict in verdicts if verdict["name"] not in ("differences", "neighbour_drift")])
    return [*compared.exact.differences, *_in_company(compared, verdicts), *gates, *failed]


def _in_company(compared: Compared, verdicts: Sequence[Verdict]) -> list[str]:
    """What the gate on neighbours means, in words."""
    if not any(verdict["name"] == "neighbour_drift" and not verdict["passed"] for verdict in verdicts):
        return []
    drift_n = compared.neighbours.drift_n
    text = compared.neighbour_texts[int(np.nanargmax(drift_n))]
    apart = f"{compared.neighbours.max_drift:.3f} apart, which padding, its mask or a scale over the batch can do"
    return [
        f"an answer depends on what else is asked at the same time: alone and in company {shown(text, 60)!r} is {apart}"
    ]


def _num_failed(compared: Compared) -> int:
    return sum(int(each["num_rows"]) for each in compared.failures)


def _drift(part: Apart) -> JSON:
    return {"mean": round(part.mean_drift, 4), "max": round(part.max_drift, 3)}


def _accuracies(compared: Compared) -> dict[str, float]:
    """Of both sides, on the rows that may be answered; none of a number, which is right by degrees.

    Of searches their main figure: recall at 10, or NDCG at 10; of rankings NDCG at 10.
    """
    if compared.how["by"] == "identity" or not compared.of_rows:
        return {}
    if isinstance(compared.rows, SearchRows):
        return _found(compared, compared.rows)
    truth = compared.rows.truth
    right: Any = {"tags": alike, "span": _is_right, "ranking": _gain}.get(compared.how["by"], operator.eq)
    shares = [
        float(np.mean([right(side.names[at], truth[at]) for at in compared.of_rows]))
        for side in (compared.trained, compared.served)
    ]
    return {"accuracy_model": shares[0], "accuracy_served": shares[1], "accuracy_drop": shares[0] - shares[1]}


def _found(compared: Compared, rows: SearchRows) -> dict[str, float]:
    """The main figure of both sides; what has no answer is found nowhere."""
    name = "embedding" if compared.how["by"] == "vector" else "score"
    figures = []
    for side in (compared.trained, compared.served):
        known_nl = np.nan_to_num(side.scores_nl[: len(rows.ids)])
        answers = [{name: row if name == "embedding" else row[0]} for row in known_nl]
        figures.append(float(next(iter(rows.figures(answers, seed=0).values()))["value"]))
    return {"accuracy_model": figures[0], "accuracy_served": figures[1], "accuracy_drop": figures[0] - figures[1]}


def _is_right(name: str | None, several: Sequence[str]) -> float:
    return best(exact, name or "", several)


def _gain(names: Sequence[str] | None, item: str) -> float:
    first = list(names or ())[:NUM_ITEMS]
    return 1 / math.log2(first.index(item) + 2) if item in first else 0.0


def _adversarial(compared: Compared, odd: Apart) -> JSON:
    first = len(compared.rows.ids)
    kinds: dict[str, list[int]] = {}
    for at in compared.of_odd:
        kinds.setdefault(compared.odd[at - first].kind, []).append(at)
    told = []
    for kind, places in kinds.items():
        part = compared.apart.part(places)
        num_differing = int((~part.same_n).sum())
        told.append({"kind": kind, "num_texts": len(places), "num_differing": num_differing, **_drift(part)})
    refused = [at for at in range(first, len(compared.may_answer)) if not compared.may_answer[at]]
    return {
        "num_texts": len(compared.of_odd),
        "agreement": round(odd.agreement, 6),
        "drift": _drift(odd),
        "kinds": sorted(told, key=lambda one: (-one["num_differing"] / one["num_texts"], -one["mean"], one["kind"])),
        "num_refused_as_must": sum(not compared.failed[at] for at in refused),
        "refused_kind": TOO_LONG,
        "disagreements": _disagreements(compared, compared.of_odd),
    }


def _exact(compared: Compared) -> JSON:
    exact, first = compared.exact, len(compared.rows.ids)
    kinds: dict[str, int] = {}
    for at, one in enumerate(compared.odd):
        kinds[one.kind] = kinds.get(one.kind, 0) + exact.differing[first + at]
    return {
        "compared": exact.compared,
        "differences": exact.differences,
        "token_ids": {
            "num_rows_differing": sum(exact.differing[:first]),
            "kinds_differing": {kind: count for kind, count in kinds.items() if count},
            "examples": exact.examples,
        },
    }


def _disagreements(compared: Compared, places: Sequence[int]) -> list[JSON]:
    """Texts with another answer, those that moved most first."""
    first = len(compared.rows.ids)
    drift_n = np.nan_to_num(compared.apart.drift_n, nan=2.0)
    differing = sorted(
        (at for at in places if not compared.apart.same_n[at]), key=lambda at: (-round(float(drift_n[at]), 3), at)
    )
    found, asked = [], compared.rows.inputs
    for at in differing[:NUM_SHOWN]:
        is_row = at < first
        one: JSON = {"_row": compared.rows.ids[at], "text": shown(asked[at], SHOWN_CHARS), "label": compared.rows.truth[at]} if is_row else {
            "kind": compared.odd[at - first].kind, "text": shown(compared.odd[at - first].given, SHOWN_CHARS)}  # fmt: skip
        found.append(
            {**one, "trained": _plain(compared.trained.names[at]), "served": _plain(compared.served.names[at])}
        )
    return found


def _plain(name: Any) -> Any:
    return round(name, 4) if isinstance(name, float) else name


def _notes(compared: Compared, limits: Limits) -> list[str]:
    notes, num_rows = list(compared.exact.notes), len(compared.rows.ids)
    if num_rows < limits.enough_rows:
        notes.insert(
            0, f"fewer than {limits.enough_rows}: the test set has {num_rows} rows, and all of them were replayed"
        )
    if num_rows > len(compared.of_rows):
        notes.append(
            f"{num_rows - len(compared.of_rows)} rows the API does not take (too long, or a cell that nobody can read): it must refuse them, and they are compared no further"
        )
    if not compared.odd:
        notes.append("no odd inputs were replayed: adversarial_rows is 0")
    return notes
