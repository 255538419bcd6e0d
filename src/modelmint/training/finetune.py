"""Fine-tune a base into a classifier of the labels in the rows, or go on from an earlier model."""

import json
import math
import resource
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelmint.core import tables
from modelmint.core.clock import monotonic_s
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.money import machine_cost
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.training.bases import read_folder, resolve
from modelmint.training.spec import FinetuneSpec
from modelmint.training.tasks import read_about
from modelmint.training.weights import row_weights, told

if TYPE_CHECKING:
    from modelmint.training.loop import Fitted
    from modelmint.training.run import Encoded, Job

TASK = "text-classification"


@dataclass(frozen=True, kw_only=True)
class TrainInputs:
    train: Dataset
    validation: Dataset
    start: Model | None = None


@dataclass(frozen=True, kw_only=True)
class TrainOutputs:
    model: Model
    training: Report


def train(spec: FinetuneSpec, inputs: TrainInputs, ctx: StageContext) -> TrainOutputs:
    """Train on the training rows; the validation rows choose the best epoch and stop early.

    Training rows with a column `_weight` count by it in the loss; the validation score never does.

    With `start` its weights are gone on from, and labels that it knows keep what was learned of them.

    Raises:
        DataError: the rows are for another task, there are none, one has no text or label, all have the same label, or a
            weight is wrong.
        StageError: the loss is no finite number, or memory ran out.
    """
    began_s = monotonic_s()
    _check_task(inputs)
    import torch

    torch.set_num_threads(ctx.num_threads)
    ctx.say(0, 0, "reading rows and base")
    begin = _begin(spec, inputs.start)
    job = _job(spec, inputs, begin, ctx.seed)
    fitted = _fit(job, ctx)
    folder = ctx.scratch / "model"
    _save(job, begin, fitted, folder)
    measured = _measured(fitted, monotonic_s() - began_s, ctx.machine_hour)
    return TrainOutputs(
        model=ctx.desk.model("model", folder, facts=_facts(job, begin), licences=[begin.licence]),
        training=ctx.desk.report("training", _history(job, fitted, inputs, begin), measured=measured),
    )


def fingerprint(spec: FinetuneSpec) -> str:
    """The digest of the base: other weights make another model."""
    return resolve(spec.base).digest


