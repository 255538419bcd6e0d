"""How fast a variant answers on this machine, and what a million answers cost on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from modelmint.core.clock import monotonic_s
from modelmint.core.money import Money, money
from modelmint.core.types import JSON
from modelmint.serving.engines import Engine, open_engine

WARMUP_TEXTS = 20
BATCH_TEXTS = 32
MAX_S = 4.0  # for each of the two measurements
CENT_OF_A_CENT = Decimal("0.0001")


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Latencies are of one text at a time, throughput is of requests of `BATCH_TEXTS` texts, both with tokenization."""

    p50_ms: float
    p95_ms: float
    throughput_per_s: float

    def to_json(self, machine_hour: str) -> JSON:
        return {
            "p50_ms": round(self.p50_ms, 3),
            "p95_ms": round(self.p95_ms, 3),
            "throughput_per_s": round(self.throughput_per_s, 1),
            "cost_per_million": str(cost_per_million(self.throughput_per_s, machine_hour)),
        }


def measure_speed(folder: Path, texts: Sequence[str], num_threads: int) -> Speed:
    """Time a variant's engine on real texts; at least one."""
    engine = open_engine(folder, num_threads)
    for text in texts[:WARMUP_TEXTS]:
        engine.predict([text])
    singles_s = _times_s(engine, [[text] for text in texts])
    full = [(list(texts) * BATCH_TEXTS)[at : at + BATCH_TEXTS] for at in range(0, len(texts), BATCH_TEXTS)]
    engine.predict(full[0])
    batches_s = _times_s(engine, full)
    return Speed(
        p50_ms=float(np.percentile(singles_s, 50)) * 1e3,
        p95_ms=float(np.percentile(singles_s, 95)) * 1e3,
        throughput_per_s=BATCH_TEXTS * len(batches_s) / sum(batches_s),
    )


def cost_per_million(throughput_per_s: float, machine_hour: str) -> Money:
    """What a million texts cost on a machine that is always busy and costs `machine_hour` an hour."""
    hour = money(machine_hour)
    hours = Decimal(1_000_000) / Decimal(str(round(throughput_per_s, 3))) / 3600
    return Money(amount=(hour.amount * hours).quantize(CENT_OF_A_CENT), currency=hour.currency)


def _times_s(engine: Engine, batches: Sequence[Sequence[str]]) -> list[float]:
    times_s: list[float] = []
    for batch in batches:
        started_s = monotonic_s()
        engine.predict(batch)
        times_s.append(monotonic_s() - started_s)
        if sum(times_s) > MAX_S:
            break
    return times_s
