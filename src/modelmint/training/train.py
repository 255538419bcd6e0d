"""Train a model of the rows: from a base, from an earlier model, or from nothing."""

import json
import math
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import InputError, StageError
from modelmint.core.money import machine_cost
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.training.bases import has_starter, resolve
from modelmint.training.beginnings import NOTHING, Beginning
from modelmint.training.knobs import Knobs
from modelmint.training.page import training_page
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks import Task, task_of

if TYPE_CHECKING:
    from modelmint.training.learner import Learner
    from modelmint.training.loop import Fitted
    from modelmint.training.run import Job


@dataclass(frozen=True, kw_only=True)
class TrainInputs:
    train: Dataset
    validation: Dataset
    start: Model | None = None


@dataclass(frozen=True, kw_only=True)
class TrainOutputs:
    model: Model
    training: Report


def train(spec: TrainSpec, inputs: TrainInputs, ctx: StageContext) -> TrainOutputs:
    """Train on the training rows; the validation rows choose the best epoch and stop early.

    Training rows with a column `_weight` count by it in the loss; the validation score never does.

    With `start` its weights are gone on from, and labels that it knows keep what was learned of them.

    Raises:
        DataError: the rows are of a form that no task learns from, or the task cannot learn from them.
        InputError: a parameter does not fit the task, or the base cannot be had.
        StageError: the loss is no finite number, or memory ran out.
    """
    began_s = monotonic_s()
    task = task_of(spec, inputs.train)
    task_of(spec, inputs.validation, "validation")
    spec = task.begun(spec)
    import torch

    torch.set_num_threads(ctx.num_threads)
    ctx.say(0, 0, "reading rows and base")
    beginning = Beginning.of(spec, inputs.start)
    job = new_job(task, spec, inputs, beginning, ctx.seed, kept=ctx.checkpoints / "kept")
    fitted = _fit(job, ctx)
    folder = ctx.scratch / "model"
    folder.mkdir()
    job.learner.save(fitted.model, folder)
    about = _about(task, job.learner, beginning)
    (folder / "modelmint.json").write_text(
        json.dumps({**about, "licence": beginning.licence}, indent=2, ensure_ascii=False), encoding="utf-8"
    )
    measured = _measured(fitted, monotonic_s() - began_s, ctx.machine_hour)
    licences = [beginning.licence] if beginning.licence else []
    history = _history(job, fitted)
    page = training_page(history, measured, name=inputs.train.name)
    return TrainOutputs(
        model=ctx.desk.model("model", folder, facts=about, licences=licences),
        training=ctx.desk.report("training", history, measured=measured, renderings={"report.html": page}),
    )


def fingerprint(spec: TrainSpec) -> str:
    """The digest of the base: other weights make another model.

    Tasks that read no text take `starter` for "from nothing", so that it need not be installed for them.
    """
    is_needless = spec.base == NOTHING or (spec.base == "starter" and not has_starter())
    return "" if is_needless else resolve(spec.base).digest


def new_job(
    task: Task, spec: TrainSpec, inputs: TrainInputs, beginning: Beginning, seed: int, *, kept: Path | None = None
) -> "Job":
    """The rows read and encoded, with all that decides what is learned from them."""
    from modelmint.training.learner import Setting
    from modelmint.training.run import Job

    knobs, kind = task.knobs(spec, warm=beginning.is_warm), task.learner()
    setting = Setting(
        spec=spec,
        knobs=knobs,
        options=_options(task, kind, spec.options),
        beginning=beginning,
        seed=seed,
        kept=kept,
    )
    learner = kind(setting)
    learner.read(inputs.train, inputs.validation)
    num_batches = len(learner.batches(0))
    return Job(
        learner=learner,
        task=task.name,
        rows=[inputs.train.digest, inputs.validation.digest],
        epochs=learner.rounds or num_epochs(knobs, num_batches, warm=beginning.is_warm),
    )


