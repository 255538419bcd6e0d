"""One trial: a training with values of its own, as `train` would do it, and what came of it. Imports PyTorch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.types import JSON
from modelmint.training.beginnings import Beginning
from modelmint.training.knobs import Knobs
from modelmint.training.learner import Score
from modelmint.training.loop import fit, is_out_of_memory
from modelmint.training.making import fit_whole
from modelmint.training.run import Run
from modelmint.training.searching.space import placed
from modelmint.training.searching.trial import State, Trial
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks import Task
from modelmint.training.train import TrainInputs, new_job

Scores = Sequence[tuple[float, float]]


class SpentError(Exception):
    """The budget ended; raised by `check` where a trial is to be stopped by it."""


class _BehindError(Exception):
    """The trial is to be left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What the trials of a search share. `options` is the task's class of them."""

    task: Task
    train: TrainSpec
    options: Any
    inputs: TrainInputs
    beginning: Beginning
    seed: int

    def spec(self, values: JSON) -> TrainSpec:
        """The training with these values."""
        return self.task.begun(placed(self.train, values, self.options))

    def knobs(self) -> Knobs:
        """As they are without a search."""
        return self.task.knobs(self.task.begun(self.train), warm=self.beginning.is_warm)


def try_values(
    bench: Bench,
    number: int,
    values: JSON,
    *,
    checkpoints: Path,
    is_behind: Callable[[Scores, bool], bool],
    say: Callable[[int, int, str], None],
    check: Callable[[], None],
) -> Trial:
    """Train, going on from a checkpoint where there is one; what goes wrong with these values alone is in the answer.

    Args:
        is_behind: ``(scores so far, higher is better)``: whether to leave it.
        check: called at every step; `SpentError` stops the trial, what else it raises ends the search.

    Raises:
        DataError: the rows cannot be trained on, whatever the values.
        StorageFullError: no space is left for checkpoints.
    """
    began_s, seen = monotonic_s(), _Seen()
    state: State = "complete"
    why = ""

    def after_epoch(run: Run) -> None:
        seen.see(run)
        if not run.is_over and is_behind(seen.scores, seen.higher_is_better):
            raise _BehindError

    try:
        seen.last = _trained(bench, values, checkpoints=checkpoints, say=say, check=check, after_epoch=after_epoch)
    except _BehindError:
        state = "pruned"
    except SpentError:
        state = "stopped"
    except DataError:
        raise
    except (StageError, InputError) as error:
        check()  # a deadline that has passed is no fault of the values
        state, why = "failed", error.message
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        state, why = "failed", "this machine's memory did not hold it, not even one row at a time"
    return seen.trial(number, values, state, why=why, seconds=round(monotonic_s() - began_s, 3))


def _trained(bench: Bench, values: JSON, *, checkpoints: Path, say: Any, check: Any, after_epoch: Any) -> Score:
    job = new_job(bench.task, bench.spec(values), bench.inputs, bench.beginning, bench.seed, kept=checkpoints / "kept")
    if not job.learner.num_rows()[1]:
        raise DataError(
            f"validation: must have rows that the task can score; none of its {bench.inputs.validation.num_rows:,} can be",
            parameter="validation",
            remedy="Set split.validation, for example to 0.1, or look whether its labels are those of the training rows.",
        )
    if job.learner.rounds:
        fitted = fit_whole(job, say, check)
    else:
        fitted = fit(job, checkpoints=checkpoints, say=say, check=check, after_epoch=after_epoch)
    score = fitted.place.best or job.learner.score(fitted.model)
    if not math.isfinite(score.value):
        raise StageError(f"{score.metric}: must be a finite number; it is {score.value}", parameter=score.metric)
    return score


class _Seen:
    """What a trial has shown of itself; `last` is the score of the weights that are kept."""

    def __init__(self) -> None:
        self.scores: tuple[tuple[float, float], ...] = ()
        self.last: Score | None = None

    @property
    def higher_is_better(self) -> bool:
        return self.last is None or self.last.higher_is_better

    def see(self, run: Run) -> None:
        """All epochs, from the run's own history: those before a kill are in it."""
        self.last, num_batches = run.place.best, len(run.job.learner.batches(0))
        if self.last is not None:
            name = f"validation_{self.last.metric}"
            self.scores = tuple(
                (round(min(1.0, row["epoch"] * num_batches / run.total_steps), 6), row[name])
                for row in run.place.history
            )

    def trial(self, number: int, values: JSON, state: State, *, why: str, seconds: float) -> Trial:
        """The trial with its score: of one that did not end well the best that it had."""
        so_far = [score for _, score in self.scores]
        best = (max(so_far) if self.higher_is_better else min(so_far)) if so_far else None
        is_complete = state == "complete" and self.last is not None
        return Trial(
            number=number,
            values=values,
            state=state,
            score=round(self.last.value, DECIMALS) if is_complete and self.last else best,
            margin=round(self.last.margin, DECIMALS) if self.last else 0.0,
            metric=self.last.metric if self.last else "",
            higher_is_better=self.higher_is_better,
            scores=self.scores,
            why=why,
            seconds=seconds,
        )


DECIMALS = 6
"""As many as the history of a training has."""
