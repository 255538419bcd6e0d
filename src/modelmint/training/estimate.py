"""How long a training will take, how much memory and money: a few real steps, timed, and multiplied."""

import math
import os
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from modelmint.core.clock import monotonic_s
from modelmint.core.money import machine_cost
from modelmint.core.types import JSON
from modelmint.training.bases import Base, resolve
from modelmint.training.finetune import num_epochs, peak_memory_bytes
from modelmint.training.spec import FinetuneSpec

if TYPE_CHECKING:
    from modelmint.training.run import Job, Run

PROBE_S = 4.0
ENOUGH = 25
"""Of so many times a step the median is steady, however short the steps are."""
QUANTILES = (0.05, 0.3, 0.6, 0.85, 0.97)
"""Of the widths of the batches that training will make; the time of a step between two of them is interpolated."""
LABELS = ("one", "two")
WORDS_PER_ROOT = 8  # distinct tokens are about 8 times the root of all tokens (Heaps' law, fitted on short questions)
WRITE_BYTES = 32 << 20

Widths = npt.NDArray[np.int64]


def estimate(
    spec: FinetuneSpec,
    *,
    num_rows: int,
    num_validation_rows: int,
    lengths: Sequence[int],
    num_threads: int,
    machine_hour: str,
) -> JSON:
    """Time a few steps on random rows in batches as wide as the real ones will be.

    Args:
        num_rows: rows that will be trained on.
        lengths: tokens of a sample of the rows; at least one.
        machine_hour: what an hour of this machine costs, e.g. ``0.10 USD``.

    Returns:
        ``seconds`` of the whole training if it does not stop early, with its ``parts`` (loading, steps, validation,
        saving); ``memory_bytes``, the peak with the widest batch; ``cost``; ``examples_per_s``; ``probe_seconds``, what
        this cost.

    Raises:
        InputError, IntegrityError, UnavailableError: as `bases.resolve`.
    """
    import torch

    from modelmint.training.run import Run

    began_s = monotonic_s()
    torch.set_num_threads(num_threads)
    widths = batch_widths(lengths, spec)
    probed = sorted({int(np.quantile(widths, share, method="nearest")) for share in QUANTILES} | {int(widths.max())})
    run = Run.begin(_job(spec, resolve(spec.base), probed, num_rows))
    loading_s = monotonic_s() - began_s
    step_s = float(np.interp(widths, probed, _step_times_s(run, probed, spec.batch_size)).mean())
    memory_bytes = peak_memory_bytes()
    epochs, num_tokens = num_epochs(spec, num_rows), num_validation_rows * float(np.mean(lengths))
    steps_s = math.ceil(num_rows / spec.batch_size) * epochs * step_s
    parts = {
        "loading": loading_s,
        "steps": steps_s,
        "validation": epochs * num_tokens * _forward_s(run, spec.batch_size) if num_tokens else 0.0,
        "saving": _saving_s(run, epochs, steps_s),
    }
    seconds = sum(parts.values())
    return {
        "seconds": round(seconds, 1),
        "parts": {name: round(part_s, 1) for name, part_s in parts.items()},
        "memory_bytes": memory_bytes,
        "cost": str(machine_cost(seconds, machine_hour)),
        "examples_per_s": round(spec.batch_size / step_s, 1),
        "probe_seconds": round(monotonic_s() - began_s, 2),
    }


def batch_widths(lengths: Sequence[int], spec: FinetuneSpec) -> Widths:
    """Tokens of the longest row of each batch of an epoch, in batches as training makes them."""
    from modelmint.training.batches import bucketed_batches
    from modelmint.training.loop import BUCKET_BATCHES

    cut = [min(length, spec.max_tokens) for length in lengths]
    batches = bucketed_batches(cut, spec.batch_size, BUCKET_BATCHES, 0, 0)
    return np.array([max(cut[row] for row in rows) for rows in batches], np.int64)


def _step_times_s(run: "Run", widths: Sequence[int], batch_size: int) -> list[float]:
    """The median time of a step for each of the widths, which rise."""
    from modelmint.training.loop import step

    rows = [list(range(at * batch_size, (at + 1) * batch_size)) for at in range(len(widths))]
    step(run, rows[-1])  # the widest: the peak of memory, and the first step of all is slow
    times_s: list[list[float]] = [[] for _ in widths]
    began_s = monotonic_s()
    at = 0
    while not times_s[-1] or (monotonic_s() - began_s < PROBE_S and len(times_s[-1]) < ENOUGH):
        before_s = run.place.train_seconds
        step(run, rows[at])
        times_s[at].append(run.place.train_seconds - before_s)
        at = (at + 1) % len(widths)
    return [float(np.median(times)) for times in times_s]


def _forward_s(run: "Run", batch_size: int) -> float:
    """Seconds a token of a forward pass alone."""
    from modelmint.training.classifier import logits_of

    rows = run.train_ids[:batch_size]
    logits_of(run.model, rows, run.vocabulary.pad_id)
    began_s = monotonic_s()
    logits_of(run.model, rows, run.vocabulary.pad_id)
    return (monotonic_s() - began_s) / sum(len(row) for row in rows)


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


def _job(spec: FinetuneSpec, base: Base, widths: Sequence[int], num_rows: int) -> "Job":
    from modelmint.training.run import Encoded, Job

    dice = random.Random(0)  # noqa: S311  # numbers for a probe, not secrets
    num_words = int(WORDS_PER_ROOT * math.sqrt(num_rows * sum(widths) / len(widths)))
    used = dice.sample(range(base.vocabulary_size), min(base.vocabulary_size, max(1, num_words)))
    rows = [dice.choices(used, k=width) for width in widths for _ in range(spec.batch_size)]
    everything: Any = Encoded(token_ids=[*rows, used], label_ids=[at % 2 for at in range(len(rows) + 1)])
    return Job(
        spec=spec,
        folder=base.folder,
        digest=base.digest,
        labels=LABELS,
        train=everything,
        validation=Encoded(token_ids=[], label_ids=[]),
        seed=0,
        epochs=1,
    )