def num_epochs(knobs: Knobs, num_batches: int, *, warm: bool = False) -> int:
    """`knobs.epochs`, or more where they would make fewer than `min_steps` steps of `num_batches` an epoch."""
    if warm:
        return knobs.epochs
    return max(knobs.epochs, math.ceil(knobs.min_steps / max(1, num_batches)))


def _options(task: Task, kind: "type[Learner[Any]]", given: JSON) -> Any:
    options = getattr(kind, "Options", None)
    if options is None:
        if given:
            raise InputError(
                f"options: must be left out, since {task.name} has none; got {', '.join(sorted(given))}",
                parameter="options",
                remedy="Take options out of train.",
            )
        return None
    try:
        return options(**given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["options", *(str(part) for part in first["loc"])])
        raise InputError(
            f"{place}: {first['msg']}; got {first['input']!r}",
            parameter=place,
            remedy=f"{task.name} knows {', '.join(options.model_fields)}: see docs/training.md.",
        ) from error


def _fit(job: "Job", ctx: StageContext) -> "Fitted":
    from modelmint.training.loop import fit, is_out_of_memory

    if job.learner.rounds:
        return _fit_whole(job, ctx)
    try:
        return fit(job, checkpoints=ctx.checkpoints, say=ctx.say, check=ctx.check)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise StageError(
            "micro_batch_size: this machine's memory must hold a step; it does not even for one row of max_tokens "
            f"{job.knobs.max_tokens}",
            parameter="micro_batch_size",
            remedy="Lower train.max_tokens, set train.gradient_checkpointing, or take a smaller base.",
        ) from error


def _fit_whole(job: "Job", ctx: StageContext) -> "Fitted":
    from modelmint.training.loop import Fitted
    from modelmint.training.run import Place

    model, told = job.learner.fit_whole(ctx.say, ctx.check)
    return Fitted(model=model, place=Place(**told), num_parameters=0, num_trained=0)


def _about(task: Task, learner: "Learner[Any]", beginning: Beginning) -> JSON:
    return {
        "task": task.name,
        "base": beginning.base,
        "languages": list(beginning.languages),
        **learner.facts(),
    }


def _history(job: "Job", fitted: "Fitted") -> JSON:
    place, learner = fitted.place, job.learner
    setting, (num_rows, num_validation_rows) = learner.setting, learner.num_rows()
    return {
        "task": job.task,
        "base": setting.beginning.base,
        "history": place.history,
        "curve": [
            {**{name: float(f"{value:.6g}") for name, value in point.items()}, "step": point["step"]}
            for point in place.curve
        ],
        "best_epoch": place.best_epoch,
        "epochs": job.epochs,
        "stopped_early": place.epoch < job.epochs,
        "steps": place.step,
        "num_rows": num_rows,
        "num_validation_rows": num_validation_rows,
        "precision": job.precision,
        "parameters": fitted.num_parameters,
        "trained_parameters": fitted.num_trained,
        "warm": setting.beginning.is_warm,
        **learner.told(),
        "hyperparameters": {
            **({} if learner.rounds else job.knobs.to_json()),
            "method": setting.spec.method.model_dump(mode="json"),
            "options": setting.options.model_dump(mode="json") if setting.options is not None else {},
        },
    }


def _measured(fitted: "Fitted", whole_s: float, machine_hour: str) -> JSON:
    """`whole_s` is of this process, with loading and saving; a run that went on has the time before it too."""
    place = fitted.place
    seconds = max(whole_s, place.seconds)
    return {
        "seconds": round(seconds, 3),
        "cost": str(machine_cost(seconds, machine_hour)),
        "memory_bytes": peak_memory_bytes(),
        "examples_per_s": round(place.num_seen / max(place.train_seconds, 1e-9), 1),
        "micro_batch_size": place.micro_batch_size,
    }


def peak_memory_bytes() -> int:
    """The most memory that this process has held: of the GPU where there is one, else resident."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


__all__ = [
    "TrainInputs",
    "TrainOutputs",
    "TrainSpec",
    "fingerprint",
    "new_job",
    "num_epochs",
    "peak_memory_bytes",
    "train",
]
