"""How fast and how large a model is as it answers here, for gates on time, size and cost: PyTorch, in this process.

What is served is another form of it; its own figures are those of `compress`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from modelmint.core import tables
from modelmint.core.clock import monotonic_s
from modelmint.core.money import money
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.predict import opened
from modelmint.training.tasks import open_model

NUM_SINGLE, NUM_TOGETHER = 40, 64
WARMUP = 3
MAX_S = 10.0
"""For each of the two measurements."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Measured on the first rows of the test set: one at a time, then together."""

    p50_ms: float
    rows_per_s: float

    def cost_per_million(self, machine_hour: str) -> tuple[float, str]:
        """What a million rows cost on a machine that is always busy, and the currency."""
        hour = money(machine_hour)
        hours = Decimal(1_000_000) / Decimal(str(round(max(self.rows_per_s, 1e-3), 3))) / 3600
        return float(hour.amount * hours), hour.currency


def measure_speed(model: Model, test: Dataset, ctx: StageContext) -> Speed:
    """Time a model's answers to rows of the test set; at least one."""
    answer = _answerer(model, ctx)
    first = next(tables.batches(test))
    rows = {name: first.column(name).to_pylist()[:NUM_TOGETHER] for name in first.schema.names}
    num_rows = len(next(iter(rows.values())))
    singles = [{name: cells[at : at + 1] for name, cells in rows.items()} for at in range(min(num_rows, NUM_SINGLE))]
    for one in singles[:WARMUP]:
        answer(one)
    alone_s, together_s = _times_s(answer, singles), _times_s(answer, [rows] * 5)
    return Speed(
        p50_ms=float(np.percentile(alone_s, 50)) * 1e3, rows_per_s=num_rows * len(together_s) / max(sum(together_s), 1e-9)
    )  # fmt: skip


def size_mb(model: Model) -> float:
    """All files of the model, in millions of bytes."""
    return model.size_bytes / 1e6


def _answerer(model: Model, ctx: StageContext) -> Callable[[Mapping[str, Sequence[Any]]], Any]:
    if model.facts.get("task", "text-classification") == "text-classification":
        logits_of = opened(model, ctx)
        return lambda rows: logits_of(rows["text"])
    import torch

    torch.set_num_threads(ctx.num_threads)
    return open_model(model.files.folder()).predict


def _times_s(answer: Callable[[Any], Any], batches: Sequence[Any]) -> list[float]:
    found: list[float] = []
    for batch in batches:
        started_s = monotonic_s()
        answer(batch)
        found.append(monotonic_s() - started_s)
        if sum(found) > MAX_S:
            break
    return found
