"""How long a training will take, how much memory and money: a few real steps on real rows, timed, and multiplied."""

import math
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelmint.core import tables
from modelmint.core.clock import monotonic_s
from modelmint.core.money import machine_cost
from modelmint.core.types import JSON, Dataset
from modelmint.training.beginnings import Beginning
from modelmint.training.knobs import Knobs
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks import task_of
from modelmint.training.train import TrainInputs, new_job, num_epochs, peak_memory_bytes

if TYPE_CHECKING:
    from modelmint.training.run import Job, Run

PROBE_S = 4.0
ENOUGH = 25
"""Of so many times a step the median is steady, however short the steps are."""
LONGEST_PROBE_S, ENOUGH_TOLD = 30.0, 3
"""Of a fit in rounds: the first of them brings its libraries and its rows, so a few more must be waited for."""
QUANTILES = (0.05, 0.3, 0.6, 0.85, 0.97, 1.0)
"""Of the sizes of the batches that training will make; the time of a step between two of them is interpolated."""
NUM_VALIDATION_ROWS = 256
LONG_SCORE_S = 1.0
WRITE_BYTES = 32 << 20
MANY_EPOCHS = 5
"""With so few, a training ends early too seldom to reckon with it."""
EARLY_SHARE = 0.75
"""Of more epochs, those that are run where scores may end the training: anywhere from the half to all of them."""


def estimate(
    spec: TrainSpec, sample: Dataset, *, num_rows: int, num_validation_rows: int, num_threads: int, machine_hour: str
) -> JSON:
    """Time a few steps on rows like those that will be trained on.

    Args:
        sample: some of the rows, or all.
        num_rows: rows that will be trained on.
        machine_hour: what an hour of this machine costs, e.g. ``0.10 USD``.

    Returns:
        ``seconds`` that the whole training is expected to take, with its ``parts`` (loading, steps, validation, saving);
        ``most_seconds``, if it does not stop early; ``steps``, how many at most; ``memory_bytes``, the peak with the
        largest batch; ``weights_bytes`` of the model; ``cost`` of the expected; ``examples_per_s``; ``scored_per_s``, validation rows a second, where
        some were scored; ``probe_seconds``, what this cost.

    Raises:
        InputError, IntegrityError, UnavailableError, DataError: as `train`.
    """
    began_s = monotonic_s()  # before the libraries: training loads them, too
    import torch

    from modelmint.training.run import Run

    torch.set_num_threads(num_threads)
    task, held_out = task_of(spec, sample), min(NUM_VALIDATION_ROWS, num_validation_rows)
    spec = task.begun(spec)
    beginning = Beginning.of(spec, None)
    read_began_s = monotonic_s()
    job = new_job(task, spec, TrainInputs(train=sample, validation=_first(sample, held_out)), beginning, seed=0)
    share = num_rows / max(sample.num_rows, 1)
    more_s = (monotonic_s() - read_began_s) * max(0.0, share - 1)  # rows beyond the sample are read and encoded, too
    if job.learner.rounds:
        parts, found = _of_whole(job, share, num_validation_rows, loading_s=monotonic_s() - began_s + more_s)
    else:
        run = Run.begin(job)
        loading_s = monotonic_s() - began_s + more_s
        parts, found = _of_loop(run, share, held_out, num_validation_rows, loading_s=loading_s)
    seconds = sum(parts.values())
    return {
        "seconds": round(seconds, 1),
        "most_seconds": round(seconds + found.pop("spared_s"), 1),
        "parts": {name: round(part_s, 1) for name, part_s in parts.items()},
        "cost": str(machine_cost(seconds, machine_hour)),
        **found,
        "probe_seconds": round(monotonic_s() - began_s, 2),
    }


def _of_loop(
    run: "Run", share: float, held_out: int, num_validation_rows: int, *, loading_s: float
) -> tuple[dict[str, float], JSON]:
    """The parts of the expected time, and what else was found; of a learner that the loop trains.

    Args:
        share: the rows that will be trained on, in those of the sample.
        held_out: rows of the sample that are scored in place of `num_validation_rows`.
    """
    job = run.job
    step_s = _step_s(run)
    memory_bytes = peak_memory_bytes()
    num_sampled, num_scored = job.learner.num_rows()
    num_batches = max(1, round(len(job.learner.batches(0)) * share))
    epochs = num_epochs(job.knobs, num_batches)
    most_steps = min(num_batches * epochs, job.knobs.max_steps or num_batches * epochs)
    num_steps = expected_steps(job.knobs, num_batches, most_steps, num_validation_rows)
    score_s = _score_s(run) if num_scored else 0.0

    def timed(steps: int) -> dict[str, float]:
        validated = math.ceil(steps / num_batches)
        return {
            "steps": steps * step_s,
            "validation": validated * score_s * num_validation_rows / max(held_out, 1),
            "saving": _saving_s(run, validated, steps * step_s, byte_s),
        }

    byte_s = _byte_s()
    expected = timed(num_steps)
    return {"loading": loading_s, **expected}, {
        "spared_s": sum(timed(most_steps).values()) - sum(expected.values()),
        "steps": most_steps,
        "memory_bytes": memory_bytes,
        "weights_bytes": sum(weight.numel() * weight.element_size() for weight in run.model.parameters()),
        "examples_per_s": round(num_sampled / len(job.learner.batches(0)) / step_s, 1),
        "scored_per_s": round(num_scored / score_s, 1) if score_s else None,
    }


