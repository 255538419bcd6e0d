"""Is what is served what was trained? Test rows go through the real endpoint and meet the trained model's answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from modelmint.core.clock import monotonic_s
from modelmint.core.gates import Verdict, refusals
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.evaluation.gates import Gate, judge
from modelmint.evaluation.metrics.classification import accuracy
from modelmint.evaluation.predict import Predictions, predict
from modelmint.evaluation.replay import Replay, replay
from modelmint.evaluation.rows import Rows

ENOUGH_ROWS = 200
NUM_SHOWN = 20
SHOWN_CHARS = 200


class ParitySpec(Spec):
    """How closely the served variant must answer like the trained model."""

    num_rows: int = Field(default=5_000, ge=ENOUGH_ROWS)
    """How many rows of the test set to replay; all of them where it has fewer."""
    min_agreement: float = Field(default=0.99, gt=0, le=1)
    """The least share of rows on which the endpoint and the trained model give the same label."""
    max_accuracy_drop: float = Field(default=0.005, ge=0, le=1)
    """By how much the endpoint's accuracy may be below that of the trained model."""
    concurrency: int = Field(default=4, ge=1, le=32)
    """Requests under way at a time, so that the server's batching is part of what is checked."""
    request_timeout_s: float = Field(default=30.0, gt=0, le=600)
    """How long one request may take; one that takes longer counts as an answer that is missing."""


@dataclass(frozen=True, kw_only=True)
class ParityInputs:
    model: Model
    variant: Model
    test: Dataset


@dataclass(frozen=True, kw_only=True)
class ParityOutputs:
    parity: Report


def parity(spec: ParitySpec, inputs: ParityInputs, ctx: StageContext) -> ParityOutputs:
    """Replay test rows through the real endpoint; refuse where it answers otherwise than the trained model.

    A request that fails, or an answer that is missing or malformed, counts as a disagreement and as wrong, and refuses.

    Raises:
        DataError: the test set is empty, or a row has no text or label.
    """
    rows = Rows.read(inputs.test, "test").sample(spec.num_rows, seed=ctx.seed)
    trained = predict(inputs.model, rows.texts, ctx, message="predicting with the trained model")
    with ctx.serve(inputs.variant) as endpoint:
        started_s = monotonic_s()
        served = replay(
            endpoint,
            rows.texts,
            concurrency=spec.concurrency,
            timeout_s=spec.request_timeout_s,
            seed=ctx.seed,
            say=lambda done: ctx.say(done, len(rows.texts), "replaying through the endpoint"),
        )
        seconds = monotonic_s() - started_s
    facts, measured = _facts(spec, rows, trained, served), _measured(trained, served, seconds)
    return ParityOutputs(parity=ctx.desk.report("parity", facts, measured=measured))


def _facts(spec: ParitySpec, rows: Rows, trained: Predictions, served: Replay) -> JSON:
    labels, num_rows = _labels(served), len(rows.ids)
    agreement = accuracy(trained.predicted, labels)
    accuracy_model, accuracy_served = accuracy(rows.labels, trained.predicted), accuracy(rows.labels, labels)
    num_failed = sum(answer is None for answer in served.answers)
    verdicts = judge(
        _gates(spec),
        {"agreement": agreement, "accuracy_drop": accuracy_model - accuracy_served, "failed_rows": float(num_failed)},
    )
    return {
        "num_rows": num_rows,
        "agreement": round(agreement, 6),
        "accuracy_model": round(accuracy_model, 6),
        "accuracy_served": round(accuracy_served, 6),
        "accuracy_drop": round(accuracy_model - accuracy_served, 6),
        "num_failed_rows": num_failed,
        "failures": served.failures,
        "gates": [dict(verdict) for verdict in verdicts],
        "refused": _refused(verdicts, served.failures),
        "notes": _notes(num_rows),
        "disagreements": _disagreements(rows, trained, served),
    }


def _labels(served: Replay) -> list[str | None]:
    return [None if answer is None else answer.label for answer in served.answers]


def _disagreements(rows: Rows, trained: Predictions, served: Replay) -> list[JSON]:
    pairs = list(zip(trained.predicted, _labels(served), strict=True))
    differing = [at for at, (one, other) in enumerate(pairs) if one != other][:NUM_SHOWN]
    return [
        {
            "_row": rows.ids[at],
            "text": rows.texts[at][:SHOWN_CHARS],
            "label": rows.labels[at],
            "trained": pairs[at][0],
            "served": pairs[at][1],
        }
        for at in differing
    ]


def _gates(spec: ParitySpec) -> list[Gate]:
    return [
        Gate(metric="agreement", operator=">=", number=spec.min_agreement),
        Gate(metric="accuracy_drop", operator="<=", number=spec.max_accuracy_drop),
        Gate(metric="failed_rows", operator="<=", number=0),
    ]


def _refused(verdicts: Sequence[Verdict], failures: Sequence[JSON]) -> list[str]:
    failed = [f"the endpoint failed on {failure['num_rows']} rows: {failure['reason']}" for failure in failures[:3]]
    return refusals(verdicts) + failed


def _notes(num_rows: int) -> list[str]:
    if num_rows >= ENOUGH_ROWS:
        return []
    return [f"fewer than {ENOUGH_ROWS}: the test set has {num_rows} rows, and all of them were replayed"]


def _measured(trained: Predictions, served: Replay, seconds: float) -> JSON:
    """The difference of scores is measured, not a fact: rounding in a batch depends on what else was in it."""
    latencies = np.asarray(served.latencies_ms or [0.0])
    p50, p95 = np.percentile(latencies, [50, 95])
    differences = _differences(trained, served)
    return {
        "p50_ms": round(float(p50), 3),
        "p95_ms": round(float(p95), 3),
        "requests": served.num_requests,
        "requests_answered": len(served.latencies_ms),
        "seconds": round(seconds, 3),
        "rows_per_s": round(len(served.answers) / max(seconds, 1e-9), 1),
        "score_difference": {
            "max": round(float(differences.max(initial=0.0)), 6),
            "mean": round(float(differences.mean()), 6) if len(differences) else 0.0,
        },
    }


def _differences(trained: Predictions, served: Replay) -> npt.NDArray[np.float64]:
    """For each answer the distance of its score from what the trained model gives that same label."""
    column = {label: at for at, label in enumerate(trained.labels)}
    return np.asarray(
        [
            abs(answer.score - float(trained.probabilities[row, column[answer.label]]))
            if answer.label in column
            else 1.0
            for row, answer in enumerate(served.answers)
            if answer is not None
        ]
    )
