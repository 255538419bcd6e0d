"""Make variants of a model for serving, measure each, and choose the cheapest that is as good."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from pydantic import ConfigDict, Field, field_validator

from modelmint.compression import compared, compared_chats, compared_searches, compared_texts
from modelmint.compression.bodies import BodyOptions
from modelmint.compression.compared import Answers, Rows, task_of
from modelmint.compression.compared_chats import ChatRows
from modelmint.compression.compared_searches import SearchRows
from modelmint.compression.compared_texts import TextRows
from modelmint.compression.frontier import FP32, Candidate, Wish, choose
from modelmint.compression.gates import TIMED, Gate, judge, parse
from modelmint.compression.measure import Speed, command_of, measure_speeds
from modelmint.compression.page import REASON, compression_page
from modelmint.compression.variants import (
    LEAST_CALIBRATION,
    Given,
    Workshop,
    default_forms,
    failures,
    fitting,
    split_name,
    told,
)
from modelmint.core.errors import InputError, ModelmintError, StageError
from modelmint.core.gates import readable, refusals
from modelmint.core.inputs import CHATS
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.evaluation.search_rows import EMBEDDING, RERANKING
from modelmint.serving.engines import MODEL_FILES

ENOUGH_ROWS = 200
TRAINED = "trained"
WEIGHTS = ("model.onnx*", MODEL_FILES["lightgbm"], MODEL_FILES["numpy"])
"""The files of a variant whose size is told."""


class CompressSpec(Spec):
    """Which variants to make, what one must reach to be served, and which of those to take."""

    model_config = ConfigDict(validate_by_name=True)

    try_: tuple[str, ...] | None = Field(alias="try", default=None, min_length=1)
    """What to make, each FORM or BODY/FORM. Not given: `onnx-fp32`, `onnx-int8`, `onnx-int8-mixed` and
    `onnx-int8-static`; of a model that writes chats or texts every `genai-` form; of a table the model as trained.

    Forms: `onnx-fp32` is the model as trained; `onnx-fp16` stores its weights in 16 bits; `onnx-int8` is a quarter of
    its size, and faster; `onnx-int8-mixed` keeps the layers in fp32 that 8 bits hurt most; `onnx-int8-static` scales by
    what training rows gave, so that texts share a batch, `onnx-int8-static-mixed` likewise; `openvino-fp32`, `openvino-bf16` and `openvino-int8` are run by
    OpenVINO (the extra `openvino`). Chats and texts are written by ONNX Runtime GenAI (the extra `generation`) from
    `genai-fp32`, `genai-int8`, `genai-int4-mixed` or `genai-int4`: weights in 32, 8 and 4 bits. Tables: `lightgbm-fp64`
    of boosted trees, `numpy-fp64` of a linear model, `onnx-fp32` or `onnx-int8` of a network. A body is a smaller
    model that learned from this one, as in `layers-3/onnx-int8`.
    """
    gates: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    """What a variant must be, like {size_mb: "<= 30", p99_ms: "<= 10"}: `accuracy_drop` against the trained model (of
    another task its main figure; "<= 0.005" where it is not named), `agreement` with it (">= 0.99" likewise), `size_mb`,
    `load_ms`, `p50_ms`, `p99_ms`, `throughput_per_s`, `cost_per_million`, `peak_mb`.
    """
    choose: Wish = "cheapest"
    """Which of those that pass: `cheapest` answers most texts a second, `fastest` one text soonest, or `smallest`."""
    calibration_rows: int = Field(default=200, ge=LEAST_CALIBRATION, le=5_000)
    """From how many training rows, chosen by the seed, static int8 learns its scales."""
    bodies: BodyOptions = Field(default_factory=BodyOptions)
    """How smaller bodies learn from the model."""
    max_rows: int = Field(default=5_000, ge=ENOUGH_ROWS)
    """How many validation rows, and how many test rows, to compare on; all of them where there are fewer. Of chats and
    texts to go on with at most 300.
    """
    timed_rows: int = Field(default=320, ge=1, le=10_000)
    """How many texts to time each variant on."""

    @field_validator("try_")
    @classmethod
    def _each_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is None:
            return None
        if len(set(names)) != len(names):
            raise ValueError(f"must name each variant once; got {', '.join(names)}")
        for name in names:
            try:
                split_name(name)
            except InputError as error:
                raise ValueError(str(error).removeprefix("try: ")) from error
        return names

    @field_validator("gates", mode="before")
    @classmethod
    def _readable(cls, gates: Any) -> Any:
        return readable(gates, parse)


@dataclass(frozen=True, kw_only=True)
class CompressInputs:
    """The model, rows to choose by and rows to report on; training rows to calibrate with and for bodies to learn from."""

    model: Model
    validation: Dataset
    test: Dataset
    train: Dataset | None = None
    unlabelled: Dataset | None = None


@dataclass(frozen=True, kw_only=True)
class CompressOutputs:
    variants: tuple[Model, ...]
    variant: Model
    compression: Report


def compress(spec: CompressSpec, inputs: CompressInputs, ctx: StageContext) -> CompressOutputs:
    """Make bodies, export, quantize, compare with the trained model, time, choose.

    The choice looks at the task's main figure on the validation rows and at agreement, which needs no labels, on the
    test rows, which parity replays; what is reported is of the test rows. A variant that cannot be made or run is named
    with its reason and is no candidate. Where no variant is good enough the report refuses.

    Raises:
        InputError: variants of such a model cannot be served.
        DataError: the test set is empty, or a row has no text or label.
        StageError: not one variant could be made.
    """
    task = task_of(inputs.model)
    names = fitting(spec.try_ or default_forms(inputs.model), inputs.model, task)
    rows = _Compared.read(spec, inputs, task, ctx.seed)
    trained = rows.ways.ask_trained(inputs.model, rows.sets, ctx)
    given = Given(
        validation=inputs.validation,
        train=inputs.train,
        unlabelled=inputs.unlabelled,
        body=spec.bodies,
        calibration_rows=spec.calibration_rows,
    )
    made, failed = _make(names, Workshop(inputs.model, ctx, given), rows, ctx)
    if not made:
        raise _none_made(failed)
    ctx.say(0, 0, "timing")
    folders = {TRAINED: inputs.model.files.folder(), **{one.name: one.folder for one in made}}
    commands = {name: command_of(folder, ctx.num_threads) for name, folder in folders.items()}
    speeds = measure_speeds(commands, rows.test.inputs[-spec.timed_rows :], check=ctx.check)
    tried = []
    for one in made:
        speed = speeds[one.name]
        if isinstance(speed, Speed):
            tried.append(_tried(one, speed, rows, trained, parse(spec.gates), ctx))
        else:
            failed[one.name] = told(speed)
    if not tried:
        raise _none_made(failed)
    return _outputs(spec, inputs, ctx, rows, trained, tried, failed, speeds[TRAINED])


def _none_made(failed: Mapping[str, str]) -> StageError:
    return StageError(
        f"try: no variant could be made: {'; '.join(f'{name}: {why}' for name, why in failed.items())}",
        parameter="try",
        remedy="Leave try out, or take onnx-fp32 into it, genai-fp32 of a model that writes: the model as trained.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    name: str
    folder: Path
    variant: Model
    answers: list[Answers]
    facts: JSON


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tried:
    made: _Made
    speed: Speed
    candidate: Candidate


def _make(
    names: Sequence[str], workshop: Workshop, rows: "_Compared", ctx: StageContext
) -> tuple[list[_Made], dict[str, str]]:
    """What could be made and asked, and why the rest could not."""
    made, failed = [], {}
    for name in names:
        try:
            folder = workshop.make(name)
            answers = rows.ways.ask_variant(name, folder, rows.sets, ctx)
        except failures() as error:
            ctx.check()  # a deadline that has passed fails the stage, not the variant
            failed[name] = told(error)
            ctx.say(0, 0, f"{name} failed: {failed[name]}")
            continue
        variant = workshop.lay_down(name, folder)
        made.append(_Made(name=name, folder=folder, variant=variant, answers=answers, facts=workshop.facts(name)))
    return made, failed


class _Ways(Protocol):
    def ask_trained(self, model: Model, rows: Sequence[Any], ctx: StageContext) -> list[Answers]: ...

    def ask_variant(self, name: str, folder: Path, rows: Sequence[Any], ctx: StageContext) -> list[Answers]: ...

    def agreement(self, trained: Answers, given: Answers) -> float: ...


AnyRows: TypeAlias = Rows | ChatRows | TextRows | SearchRows
_ROWS: Mapping[str, type[ChatRows | TextRows | SearchRows]] = {
    **dict.fromkeys(CHATS, ChatRows),
    "text-generation": TextRows,
    EMBEDDING: SearchRows,
    RERANKING: SearchRows,
}
"""What is compared, where it is not `Rows`."""
_WAYS: Mapping[str, _Ways] = {
    "chat": compared_chats,
    "text-generation": compared_texts,
    EMBEDDING: compared_searches,
    RERANKING: compared_searches,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Compared:
    """Validation rows, where there are enough to choose by, and test rows."""

    validation: AnyRows | None
    test: AnyRows

    @classmethod
    def read(cls, spec: CompressSpec, inputs: CompressInputs, task: str, seed: int) -> "_Compared":
        def rows(dataset: Dataset, role: str) -> AnyRows:
            kind = _ROWS.get(task)
            if kind is not None:
                return kind.read(dataset, inputs.model, role, limit=spec.max_rows, seed=seed)
            return Rows.read(dataset, task, role, limit=spec.max_rows, seed=seed, model=inputs.model)

        enough = inputs.validation.num_rows >= ENOUGH_ROWS
        test = rows(inputs.test, "test")
        return cls(validation=rows(inputs.validation, "validation") if enough else None, test=test)

    @property
    def ways(self) -> _Ways:
        """How models of the task are asked, and when two say the same."""
        return _WAYS.get(self.test.task, compared)

    @property
    def sets(self) -> list[Any]:
        """The rows to choose by first, the test rows last; the same where there is one set."""
        return [self.validation, self.test] if self.validation else [self.test]


def _tried(
    made: _Made, speed: Speed, rows: _Compared, trained: Sequence[Answers], gates: Sequence[Gate], ctx: StageContext
) -> _Tried:
    timed = speed.to_json(ctx.machine_hour)
    found = {
        "accuracy_drop": rows.sets[0].drop(trained[0], made.answers[0], seed=ctx.seed),
        "agreement": rows.ways.agreement(trained[-1], made.answers[-1]),
        "size_mb": sum(file.stat().st_size for kind in WEIGHTS for file in made.folder.glob(kind)) / 1e6,
        **{name: float(str(timed[name]).split()[0]) for name in TIMED},
    }
    candidate = Candidate(name=made.name, figures=found, verdicts=judge(gates, found))
    return _Tried(made=made, speed=speed, candidate=candidate)


def _outputs(
    spec: CompressSpec,
    inputs: CompressInputs,
    ctx: StageContext,
    rows: _Compared,
    trained: Sequence[Answers],
    tried: Sequence[_Tried],
    failed: dict[str, str],
    line: Speed | ModelmintError,
) -> CompressOutputs:
    chosen = choose([one.candidate for one in tried], spec.choose)
    worth = rows.test.figures(trained[-1], seed=ctx.seed)
    variants = [_fact(one, chosen, spec.choose, rows, ctx.seed) for one in tried]
    facts: JSON = {
        "task": rows.test.task,
        "metric": next(iter(worth)),
        "model": {"metrics": worth, "size_bytes": _size_bytes(inputs.model)},
        "variants": variants,
        "failed": [{"name": name, "reason": reason} for name, reason in failed.items()],
        "chosen": chosen.name if chosen else None,
        "choose": spec.choose,
        "gates": {gate.name: gate.allowed for gate in parse(spec.gates)},
        "chosen_by": "validation" if rows.validation else "test",
        "num_rows": {"validation": rows.validation.num_rows if rows.validation else 0, "test": rows.test.num_rows},
        "notes": _notes(rows, chosen),
        "refused": [] if chosen else [reason for one in tried for reason in one.candidate.failures],
    }
    measured = {
        "model": line.to_json(ctx.machine_hour) if isinstance(line, Speed) else None,
        "variants": {one.made.name: one.speed.to_json(ctx.machine_hour) for one in tried},
    }
    best = next((one for one in tried if one.candidate is chosen), tried[0])
    page = compression_page(facts, measured, name=inputs.model.name)
    return CompressOutputs(
        variants=tuple(one.made.variant for one in tried),
        variant=best.made.variant,
        compression=ctx.desk.report("compression", facts, measured=measured, renderings={"report.html": page}),
    )


def _fact(one: _Tried, chosen: Candidate | None, wish: Wish, rows: _Compared, seed: int) -> JSON:
    candidate = one.candidate
    is_chosen = candidate is chosen
    passed = f"passes, and {chosen.name} {REASON[wish]}" if chosen else ""
    return {
        "name": candidate.name,
        **one.made.facts,
        "size_bytes": round(candidate.figures["size_mb"] * 1e6),
        "metrics": rows.test.figures(one.made.answers[-1], seed=seed),
        "chosen": is_chosen,
        "agreement": round(candidate.figures["agreement"], 6),
        "accuracy_drop": round(candidate.figures["accuracy_drop"], 6),
        "failures": candidate.failures,
        "reason": f"chosen: {REASON[wish]}" if is_chosen else "; ".join(refusals(candidate.verdicts)) or passed,
    }


def _size_bytes(model: Model) -> int:
    """Of the weights alone."""
    own = (".safetensors", *WEIGHTS[1:])
    return sum(file["size_bytes"] for file in model.manifest["files"] if str(file["path"]).endswith(own))


def _notes(rows: _Compared, chosen: Candidate | None) -> list[str]:
    notes = []
    if not rows.validation:
        notes.append(f"fewer than {ENOUGH_ROWS} validation rows: the variant was chosen by the test rows")
    if chosen and chosen.name == FP32 and chosen.failures:
        notes.append("no variant passed; fp32 answers as the trained model does, so the rows are too few to tell")
    return notes
