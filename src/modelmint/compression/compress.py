"""Make variants of a model for serving, measure each, and choose the cheapest that is as good."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field, field_validator

from modelmint.compression.frontier import FP32, Candidate, Limits, choose
from modelmint.compression.measure import Speed, measure_speed
from modelmint.compression.variants import VariantName, lay_down, make_variants
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.evaluation.metrics.classification import accuracy, measure
from modelmint.evaluation.predict import predict
from modelmint.evaluation.rows import Rows

ENOUGH_ROWS = 200


class CompressSpec(Spec):
    """Which variants to make, and how near to the trained model one must be to be served."""

    variants: tuple[VariantName, ...] = Field(default=("onnx-fp32", "onnx-int8", "onnx-int8-mixed"), min_length=1)
    """What to make: `onnx-fp32` is the model as trained; `onnx-int8` a quarter of its size, and faster;
    `onnx-int8-mixed` keeps the layers in fp32 that 8 bits hurt most, a third of the size and nearer to the model.
    """
    max_accuracy_drop: float = Field(default=0.005, ge=0, le=1)
    """By how much a variant's accuracy may be below that of the trained model."""
    min_agreement: float = Field(default=0.99, gt=0, le=1)
    """The least share of test rows on which a variant gives the same label as the trained model."""
    max_rows: int = Field(default=5_000, ge=ENOUGH_ROWS)
    """How many validation rows, and how many test rows, to compare on; all of them where there are fewer."""
    timed_rows: int = Field(default=320, ge=1, le=10_000)
    """How many texts to time each variant on."""

    @field_validator("variants")
    @classmethod
    def _each_once(cls, variants: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(variants)) != len(variants):
            raise ValueError(f"variants: must name each variant once; got {', '.join(variants)}")
        return variants


@dataclass(frozen=True, kw_only=True)
class CompressInputs:
    model: Model
    validation: Dataset
    test: Dataset


@dataclass(frozen=True, kw_only=True)
class CompressOutputs:
    variants: tuple[Model, ...]
    variant: Model
    compression: Report


def compress(spec: CompressSpec, inputs: CompressInputs, ctx: StageContext) -> CompressOutputs:
    """Export, quantize, compare with the trained model, time, choose.

    The choice looks at accuracy on the validation rows and at agreement, which needs no labels, on the test rows, which
    parity replays; what is reported is of the test rows. Where no variant is good enough the report refuses.

    Raises:
        DataError: the test set is empty, or a row has no text or label.
    """
    rows = _Compared.read(spec, inputs, ctx.seed)
    trained = predict(inputs.model, rows.texts, ctx, message="predicting with the trained model").predicted
    tried = []
    for name, folder in make_variants(spec.variants, inputs.model, ctx):
        variant = lay_down(name, folder, inputs.model, ctx)
        answers = predict(variant, rows.texts, ctx, message=f"predicting with {name}").predicted
        ctx.say(0, 0, f"timing {name}")
        speed = measure_speed(folder, rows.texts[-spec.timed_rows :], ctx.num_threads)
        tried.append(
            _Tried(
                variant=variant,
                answers=answers,
                speed=speed,
                candidate=rows.candidate(name, (folder / "model.onnx").stat().st_size, speed, trained, answers),
            )
        )
    limits = Limits(max_accuracy_drop=spec.max_accuracy_drop, min_agreement=spec.min_agreement)
    chosen = choose([one.candidate for one in tried], limits)
    measured = {"variants": {one.candidate.name: one.speed.to_json(ctx.machine_hour) for one in tried}}
    facts = _facts(rows, trained, tried, limits, chosen, seed=ctx.seed)
    best = next((one for one in tried if one.candidate is chosen), tried[0])
    return CompressOutputs(
        variants=tuple(one.variant for one in tried),
        variant=best.variant,
        compression=ctx.desk.report("compression", facts, measured=measured),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tried:
    variant: Model
    answers: Sequence[str]
    speed: Speed
    candidate: Candidate


@dataclass(frozen=True, kw_only=True, slots=True)
class _Compared:
    """Validation rows, where there are enough to choose by, then test rows."""

    validation: Rows | None
    test: Rows

    @classmethod
    def read(cls, spec: CompressSpec, inputs: CompressInputs, seed: int) -> "_Compared":
        enough = inputs.validation.num_rows >= ENOUGH_ROWS
        validation = Rows.read(inputs.validation, "validation").sample(spec.max_rows, seed=seed) if enough else None
        return cls(validation=validation, test=Rows.read(inputs.test, "test").sample(spec.max_rows, seed=seed))

    @property
    def num_validation(self) -> int:
        return len(self.validation.ids) if self.validation else 0

    @property
    def texts(self) -> list[str]:
        return [*(self.validation.texts if self.validation else ()), *self.test.texts]

    def of_choice(self, answers: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """The labels and the answers that accuracy is compared on."""
        if self.validation:
            return self.validation.labels, answers[: self.num_validation]
        return self.test.labels, answers

    def candidate(
        self, name: str, size_bytes: int, speed: Speed, trained: Sequence[str], answers: Sequence[str]
    ) -> Candidate:
        drop = accuracy(*self.of_choice(trained)) - accuracy(*self.of_choice(answers))
        at = self.num_validation
        num_differing = sum(one != other for one, other in zip(trained[at:], answers[at:], strict=True))
        return Candidate(
            name=name,
            size_bytes=size_bytes,
            texts_per_s=speed.throughput_per_s,
            accuracy_drop=drop,
            num_rows=len(trained) - at,
            num_differing=num_differing,
        )


def _facts(
    rows: _Compared,
    trained: Sequence[str],
    tried: Sequence[_Tried],
    limits: Limits,
    chosen: Candidate | None,
    *,
    seed: int,
) -> JSON:
    truth, at = rows.test.labels, rows.num_validation
    refused = [] if chosen else [reason for one in tried for reason in limits.failures(one.candidate)]
    return {
        "model": {"metrics": measure(truth, trained[at:], seed=seed)},
        "variants": [
            {
                "name": one.candidate.name,
                "size_bytes": one.candidate.size_bytes,
                "metrics": measure(truth, one.answers[at:], seed=seed),
                "chosen": one.candidate is chosen,
                "agreement": round(one.candidate.agreement, 6),
                "accuracy_drop": round(one.candidate.accuracy_drop, 6),
                "failures": limits.failures(one.candidate),
            }
            for one in tried
        ],
        "chosen": chosen.name if chosen else None,
        "limits": {"max_accuracy_drop": limits.max_accuracy_drop, "min_agreement": limits.min_agreement},
        "chosen_by": "validation" if rows.validation else "test",
        "num_rows": {"validation": rows.num_validation, "test": len(rows.test.ids)},
        "notes": _notes(rows, limits, chosen),
        "refused": refused,
    }


def _notes(rows: _Compared, limits: Limits, chosen: Candidate | None) -> list[str]:
    notes = []
    if not rows.validation:
        notes.append(f"fewer than {ENOUGH_ROWS} validation rows: the variant was chosen by the test rows")
    if chosen and chosen.name == FP32 and limits.failures(chosen):
        notes.append("no variant passed; fp32 answers as the trained model does, so the rows are too few to tell")
    return notes