def expected_steps(knobs: Knobs, num_batches: int, most_steps: int, num_validation_rows: int) -> int:
    """How many of `most_steps` are likely taken, where scores of validation rows may end the training early."""
    from modelmint.training.run import MIN_VALIDATION_ROWS

    epochs = math.ceil(most_steps / num_batches)
    if not knobs.patience or num_validation_rows < MIN_VALIDATION_ROWS or epochs <= MANY_EPOCHS:
        return most_steps
    return min(most_steps, num_batches * max(knobs.patience, math.ceil(EARLY_SHARE * epochs)))


class _EnoughError(Exception):
    """So much of a fit was timed."""


def _of_whole(job: "Job", share: float, num_validation_rows: int, *, loading_s: float) -> tuple[dict[str, float], JSON]:
    """As `_of_loop`, of a learner that fits its model itself: the time of a round, and how many it is likely to need."""
    learner, at, times_s = job.learner, list[int](), list[float]()

    def say(done: int, _most: int, _message: str) -> None:
        at.append(done)
        times_s.append(monotonic_s())

    def check() -> None:
        after_s = monotonic_s() - began_s
        if after_s > LONGEST_PROBE_S or (after_s > PROBE_S and len(at) >= ENOUGH_TOLD):
            raise _EnoughError

    began_s, rounds = monotonic_s(), learner.rounds
    with suppress(_EnoughError):  # the time of the rounds that were done is what was wanted
        learner.fit_whole(say, check)
    whole_s = monotonic_s() - began_s
    first_s, round_s = _line(at, [time_s - began_s for time_s in times_s], whole_s)
    memory_bytes = peak_memory_bytes()
    expected = learner.expected_rounds(num_validation_rows)
    return {
        "loading": loading_s,
        "steps": (first_s + round_s * expected) * share,
        "validation": 0.0,
        "saving": 0.0,
    }, {
        "spared_s": round_s * (rounds - expected) * share,
        "steps": rounds,
        "memory_bytes": memory_bytes,
        "weights_bytes": None,
        "examples_per_s": round(learner.num_rows()[0] / max(round_s, 1e-9), 1),
        "scored_per_s": None,
    }


def _line(at: Sequence[int], times_s: Sequence[float], whole_s: float) -> tuple[float, float]:
    """What the beginning took, and each round after it."""
    if len(at) < 2:
        return 0.0, whole_s / max(at, default=1)
    round_s = max(0.0, (times_s[-1] - times_s[0]) / (at[-1] - at[0]))
    return max(0.0, times_s[0] - round_s * at[0]), round_s


def _first(sample: Dataset, num_rows: int) -> Dataset:
    return tables.in_memory("validation", tables.read(sample).slice(0, num_rows), sample.facts)


def _step_s(run: "Run") -> float:
    """The mean time of the steps of an epoch: the median at some sizes of batches, interpolated over all of them."""
    from modelmint.training.loop import step

    learner = run.job.learner
    lengths, batches = learner.lengths(learner.train), learner.batches(0)
    sizes = np.array([max(lengths[row] for row in rows) * len(rows) for rows in batches])
    order = sizes.argsort(kind="stable")
    places = sorted({int(order[round(share * (len(order) - 1))]) for share in QUANTILES}, key=lambda at: sizes[at])
    step(run, batches[places[-1]])  # the largest: the peak of memory, and the first step of all is slow
    times_s: list[list[float]] = [[] for _ in places]
    began_s = monotonic_s()
    at = 0
    while not times_s[-1] or (monotonic_s() - began_s < PROBE_S and len(times_s[-1]) < ENOUGH):
        before_s = run.place.train_seconds
        step(run, batches[places[at]])
        times_s[at].append(run.place.train_seconds - before_s)
        at = (at + 1) % len(places)
    return float(np.interp(sizes, sizes[places], [float(np.median(times)) for times in times_s]).mean())


def _score_s(run: "Run") -> float:
    """Seconds of scoring the validation rows; twice where it is quick, since the first time is slower."""
    for _ in range(2):
        began_s = monotonic_s()
        run.job.learner.score(run.model)
        score_s = monotonic_s() - began_s
        if score_s > LONG_SCORE_S:
            break
    return score_s


def _saving_s(run: "Run", epochs: int, steps_s: float, byte_s: float) -> float:
    """Of checkpoints (the weights, the optimizer's two moments, the best weights) and of the model at the end."""
    from modelmint.training.checkpoints import EVERY_S, MAX_SHARE

    save_s = byte_s * 4 * sum(weight.numel() * weight.element_size() for weight in run.model.parameters())
    return float(min((epochs + steps_s / EVERY_S) * save_s, MAX_SHARE * steps_s) + save_s / 4)


def _byte_s() -> float:
    """Seconds that the disk takes for a byte."""
    with tempfile.TemporaryDirectory() as folder:
        path, content = Path(folder) / "probe", os.urandom(1 << 20)
        began_s = monotonic_s()
        with path.open("wb") as stream:
            for _ in range(WRITE_BYTES >> 20):
                stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        return (monotonic_s() - began_s) / WRITE_BYTES
