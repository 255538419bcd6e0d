"""How fast each variant answers on this machine, what memory and energy it takes, and what a million answers cost.

Variants take turns, in several rounds, so that what else the machine does falls on all of them alike. Each runs in a
process of its own (`compression.timed`).
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from modelmint.core.errors import StageError
from modelmint.core.inputs import Input
from modelmint.core.money import Money, money
from modelmint.core.types import JSON

ROUNDS = 5
WARMUP_TEXTS = 20
BATCH_TEXTS = 32
MAX_S = 4.0  # for each of the two measurements of a variant, over all rounds
CENT_OF_A_CENT = Decimal("0.0001")
POWERCAP = Path("/sys/class/powercap")
ENDING_S = 5.0
SHOWN_CHARS = 200

Texts = Sequence[Input]


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Latencies are of one text at a time, throughput is of requests of `BATCH_TEXTS` texts, both with tokenization.

    `p50_ms` and `throughput_per_s` are medians of the rounds, `p95_ms` and `p99_ms` are over all of them. `spread` is how
    far the throughput of the rounds lies apart, as a share of it. `peak_bytes` is of a process that does nothing else.
    """

    load_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    throughput_1_per_s: float
    throughput_per_s: float
    spread: float
    peak_bytes: int
    joules_per_1000: float | None
    """None where the machine does not tell (see `energy_j`)."""

    def to_json(self, machine_hour: str) -> JSON:
        energy = self.joules_per_1000
        return {
            "load_ms": round(self.load_ms, 1),
            "p50_ms": round(self.p50_ms, 3),
            "p95_ms": round(self.p95_ms, 3),
            "p99_ms": round(self.p99_ms, 3),
            "throughput_1_per_s": round(self.throughput_1_per_s, 1),
            "throughput_per_s": round(self.throughput_per_s, 1),
            "spread": round(self.spread, 3),
            "peak_mb": round(self.peak_bytes / 1e6, 1),
            "joules_per_1000": "not readable" if energy is None else round(energy, 2),
            "cost_per_million": str(cost_per_million(self.throughput_per_s, machine_hour)),
        }


def command_of(folder: Path, num_threads: int) -> Sequence[str]:
    """The process that answers with the model in a folder, a variant's or a trained one's."""
    return [sys.executable, "-m", "modelmint.compression.timed", str(folder), str(num_threads)]


def measure_speeds(
    commands: Mapping[str, Sequence[str]], texts: Texts, *, check: Callable[[], None] = lambda: None
) -> dict[str, Speed | StageError]:
    """Time processes that answer as `compression.timed` does on real texts; at least one.

    Args:
        check: called between two measurements; what it raises ends them.

    Returns:
        A speed for each name, or the error that says why its process ended.
    """
    with ExitStack() as stack:
        timed: dict[str, _Timed] = {}
        found: dict[str, Speed | StageError] = {}
        for name, command in commands.items():
            check()
            one = stack.enter_context(_started(command))
            try:
                one.begin(texts)
            except StageError as error:
                found[name] = error
            else:
                timed[name] = one
        for number in range(ROUNDS):
            for name, one in list(timed.items()):
                check()
                try:
                    one.round(texts, number)
                except StageError as error:
                    found[name] = error
                    del timed[name]
    return {name: found[name] if name in found else timed[name].speed() for name in commands}


def cost_per_million(throughput_per_s: float, machine_hour: str) -> Money:
    """What a million texts cost on a machine that is always busy and costs `machine_hour` an hour."""
    hour = money(machine_hour)
    hours = Decimal(1_000_000) / Decimal(str(round(throughput_per_s, 3))) / 3600
    return Money(amount=(hour.amount * hours).quantize(CENT_OF_A_CENT), currency=hour.currency)


def energy_j(powercap: Path = POWERCAP) -> float | None:
    """What the processors have used so far, by Intel's and AMD's RAPL counters; None where they cannot be read."""
    try:
        counters = [path.read_text(encoding="ascii") for path in sorted(powercap.glob("intel-rapl:?/energy_uj"))]
    except OSError:
        return None
    return sum(int(counter) for counter in counters) / 1e6 if counters else None


