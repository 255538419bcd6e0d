"""Figures with intervals on the test set, by slices, beside the cheap baseline and the live model, and gates that block."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from modelmint.core.gates import readable, refusals
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.evaluation.answers import CLASSIFICATION, Answered, answered, values
from modelmint.evaluation.baselines.beside import Beside, beside
from modelmint.evaluation.baselines.cheap import Asked
from modelmint.evaluation.baselines.choices import Choice
from modelmint.evaluation.comparison import beside_live, live_gates
from modelmint.evaluation.gates import Gate, parse
from modelmint.evaluation.leaks import leaks
from modelmint.evaluation.metrics.classification import calibration, confusions, heat, per_class
from modelmint.evaluation.metrics.labels import per_label
from modelmint.evaluation.pages.page import evaluation_page, pictures
from modelmint.evaluation.slicing.fairness import fairness
from modelmint.evaluation.slicing.slices import sliced
from modelmint.evaluation.speed import Speed, measure_speed, size_mb
from modelmint.evaluation.verdicts import Evidence, verdicts

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

    gates: dict[str, str | int | tuple[str, ...]] = Field(default_factory=dict)
    """What a figure of the task must be, like {accuracy: [">= 0.90", ">= baseline + 0.02"]}, {f1: ">= 0.85"} for entities
    or {bleu: ">= 25"}; of some rows, {"accuracy[lang=zh]": ">= live - 0.01"}; and calibration (ece),
    "fairness_gap[gender]", leaks, p50_ms, size_mb and cost_per_million.

    A condition is >=, >, <= or < and a number; or `baseline` or `live`, plus or minus a number; or `not worse than live`,
    which a paired test at `alpha` decides. What cannot be computed refuses the model.
    """
    slices: tuple[str, ...] | None = None
    """Columns by whose values the rows are looked at apart (numbers by quarters), and `cluster`, what texts are about;
    `length`, `language` and `label` are looked at unasked. [] for none.
    """
    protected: tuple[str, ...] = ()
    """Columns of groups of people: slices too, and the gaps between their groups are measured."""
    min_slice_rows: int = Field(default=30, ge=2)
    """A slice or group with fewer test rows is named and not judged."""
    baseline: Choice = "auto"
    """The cheap way that the model is compared with; `auto` takes the task's own."""
    live_tolerance: float = Field(default=0.01, ge=0, le=1)
    """Where a live model is given and no gate names it: by how much the main figure may be worse than that of the live
    model; in points for a share, else as a share of it.
    """
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """The level at which a difference is significant: from the live model, and, after Holm, of slices from the rest."""

    @field_validator("gates", mode="before")
    @classmethod
    def _readable(cls, gates: Any) -> Any:
        return readable(gates, parse)

    @model_validator(mode="after")
    def _references_are_there(self) -> Self:
        gates = parse(self.gates)
        if self.baseline == "none" and any(gate.reference == "baseline" for gate in gates):
            raise ValueError('baseline: must be "auto" or the name of one, since a gate compares with it; got "none"')
        lacking = next((gate for gate in gates if gate.group and gate.group not in self.protected), None)
        if lacking is not None:
            raise ValueError(
                f"protected: must name {lacking.group}, since gates.{lacking.name} is of its groups; got {list(self.protected)}"
            )
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
    """Run the model over the test set, measure, look at slices, compare, and hold the gates.

    Raises:
        DataError: the test set is empty, is for another task, a row has no text or label, or a slice's column is not there.
        InputError: the live model is for another task, or the task has no such baseline.
    """
    gates = parse(spec.gates)
    found = answered(inputs.model, inputs.test, ctx)
    live = answered(inputs.live, inputs.test, ctx, message="asking the live model") if inputs.live else None
    asked = Asked(model=inputs.model, train=inputs.train, test=inputs.test, found=found, ctx=ctx)
    cheap = beside(spec.baseline, asked)
    speed = measure_speed(inputs.model, inputs.test, ctx) if _times(gates) else None
    judged = _Judged(spec=spec, inputs=inputs, found=found, live=live, cheap=cheap, speed=speed, ctx=ctx)
    facts, took = _facts(judged, gates), _took(judged)
    page = evaluation_page(facts, took, name=inputs.test.name, media=pictures(inputs.test, facts["errors"]))
    return EvaluateOutputs(
        evaluation=ctx.desk.report("evaluation", facts, measured=took, renderings={"report.html": page}),
        predictions=ctx.desk.dataset("predictions", _table(judged)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    spec: EvaluateSpec
    inputs: EvaluateInputs
    found: Answered
    live: Answered | None
    cheap: Beside
    speed: Speed | None
    ctx: StageContext


def _facts(judged: _Judged, gates: tuple[Gate, ...]) -> JSON:
    spec, found, live = judged.spec, judged.found, judged.live
    judged.ctx.say(0, 0, "looking at slices")
    slices = sliced(found, spec.slices, spec.protected, min_rows=spec.min_slice_rows, alpha=spec.alpha)
    gaps = fairness(found, spec.protected, min_rows=spec.min_slice_rows)
    leaked = leaks(judged.inputs.train, judged.inputs.test)
    held = verdicts(gates, _evidence(judged, gaps, leaked["num_rows"]))
    beside_it = None
    if live is not None and judged.inputs.live is not None:
        beside_it = beside_live(found, live, judged.inputs.live.name, alpha=spec.alpha)
        if not any(gate.reference == "live" for gate in gates):
            held += live_gates(found, live, slices, tolerance=spec.live_tolerance, alpha=spec.alpha)
    return {
        "task": found.task,
        "num_rows": len(found.answers),
        "figure": found.main,
        "metrics": found.figures,
        "baseline": judged.cheap.facts,
        "live": beside_it,
        "slices": slices,
        "fairness": gaps,
        "leaks": leaked,
        **_labels(found),
        **({} if found.labels else {"shown": found.shown(), "errors": []}),
        "gates": [dict(verdict) for verdict in held],
        "refused": refusals(held),
        "warnings": _warnings(judged, leaked),
    }


def _evidence(judged: _Judged, gaps: dict[str, JSON], num_leaks: int) -> Evidence:
    cheap = judged.cheap.answered
    return Evidence(
        found=judged.found,
        live=judged.live,
        cheap=cheap,
        baseline=values(cheap.figures) if cheap is not None else None,
        gaps=gaps,
        num_leaks=num_leaks,
        size_mb=size_mb(judged.inputs.model),
        speed=judged.speed,
        machine_hour=judged.ctx.machine_hour,
        min_rows=judged.spec.min_slice_rows,
        alpha=judged.spec.alpha,
    )


def _labels(found: Answered) -> JSON:
    """What there is to say of labels one by one."""
    if found.form.predicts == "classes" and "micro_f1" in found.figures:
        return {"per_class": per_label(found.truth["labels"], [answer["labels"] for answer in found.answers])}
    if found.labels is None:
        return {}
    truth, told = found.labels
    about: JSON = {
        "per_class": per_class(truth, told),
        "confusions": confusions(truth, told),
        "heat": heat(truth, told),
        "errors": _errors(found),
    }
    if found.chances is not None:
        about["calibration"] = calibration(truth, found.chances.labels, found.chances.probabilities)
    return about


def _errors(found: Answered) -> list[JSON]:
    """The wrong answers that the model was surest of: often a wrong label in the test set, or labels that overlap."""
    truth, told = found.labels or ([], [])
    scores, ids = [float(answer.get("score", 0.0)) for answer in found.answers], found.truth["_row"]
    wrong = [at for at, label in enumerate(truth) if label != told[at]]
    worst = sorted(wrong, key=lambda at: (-scores[at], ids[at]))[:NUM_ERRORS]
    said = found.said(worst)
    return [
        {"_row": ids[at], "text": text[:SHOWN_CHARS], "label": truth[at], "predicted": told[at], "score": round(scores[at], 6)}
        for at, text in zip(worst, said, strict=True)
    ]  # fmt: skip


def _warnings(judged: _Judged, leaked: JSON) -> list[JSON]:
    """What a person should know although no gate asks for it."""
    warned: list[JSON] = []
    found = judged.found
    num_rows = len(found.answers)
    if num_rows < FEW_ROWS:
        message = f"the test set has {num_rows} rows, fewer than {FEW_ROWS}: the intervals are wide"
        warned.append({"name": "few_rows", "message": message})
    if leaked["num_rows"]:
        message = f"{leaked['num_rows']:,} test rows are training rows too, which flatters the figures; a gate leaks: 0 would refuse"  # fmt: skip
        warned.append({"name": "leaks", "message": message})
    known = set(found.chances.labels) if found.chances is not None else None
    strange = Counter(label for label in found.labels[0] if label not in known) if known and found.labels else Counter()
    if strange:
        message = (
            f"{strange.total()} test rows have labels that the model cannot give, and count as wrong: "
            f"{', '.join(sorted(strange)[:10])}"
        )
        warned.append({"name": "unknown_labels", "message": message})
    return warned + judged.cheap.warnings


def _took(judged: _Judged) -> JSON:
    found = judged.found
    rate = round(len(found.answers) / max(found.seconds, 1e-9), 1)
    took: JSON = {"seconds": round(found.seconds, 3), "examples_per_s": rate}
    if judged.cheap.measured is not None:
        took["baseline"] = judged.cheap.measured
    if judged.speed is not None:
        took |= {"p50_ms": round(judged.speed.p50_ms, 3), "rows_per_s": round(judged.speed.rows_per_s, 1)}
    return took


def _times(gates: tuple[Gate, ...]) -> bool:
    return any(gate.metric in ("p50_ms", "cost_per_million") for gate in gates)


def _table(judged: _Judged) -> pa.Table:
    found = judged.found
    if found.task != CLASSIFICATION or found.labels is None:
        return found.table()
    truth, told = found.labels
    correct = [one == other for one, other in zip(truth, told, strict=True)]
    beside_it = judged.cheap.answered
    cheap = [str(one["label"]) for one in beside_it.answers] if beside_it is not None else [None] * len(correct)
    scores = [float(answer["score"]) for answer in found.answers]
    return pa.table([found.truth["_row"], truth, told, scores, correct, cheap], schema=PREDICTIONS)