def _check_task(inputs: TrainInputs) -> None:
    for role, dataset in (("train", inputs.train), ("validation", inputs.validation)):
        task = dataset.facts.get("task", TASK)
        if task != TASK:
            raise DataError(
                f"{role}: must be a dataset for {TASK}, the task that `train` knows; {dataset.name} is for {task}",
                parameter=role,
                remedy="Leave the train stage out: collect, preflight, clean, deduplicate, deidentify and split take "
                f"every task. Or collect the source with `task: {TASK}`, if each row has a text and a label.",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Begin:
    """What a training begins from: a base, or an earlier model of that base."""

    folder: Path
    digest: str
    base: str
    licence: str
    languages: Sequence[str]
    max_tokens: int
    labels: Sequence[str]


def _begin(spec: FinetuneSpec, start: Model | None) -> _Begin:
    if start is None:
        base = resolve(spec.base)
        return _Begin(
            folder=base.folder,
            digest=base.digest,
            base=base.name,
            licence=base.licence,
            languages=base.languages,
            max_tokens=base.max_tokens,
            labels=(),
        )
    folder = start.files.folder()
    about = read_about(folder)
    return _Begin(
        folder=folder,
        digest=start.digest,
        base=about["base"],
        licence=about["licence"],
        languages=about["languages"],
        max_tokens=read_folder(folder, name=start.name).max_tokens,
        labels=about["labels"],
    )


def _job(spec: FinetuneSpec, inputs: TrainInputs, begin: _Begin, seed: int) -> "Job":
    from modelmint.training.run import Job

    if spec.max_tokens > begin.max_tokens:
        raise InputError(
            f"max_tokens: must be at most {begin.max_tokens}, which is what {begin.base} reads; got {spec.max_tokens}",
            parameter="max_tokens",
            remedy=f"Set train.max_tokens to {begin.max_tokens}.",
        )
    texts, names = _rows(inputs.train, "train")
    labels = sorted(set(names))
    if len(labels) < 2:
        given = f"all {len(names)} rows have the label {labels[0]!r}" if labels else "no rows"
        raise DataError(
            f"train: must hold at least two different labels; got {given}",
            parameter="train",
            remedy="Give rows of another label, or look whether the right column was read as the label.",
        )
    encoded = replace(_encode(texts, names, begin, labels, spec), weights=row_weights(inputs.train))
    return Job(
        spec=spec,
        folder=begin.folder,
        digest=begin.digest,
        labels=labels,
        train=encoded,
        validation=_encode(*_rows(inputs.validation, "validation"), begin, labels, spec),
        seed=seed,
        epochs=num_epochs(spec, len(names), warm=inputs.start is not None),
    )


def num_epochs(spec: FinetuneSpec, num_rows: int, *, warm: bool = False) -> int:
    """`spec.epochs`, or more where they would make fewer than `spec.min_steps` steps."""
    if warm:
        return spec.epochs
    return max(spec.epochs, math.ceil(spec.min_steps / math.ceil(num_rows / spec.batch_size)))


def _rows(dataset: Dataset, role: str) -> tuple[list[str], list[str]]:
    table = tables.read(dataset, ["text", "label"])
    num_missing = sum(table.column(name).null_count for name in ("text", "label"))
    if num_missing:
        raise DataError(
            f"{role}: must have a text and a label in each row; got {num_missing} cells without one",
            parameter=role,
            remedy="Run collect and clean first: they put such rows into quarantine.",
        )
    return table.column("text").to_pylist(), table.column("label").to_pylist()


def _encode(
    texts: Sequence[str], names: Sequence[str], begin: _Begin, labels: Sequence[str], spec: FinetuneSpec
) -> "Encoded":
    """Rows with a label that is not among the training labels are left out: no answer could be right."""
    from modelmint.training.batches import open_tokenizer
    from modelmint.training.run import Encoded

    number = {label: label_id for label_id, label in enumerate(labels)}
    kept = [at for at, name in enumerate(names) if name in number]
    token_ids = open_tokenizer(begin.folder, spec.max_tokens)([texts[at] for at in kept])
    return Encoded(token_ids=token_ids, label_ids=[number[names[at]] for at in kept])


def _fit(job: "Job", ctx: StageContext) -> "Fitted":
    from modelmint.training.loop import fit

    try:
        return fit(job, checkpoints=ctx.checkpoints, say=ctx.say, check=ctx.check)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        raise StageError(
            f"batch_size: this machine's memory must hold a step; it does not for batch_size {job.spec.batch_size} and "
            f"max_tokens {job.spec.max_tokens}",
            parameter="batch_size",
            remedy=f"Set train.batch_size to {max(1, job.spec.batch_size // 2)}, or lower train.max_tokens.",
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    said = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in said or "can't allocate memory" in said


def _save(job: "Job", begin: _Begin, fitted: "Fitted", folder: Path) -> None:
    from modelmint.training.classifier import save_classifier

    save_classifier(fitted.model, begin.folder, folder)
    about = {**_facts(job, begin), "licence": begin.licence}
    (folder / "modelmint.json").write_text(json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8")


def _facts(job: "Job", begin: _Begin) -> JSON:
    return {
        "task": TASK,
        "labels": list(job.labels),
        "max_tokens": job.spec.max_tokens,
        "base": begin.base,
        "languages": list(begin.languages),
        "engine": "torch",
    }


def _history(job: "Job", fitted: "Fitted", inputs: TrainInputs, begin: _Begin) -> JSON:
    place, known = fitted.place, set(begin.labels)
    return {
        "base": begin.base,
        "history": place.history,
        "best_epoch": place.best_epoch,
        "epochs": job.epochs,
        "stopped_early": place.epoch < job.epochs,
        "steps": place.step,
        "num_rows": len(job.train.label_ids),
        "num_validation_rows": len(job.validation.label_ids),
        "num_validation_rows_without_class": inputs.validation.num_rows - len(job.validation.label_ids),
        "precision": job.precision,
        "parameters": sum(weight.numel() for weight in fitted.model.parameters()),
        "warm": inputs.start is not None,
        "new_labels": [label for label in job.labels if label not in known] if known else [],
        "dropped_labels": [label for label in begin.labels if label not in set(job.labels)],
        **told(job.train.weights),
        "hyperparameters": {name: value for name, value in job.spec.identity().items() if name != "base"},
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
    }


def peak_memory_bytes() -> int:
    """The most memory that this process has held: of the GPU where there is one, else resident."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


__all__ = ["FinetuneSpec", "TrainInputs", "TrainOutputs", "fingerprint", "num_epochs", "peak_memory_bytes", "train"]
