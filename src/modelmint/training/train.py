"""Train a model of the rows: from a base, from an earlier model, or from nothing."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import InputError
from modelmint.core.money import machine_cost
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.training.bases import has_starter, resolve
from modelmint.training.beginnings import NOTHING, Beginning
from modelmint.training.knobs import Knobs
from modelmint.training.making import fit_whole, make, peak_memory_bytes
from modelmint.training.page import training_page
from modelmint.training.searching.study import with_found
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks import Task, task_of

if TYPE_CHECKING:
    from modelmint.training.learner import Learner
    from modelmint.training.run import Job


@dataclass(frozen=True, kw_only=True)
class TrainInputs:
    """`validation` may have no rows; `start` is a model to go on from."""

    train: Dataset
    validation: Dataset
    start: Model | None = None
    search: Report | None = None
    """A study of the verb `search`, whose best values are taken."""


@dataclass(frozen=True, kw_only=True)
class TrainOutputs:
    model: Model
    training: Report


def train(spec: TrainSpec, inputs: TrainInputs, ctx: StageContext) -> TrainOutputs:
    """Train on the training rows; the validation rows choose the best epoch and stop early.

    Training rows with a column `_weight` count by it in the loss; the validation score never does.

    With `search` its best values are put in the places of knobs that are not set. With `start` its weights are gone on
    from, and labels that it knows keep what was learned of them.

    Raises:
        DataError: the rows are of a form that no task learns from, or the task cannot learn from them.
        InputError: a parameter does not fit the task, or the base cannot be had.
        StageError: the loss is no finite number, or memory ran out.
    """
    began_s = monotonic_s()
    task = task_of(spec, inputs.train)
    task_of(spec, inputs.validation, "validation")
    spec, found = with_found(spec, inputs.search, task) if inputs.search is not None else (spec, None)
    spec = task.begun(spec)
    ctx.say(0, 0, "reading rows and base")
    beginning, folder = Beginning.of(spec, inputs.start), ctx.scratch / "model"
    if spec.workers > 1 or ctx.ray_address is not None:
        from modelmint.training.workers import by_workers

        made = by_workers(task, spec, inputs, beginning, folder, ctx)
    else:
        import torch

        torch.set_num_threads(ctx.num_threads)
        job = new_job(task, spec, inputs, beginning, ctx.seed, kept=ctx.checkpoints / "kept")
        made = make(job, folder, checkpoints=ctx.checkpoints, say=ctx.say, check=ctx.check)
    seconds = max(monotonic_s() - began_s, made.measured["seconds"])  # a run that went on has the time before it too
    measured = {
        **made.measured,
        "seconds": round(seconds, 3),
        "cost": str(machine_cost(seconds, ctx.machine_hour)),
        "engine": "ray" if ctx.ray_address else "local",
    }
    licences = [beginning.licence] if beginning.licence else []
    history = made.history | ({"found": found} if found else {})
    page = training_page(history, measured, name=inputs.train.name)
    return TrainOutputs(
        model=ctx.desk.model("model", folder, facts=made.about, licences=licences),
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
        options=options_of(task, kind, spec.options),
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


def options_of(task: Task, kind: "type[Learner[Any]]", given: JSON) -> Any:
    """The task's own options; None where it has none.

    Raises:
        InputError: it has none and some are given, or one of them is not as it must be.
    """
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


__all__ = [
    "TrainInputs",
    "TrainOutputs",
    "TrainSpec",
    "fingerprint",
    "fit_whole",
    "new_job",
    "num_epochs",
    "peak_memory_bytes",
    "train",
]