@dataclass(kw_only=True, slots=True)
class _Timed:
    """A process that is timed, and what it has shown."""

    asked: IO[str]
    told: IO[str]
    log: IO[str]
    process: subprocess.Popen[str]
    load_ms: float = 0.0
    peak_bytes: int = 0
    singles_s: list[list[float]] = field(default_factory=list)
    batches_s: list[list[float]] = field(default_factory=list)
    joules: list[float | None] = field(default_factory=list)

    def begin(self, texts: Texts) -> None:
        self.load_ms = self._answer()["load_ms"]
        self._ask(texts[:WARMUP_TEXTS], 1)
        self._ask(_filled(texts, 0), BATCH_TEXTS)

    def round(self, texts: Texts, number: int) -> None:
        """A part of the texts one by one, and as many as there is time for in requests of `BATCH_TEXTS`."""
        part = texts[number::ROUNDS] or texts[:1]
        self.singles_s.append(self._ask(part, 1))
        before = energy_j()
        self.batches_s.append(self._ask(_filled(texts, number), BATCH_TEXTS))
        after = energy_j()
        known = before is not None and after is not None and after >= before  # a counter begins anew now and then
        num_texts = len(self.batches_s[-1]) * BATCH_TEXTS
        self.joules.append((after - before) / num_texts * 1e3 if known else None)  # type: ignore[operator]

    def speed(self) -> Speed:
        singles_s = np.concatenate(self.singles_s)
        rates = [BATCH_TEXTS * len(times_s) / sum(times_s) for times_s in self.batches_s]
        middle = float(np.median(rates))
        joules = [one for one in self.joules if one is not None]
        return Speed(
            load_ms=self.load_ms,
            p50_ms=float(np.median([np.median(times_s) for times_s in self.singles_s])) * 1e3,
            p95_ms=float(np.percentile(singles_s, 95)) * 1e3,
            p99_ms=float(np.percentile(singles_s, 99)) * 1e3,
            throughput_1_per_s=float(np.median([len(times_s) / sum(times_s) for times_s in self.singles_s])),
            throughput_per_s=middle,
            spread=(max(rates) - min(rates)) / middle,
            peak_bytes=self.peak_bytes,
            joules_per_1000=float(np.median(joules)) if joules else None,
        )

    def _ask(self, texts: Texts, size: int) -> list[float]:
        order = {"texts": list(texts), "size": size, "most_s": MAX_S / ROUNDS}
        try:
            self.asked.write(json.dumps(order) + "\n")
            self.asked.flush()
        except BrokenPipeError:
            raise self._ended() from None
        times_s: list[float] = self._answer()["times_s"]
        return times_s

    def _answer(self) -> JSON:
        line = self.told.readline()
        if not line:
            raise self._ended()
        answer: JSON = json.loads(line)
        self.peak_bytes = answer["peak_bytes"]
        return answer

    def _ended(self) -> StageError:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(ENDING_S)  # its last word comes after its pipes are closed
        self.log.seek(0)
        said = (self.log.read().strip().splitlines() or ["no word"])[-1]
        return StageError(f"its process ended while it was timed: {said[:SHOWN_CHARS]}", parameter="try")


@contextmanager
def _started(command: Sequence[str]) -> Iterator[_Timed]:
    with (
        TemporaryFile("w+", encoding="utf-8", errors="replace") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8"
        ) as process,
    ):
        asked = _open(process.stdin)
        try:
            yield _Timed(asked=asked, told=_open(process.stdout), log=log, process=process)
        finally:
            process.kill()
            with suppress(BrokenPipeError):  # of what it did not read
                asked.close()


def _open(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise StageError("the process to be timed has no pipes")
    return stream


def _filled(texts: Texts, number: int) -> Texts:
    """The texts from another place each round, repeated until a request is full."""
    at = number * len(texts) // ROUNDS
    turned = [*texts[at:], *texts[:at]]
    num_texts = max(BATCH_TEXTS, len(texts) // BATCH_TEXTS * BATCH_TEXTS)
    return (turned * BATCH_TEXTS)[:num_texts]
