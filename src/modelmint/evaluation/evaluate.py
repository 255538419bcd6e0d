"""Figures with intervals on the test set, beside the cheap baseline and the live model, and gates that block."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Self

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from modelmint.core.clock import monotonic_s
from modelmint.core.gates import Verdict, readable, refusals
from modelmint.core.money import Money, money
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.evaluation.answers import answered, beside_live, facts_of, values
from modelmint.evaluation.baseline import Baseline, baseline
from modelmint.evaluation.comparison import Comparison, against_live, live_gates
from modelmint.evaluation.gates import judge, parse
from modelmint.evaluation.metrics.classification import calibration, compare, confusions, measure, per_class
from modelmint.evaluation.predict import Predictions, predict
from modelmint.evaluation.rows import Rows

CLASSIFICATION = "text-classification"
NUM_ERRORS = 20
SHOWN_CHARS = 200
FEW_ROWS = 200
PREDICTIONS = pa.schema(
    [
        ("_row", pa.string()),
        ("label", pa.string()),
        ("predicted", pa.string()),
        ("score", pa.float64()),
        ("correct", pa.bool_()),
        ("baseline", pa.string()),
    ]
)


class EvaluateSpec(Spec):
    """How a model is judged on the test set, and what it must reach to go on."""

    gates: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    """What a figure of the task must be, like {accuracy: [">= 0.90", ">= baseline + 0.02"]}, {f1: ">= 0.85"} for entities
    or {bleu: ">= 25"}; a figure that the task does not have refuses the model.

    A condition is >=, >, <= or < and a number; or `baseline` or `live`, plus or minus a number.
    """
    baseline: Literal["tfidf", "majority", "none"] = "tfidf"
    """The cheap way that the model is compared with."""
    live_tolerance: float = Field(default=0.01, ge=0, le=1)
    """Where a live model is given and no gate names it: by how much accuracy may be below that of the live model."""
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Where a live model is given and no gate names it: the level at which being worse than it is significant."""

    @field_validator("gates", mode="before")
    @classmethod
    def _readable(cls, gates: Any) -> Any:
        return readable(gates, parse)

    @model_validator(mode="after")
    def _baseline_is_there(self) -> Self:
        if self.baseline == "none" and any(gate.reference == "baseline" for gate in parse(self.gates)):
            raise ValueError('baseline: must be "tfidf" or "majority", since a gate compares with it; got "none"')
        return self


@dataclass(frozen=True, kw_only=True)
class EvaluateInputs:
    """The model, what its baseline learns from, and what neither has seen."""

    model: Model
    train: Dataset
    test: Dataset
    live: Model | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluateOutputs:
    evaluation: Report
    predictions: Dataset


def evaluate(spec: EvaluateSpec, inputs: EvaluateInputs, ctx: StageContext) -> EvaluateOutputs:
    """Run the model over the test set, measure, compare, and hold the gates.

    Raises:
        DataError: the test set is empty, is for another task, or a row has no text or label.
    """
    if inputs.model.facts.get("task", CLASSIFICATION) != CLASSIFICATION:
        return _evaluate_answers(spec, inputs, ctx)
    rows = Rows.read(inputs.test, "test")
    started_s = monotonic_s()
    answers = predict(inputs.model, rows.texts, ctx, message="predicting the test set")
    seconds = monotonic_s() - started_s
    cheap, cheap_seconds = _baseline(spec, inputs.train, rows, ctx)
    live = _live(inputs.live, rows, answers, ctx)
    measured: JSON = {"seconds": round(seconds, 3), "examples_per_s": round(len(rows.texts) / max(seconds, 1e-9), 1)}
    if cheap is not None:
        measured["baseline"] = {"seconds": round(cheap_seconds, 3), "cost": _cost(cheap_seconds, ctx.machine_hour)}
    judged = _Judged(rows=rows, answers=answers, cheap=cheap, live=live)
    return EvaluateOutputs(
        evaluation=ctx.desk.report("evaluation", _facts(spec, judged, ctx.seed), measured=measured),
        predictions=ctx.desk.dataset("predictions", _table(judged)),
    )


def _evaluate_answers(spec: EvaluateSpec, inputs: EvaluateInputs, ctx: StageContext) -> EvaluateOutputs:
    """Any other task. No cheap baseline is known for it here: a gate that compares with one is blocked."""
    found = answered(inputs.model, inputs.test, ctx)
    live = answered(inputs.live, inputs.test, ctx, message="asking the live model") if inputs.live else None
    gates, figures = parse(spec.gates), values(found.figures)
    verdicts = judge(gates, figures, live=values(live.figures) if live else None)
    if live is not None and not any(gate.reference == "live" for gate in gates):
        verdicts += beside_live(found, live, tolerance=spec.live_tolerance)
    facts = facts_of(found, live, inputs.live.name if inputs.live else None)
    facts |= {
        "gates": [dict(verdict) for verdict in verdicts],
        "refused": refusals(verdicts),
        "warnings": _few(inputs.test),
    }
    rate = round(len(found.answers) / max(found.seconds, 1e-9), 1)
    measured: JSON = {"seconds": round(found.seconds, 3), "examples_per_s": rate}
    return EvaluateOutputs(
        evaluation=ctx.desk.report("evaluation", facts, measured=measured),
        predictions=ctx.desk.dataset("predictions", found.table()),
    )


