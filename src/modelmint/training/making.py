"""A job to a model's folder, in one process: of a training that has several, in each of them."""

import json
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelmint.core.errors import InputError, StageError
from modelmint.core.types import JSON
from modelmint.training.own_code import copy_code
from modelmint.training.space import told_when_full

if TYPE_CHECKING:
    from modelmint.training.loop import Fitted
    from modelmint.training.ranks import Ranks
    from modelmint.training.run import Job


@dataclass(frozen=True, kw_only=True)
class Made:
    """What is known of a trained model, how it came to be, and what that took: `measured.seconds` is of the loop."""

    about: JSON
    history: JSON
    measured: JSON


def make(
    job: "Job",
    folder: Path,
    *,
    checkpoints: Path,
    say: Callable[[int, int, str], None],
    check: Callable[[], None],
    ranks: "Ranks | None" = None,
) -> Made:
    """Train, and write the model into `folder`, which is made.

    Args:
        ranks: the processes that train together, of which the first writes the model; None: this one alone.

    Raises:
        InputError: several processes cannot train such a model.
        StageError: the loss is no finite number, or memory ran out.
    """
    from modelmint.training.ranks import ALONE

    ranks, learner = ranks or ALONE, job.learner
    fitted = _fit(job, checkpoints, say, check, ranks)
    if ranks.is_first:
        with told_when_full(folder.parent, "the trained model"):
            folder.mkdir()
            learner.save(fitted.model, folder)
            if learner.setting.beginning.folder is not None:
                copy_code(learner.setting.beginning.folder, folder)
            told = {**_about(job), "licence": learner.setting.beginning.licence}
            (folder / "modelmint.json").write_text(json.dumps(told, indent=2, ensure_ascii=False), encoding="utf-8")
    return Made(about=_about(job), history=_history(job, fitted), measured=_measured(fitted, ranks))


def fit_whole(job: "Job", say: Callable[[int, int, str], None], check: Callable[[], None]) -> "Fitted":
    """Fit a model whose learner does it itself; `check` ends the fit by what it raises."""
    from modelmint.training.loop import Fitted
    from modelmint.training.run import Place

    model, told = job.learner.fit_whole(say, check)
    return Fitted(model=model, place=Place(**told), num_parameters=0, num_trained=0)


def peak_memory_bytes() -> int:
    """The most memory that this process has held: of the GPU where there is one, else resident."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _fit(
    job: "Job",
    checkpoints: Path,
    say: Callable[[int, int, str], None],
    check: Callable[[], None],
    ranks: "Ranks",
) -> "Fitted":
    from modelmint.training.loop import fit, is_out_of_memory

    if job.learner.rounds:
        if ranks.size > 1:
            raise InputError(
                f"workers: must be 1 for this model of {job.task}, which is fitted in one piece; got {ranks.size}",
                parameter="workers",
                remedy="Take workers out of train.",
            )
        return fit_whole(job, say, check)
    try:
        return fit(job, checkpoints=checkpoints, say=say, check=check, ranks=ranks)
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_out_of_memory(error):
            raise
        why = str(error).strip().partition("\n")[0][:120]
        raise StageError(
            "base: this machine's memory must hold the model with its validation and its checkpoints; it ran out beside "
            f"the steps themselves ({type(error).__name__}: {why})",
            parameter="base",
            remedy="Take a smaller base, lower train.max_tokens, set train.ema to 0, or train.method to lora.",
        ) from error


def _about(job: "Job") -> JSON:
    beginning = job.learner.setting.beginning
    return {
        "task": job.task,
        "base": beginning.base,
        "languages": list(beginning.languages),
        **job.learner.facts(),
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


def _measured(fitted: "Fitted", ranks: "Ranks") -> JSON:
    from modelmint.training import pace

    place = fitted.place
    return {
        "seconds": place.seconds,
        "workers": ranks.size,
        "memory_bytes": ranks.most(peak_memory_bytes()),
        "examples_per_s": round(place.num_seen / max(place.train_seconds, 1e-9), 1),
        "micro_batch_size": place.micro_batch_size,
        "saving_seconds": round(place.saving_seconds, 3),
        **pace.measured(place.pace),
        "made_with": pace.made_with(),
    }
