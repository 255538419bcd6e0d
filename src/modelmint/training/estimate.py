"""How long a training will take and how much memory: a few real steps, timed, and multiplied."""

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelmint.core.clock import monotonic_s
from modelmint.core.types import JSON
from modelmint.training.bases import Base, resolve
from modelmint.training.finetune import num_epochs, peak_memory_bytes
from modelmint.training.spec import FinetuneSpec

if TYPE_CHECKING:
    from modelmint.training.run import Job

PROBE_S = 2.5
QUANTILES = (0.5, 0.9, 0.1, 0.7, 0.3)
LABELS = ("one", "two")
WORDS_PER_ROOT = 8  # distinct tokens are about 8 times the root of all tokens (Heaps' law, fitted on short questions)


def estimate(spec: FinetuneSpec, num_rows: int, lengths: Sequence[int], num_threads: int) -> JSON:
    """Time a few steps on random rows as long as the real ones.

    Args:
        num_rows: rows that will be trained on.
        lengths: tokens of a sample of the rows; at least one.

    Returns:
        ``seconds`` of the whole training if it does not stop early, without validation and checkpoints;
        ``memory_bytes``, the peak with the longest batch; ``examples_per_s``; ``probe_seconds``, what this cost.

    Raises:
        InputError, IntegrityError, UnavailableError: as `bases.resolve`.
    """
    import torch

    from modelmint.training.loop import step
    from modelmint.training.run import Run

    began_s = monotonic_s()
    torch.set_num_threads(num_threads)
    batches = _batch_lengths(sorted(min(length, spec.max_tokens) for length in lengths), spec.batch_size)
    run = Run.begin(_job(spec, resolve(spec.base), batches, num_rows))
    loading_s = monotonic_s() - began_s
    rows = [list(range(at * spec.batch_size, (at + 1) * spec.batch_size)) for at in range(len(batches))]
    step(run, rows[-1])  # the longest: the peak of memory, and the first step of all is slow
    best_s: dict[int, float] = {}
    probing_s = monotonic_s()
    while monotonic_s() - probing_s < PROBE_S:
        at = (run.place.step - 1) % len(QUANTILES)
        before_s = run.place.train_seconds
        step(run, rows[at])
        best_s[at] = min(best_s.get(at, math.inf), run.place.train_seconds - before_s)
    step_s = sum(best_s.values()) / sum(batches[at] for at in best_s) * sum(batches[:-1]) / len(QUANTILES)
    num_steps = math.ceil(num_rows / spec.batch_size) * num_epochs(spec, num_rows)
    return {
        "seconds": round(loading_s + num_steps * step_s, 1),
        "memory_bytes": peak_memory_bytes(),
        "examples_per_s": round(spec.batch_size / step_s, 1),
        "probe_seconds": round(monotonic_s() - began_s, 2),
    }


def _batch_lengths(ordered: Sequence[int], batch_size: int) -> list[int]:
    """Tokens of the longest row of the batches at `QUANTILES`, then of the longest batch: rows of like length are
    together in one.
    """
    ends = [min(len(ordered) - 1, int(quantile * len(ordered)) + batch_size // 2) for quantile in QUANTILES]
    return [ordered[end] for end in ends] + [ordered[-1]]


def _job(spec: FinetuneSpec, base: Base, batches: Sequence[int], num_rows: int) -> "Job":
    from modelmint.training.run import Encoded, Job

    dice = random.Random(0)  # noqa: S311  # numbers for a probe, not secrets
    num_words = int(WORDS_PER_ROOT * math.sqrt(num_rows * sum(batches[:-1]) / len(QUANTILES)))
    used = dice.sample(range(base.vocabulary_size), min(base.vocabulary_size, max(1, num_words)))
    rows = [dice.choices(used, k=length) for length in batches for _ in range(spec.batch_size)]
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