def _few(test: Dataset) -> list[JSON]:
    if test.num_rows >= FEW_ROWS:
        return []
    message = f"the test set has {test.num_rows} rows, fewer than {FEW_ROWS}: the intervals are wide"
    return [{"name": "few_rows", "message": message}]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    rows: Rows
    answers: Predictions
    cheap: Baseline | None
    live: Comparison | None


def _facts(spec: EvaluateSpec, judged: _Judged, seed: int) -> JSON:
    truth, answers = judged.rows.labels, judged.answers
    metrics = measure(truth, answers.predicted, seed=seed)
    sureness = calibration(truth, answers.labels, answers.probabilities)
    beside = _beside(judged, judged.cheap, seed) if judged.cheap is not None else None
    figures = _values(metrics) | {"log_loss": sureness["log_loss"], "ece": sureness["ece"]}
    verdicts = _verdicts(spec, figures, beside, judged.live)
    return {
        "num_rows": len(truth),
        "metrics": metrics,
        "baseline": beside,
        "live": judged.live.to_json(spec.alpha) if judged.live is not None else None,
        "per_class": per_class(truth, answers.predicted),
        "confusions": confusions(truth, answers.predicted),
        "calibration": sureness,
        "errors": _errors(judged.rows, answers),
        "gates": [dict(verdict) for verdict in verdicts],
        "refused": refusals(verdicts),
        "warnings": _warnings(judged, beside),
    }


def _verdicts(
    spec: EvaluateSpec, figures: Mapping[str, float], beside: JSON | None, live: Comparison | None
) -> list[Verdict]:
    gates = parse(spec.gates)
    verdicts = judge(
        gates,
        figures,
        baseline=_values(beside["metrics"]) if beside is not None else None,
        live=_values(live.metrics) if live is not None else None,
    )
    if live is None or any(gate.reference == "live" for gate in gates):
        return verdicts
    return verdicts + live_gates(live, tolerance=spec.live_tolerance, alpha=spec.alpha)


def _beside(judged: _Judged, cheap: Baseline, seed: int) -> JSON:
    truth = judged.rows.labels
    return {
        "name": cheap.name,
        "num_rows": cheap.num_rows,
        "metrics": measure(truth, cheap.predicted, seed=seed),
        "difference": compare(truth, judged.answers.predicted, cheap.predicted, seed=seed),
    }


def _warnings(judged: _Judged, beside: JSON | None) -> list[JSON]:
    """What a person should know although no gate asks for it."""
    found, truth, known = [], judged.rows.labels, set(judged.answers.labels)
    if len(truth) < FEW_ROWS:
        message = f"the test set has {len(truth)} rows, fewer than {FEW_ROWS}: the intervals are wide"
        found.append({"name": "few_rows", "message": message})
    strange = Counter(label for label in truth if label not in known)
    if strange:
        message = (
            f"{strange.total()} test rows have labels that the model cannot give, and count as wrong: "
            f"{', '.join(sorted(strange)[:10])}"
        )
        found.append({"name": "unknown_labels", "message": message})
    if beside is not None and beside["difference"]["accuracy"]["low"] <= 0:
        message = f"the model is not clearly better than the cheap way ({beside['name']}), which may do"
        found.append({"name": "baseline_not_beaten", "message": message})
    return found


def _errors(rows: Rows, answers: Predictions) -> list[JSON]:
    """The wrong answers that the model was surest of: often a wrong label in the test set, or labels that overlap."""
    predicted, scores = answers.predicted, answers.scores
    wrong = [at for at, label in enumerate(rows.labels) if label != predicted[at]]
    worst = sorted(wrong, key=lambda at: (-scores[at], rows.ids[at]))[:NUM_ERRORS]
    return [
        {
            "_row": rows.ids[at],
            "text": rows.texts[at][:SHOWN_CHARS],
            "label": rows.labels[at],
            "predicted": predicted[at],
            "score": scores[at],
        }
        for at in worst
    ]


def _baseline(spec: EvaluateSpec, train: Dataset, rows: Rows, ctx: StageContext) -> tuple[Baseline | None, float]:
    if spec.baseline == "none":
        return None, 0.0
    ctx.say(0, 0, "fitting the cheap baseline")
    learned = Rows.read(train, "train")
    started_s = monotonic_s()
    cheap = baseline(spec.baseline, learned.texts, learned.labels, rows.texts, seed=ctx.seed)
    return cheap, monotonic_s() - started_s


def _live(live: Model | None, rows: Rows, answers: Predictions, ctx: StageContext) -> Comparison | None:
    if live is None:
        return None
    others = predict(live, rows.texts, ctx, message="predicting with the live model")
    return against_live(rows.labels, answers.predicted, live.name, others, seed=ctx.seed)


def _table(judged: _Judged) -> pa.Table:
    rows, predicted = judged.rows, judged.answers.predicted
    correct = [one == other for one, other in zip(rows.labels, predicted, strict=True)]
    cheap = judged.cheap.predicted if judged.cheap is not None else [None] * len(correct)
    return pa.table([rows.ids, rows.labels, predicted, judged.answers.scores, correct, cheap], schema=PREDICTIONS)


def _values(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    return {name: float(figure["value"]) for name, figure in metrics.items()}


def _cost(seconds: float, machine_hour: str) -> str:
    hour = money(machine_hour)
    amount = hour.amount * Decimal(str(round(seconds, 3))) / 3600
    return str(Money(amount=amount.quantize(Decimal("0.000001")), currency=hour.currency))
