"""How long a training will take, how much memory and money: a few real steps on real rows, timed, and multiplied."""

import math
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelmint.core import tables
from modelmint.core.clock import monotonic_s
from modelmint.core.money import machine_cost
from modelmint.core.types import JSON, Dataset
from modelmint.training.beginnings import Beginning
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks import task_of
from modelmint.training.train import TrainInputs, new_job, num_epochs, peak_memory_bytes

if TYPE_CHECKING:
    from modelmint.training.run import Job, Run

PROBE_S = 4.0
ENOUGH = 25
"""Of so many times a step the median is steady, however short the steps are."""
QUANTILES = (0.05, 0.3, 0.6, 0.85, 0.97, 1.0)
"""Of the sizes of the batches that training will make; the time of a step between two of them is interpolated."""
NUM_VALIDATION_ROWS = 256
WRITE_BYTES = 32 << 20


def estimate(
    spec: TrainSpec, sample: Dataset, *, num_rows: int, num_validation_rows: int, num_threads: int, machine_hour: str
) -> JSON:
    """Time a few steps on rows like those that will be trained on.

    Args:
        sample: some of the rows, or all.
        num_rows: rows that will be trained on.
        machine_hour: what an hour of this machine costs, e.g. ``0.10 USD``.

    Returns:
        ``seconds`` of the whole training if it does not stop early, with its ``parts`` (loading, steps, validation,
        saving); ``memory_bytes``, the peak with the largest batch; ``cost``; ``examples_per_s``; ``probe_seconds``, what
        this cost.

    Raises:
        InputError, IntegrityError, UnavailableError, DataError: as `train`.
    """
    import torch

    from modelmint.training.run import Run

    began_s = monotonic_s()
    torch.set_num_threads(num_threads)
    task, held_out = task_of(spec, sample), min(NUM_VALIDATION_ROWS, num_validation_rows)
    spec = task.begun(spec)
    inputs = TrainInputs(train=sample, validation=_first(sample, held_out))
    job = new_job(task, spec, inputs, Beginning.of(spec, None), seed=0)
    if job.learner.rounds:
        return _of_whole(job, num_rows, machine_hour, began_s)
    run = Run.begin(job)
    loading_s = monotonic_s() - began_s
    step_s = _step_s(run)
    memory_bytes = peak_memory_bytes()
    num_sampled, num_scored = job.learner.num_rows()
    num_batches = max(1, round(len(job.learner.batches(0)) * num_rows / max(sample.num_rows, 1)))
    epochs = num_epochs(job.knobs, num_batches)
    num_steps = min(num_batches * epochs, job.knobs.max_steps or num_batches * epochs)
    score_s = _score_s(run) if num_scored else 0.0
    parts = {
        "loading": loading_s,
        "steps": num_steps * step_s,
        "validation": math.ceil(num_steps / num_batches) * score_s * num_validation_rows / max(held_out, 1),
        "saving": _saving_s(run, epochs, num_steps * step_s),
    }
    seconds = sum(parts.values())
    return {
        "seconds": round(seconds, 1),
        "parts": {name: round(part_s, 1) for name, part_s in parts.items()},
        "memory_bytes": memory_bytes,
        "cost": str(machine_cost(seconds, machine_hour)),
        "examples_per_s": round(num_sampled / len(job.learner.batches(0)) / step_s, 1),
        "probe_seconds": round(monotonic_s() - began_s, 2),
    }


class _EnoughError(Exception):
    """So much of a fit was timed."""


def _of_whole(job: "Job", num_rows: int, machine_hour: str, began_s: float) -> JSON:
    """Of a learner that fits its model itself: `PROBE_S` of it, and the rest of its rounds in proportion."""
    learner, done = job.learner, [1]
    loading_s, fit_began_s = monotonic_s() - began_s, monotonic_s()

    def say(at: int, _most: int, _message: str) -> None:
        done[0] = at

    def check() -> None:
        if monotonic_s() - fit_began_s > PROBE_S:
            raise _EnoughError

    rounds = learner.rounds
    with suppress(_EnoughError):  # the time of the rounds that were done is what was wanted
        done[0] = rounds = learner.fit_whole(say, check)[1]["step"]
    fit_s = (monotonic_s() - fit_began_s) / done[0] * rounds * num_rows / max(learner.num_rows()[0], 1)
    seconds = loading_s + fit_s
    return {
        "seconds": round(seconds, 1),
        "parts": {"loading": round(loading_s, 1), "steps": round(fit_s, 1), "validation": 0.0, "saving": 0.0},
        "memory_bytes": peak_memory_bytes(),
        "cost": str(machine_cost(seconds, machine_hour)),
        "examples_per_s": round(num_rows * rounds / max(fit_s, 1e-9), 1),
        "probe_seconds": round(monotonic_s() - began_s, 2),
    }


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
    """Seconds of scoring the validation rows."""
    run.job.learner.score(run.model)
    began_s = monotonic_s()
    run.job.learner.score(run.model)
    return monotonic_s() - began_s


def _saving_s(run: "Run", epochs: int, steps_s: float) -> float:
    """Of checkpoints (the weights, the optimizer's two moments, the best weights) and of the model at the end."""
    from modelmint.training.checkpoints import EVERY_S, MAX_SHARE

    num_bytes = sum(weight.numel() * weight.element_size() for weight in run.model.parameters())
    with tempfile.TemporaryDirectory() as folder:
        path, content = Path(folder) / "probe", os.urandom(1 << 20)
        began_s = monotonic_s()
        with path.open("wb") as stream:
            for _ in range(WRITE_BYTES >> 20):
                stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        byte_s = (monotonic_s() - began_s) / WRITE_BYTES
    save_s = float(byte_s * num_bytes * 4)
    between_s = min(steps_s / EVERY_S * save_s, MAX_SHARE * steps_s)
    return epochs * save_s + between_s + save_s / 4
