"""A probe of a training: some real steps on real rows, timed, and a cheap look at what it will reach.

Each is in a process of its own (``python -m modelmint.training.probing FOLDER``), so that its peak of memory is its own,
and that one which takes too long can be ended: what it had found by then is kept. The rows go to it through a pipe and
are on no disk; what it writes on its way lies in FOLDER, which is removed.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from modelmint.core import tables
from modelmint.core.clock import monotonic_s
from modelmint.core.errors import ModelmintError
from modelmint.core.types import JSON, Dataset
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks import task_of

ANSWER = "answer.jsonl"
MIN_QUALITY_S = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked of a probe. `train` is a `TrainSpec`; null asks for the cheap way on these rows, which has no base."""

    train: JSON | None
    num_rows: int
    num_validation_rows: int
    num_threads: int
    machine_hour: str
    limit_s: float
    seed: int = 17


def probe(question: Question, sample: Dataset) -> JSON:
    """Ask, and wait for the answer at most `question.limit_s`.

    Returns:
        ``estimate`` as `estimate.estimate` gives it, ``expected`` as `quality.expected`, each where it was reached;
        ``refused``: why it cannot be trained so; ``failed``: why the probe told nothing, in a sentence.
    """
    with tempfile.TemporaryDirectory(prefix="modelmint-probe-") as name:
        folder = Path(name)
        failed = _run(folder, _written(question, sample), question.limit_s)
        lines = (folder / ANSWER).read_text(encoding="utf-8").splitlines() if (folder / ANSWER).is_file() else []
        answer: JSON = {}
        for line in lines:
            with suppress(ValueError):  # the last line of a probe that was ended
                answer |= json.loads(line)
        return {**answer, **({"failed": failed} if failed else {})}


def _written(question: Question, sample: Dataset) -> bytes:
    sink, table = pa.BufferOutputStream(), tables.read(sample)
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    asked = {**asdict(question), "facts": dict(sample.facts)}
    return json.dumps(asked).encode() + b"\n" + bytes(sink.getvalue())


def _run(folder: Path, asked: bytes, limit_s: float) -> str:
    """Why it did not end well; empty where it did."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(folder)],
            input=asked,
            capture_output=True,
            timeout=limit_s,
            check=False,
            # What the hub's cache holds is enough, and nothing is left behind.
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TMPDIR": str(folder)},
        )
    except subprocess.TimeoutExpired:
        return f"it took longer than {limit_s:.0f} s"
    if done.returncode == 0:
        return ""
    last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1][:300]
    return f"its process ended with {done.returncode}: {last}"


def main() -> None:
    """The child: one JSON object a line into `ANSWER`, as soon as it is known."""
    began_s, folder = monotonic_s(), Path(sys.argv[1])
    asked = json.loads(sys.stdin.buffer.readline())
    with pa.ipc.open_stream(sys.stdin.buffer) as stream:
        sample = tables.in_memory("sample", stream.read_all(), asked.pop("facts"))
    question = Question(**asked)

    def say(found: JSON) -> None:
        with (folder / ANSWER).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(found) + "\n")

    try:
        _answer(question, sample, began_s, say)
    except ModelmintError as error:
        say({"refused": error.message})


def _answer(question: Question, sample: Dataset, began_s: float, say: Callable[[JSON], None]) -> None:
    from modelmint.training.quality import cheap_way, expected

    if question.train is None:
        say({"expected": cheap_way(task_of(TrainSpec(), sample), sample, seed=question.seed)})
        return
    from modelmint.training.estimate import estimate

    train = TrainSpec(**question.train)
    say(
        {
            "estimate": estimate(
                train,
                sample,
                num_rows=question.num_rows,
                num_validation_rows=question.num_validation_rows,
                num_threads=question.num_threads,
                machine_hour=question.machine_hour,
            )
        }
    )
    left_s = question.limit_s - (monotonic_s() - began_s)
    if left_s > MIN_QUALITY_S:
        found = expected(task_of(train, sample), train, sample, limit_s=left_s / 2, seed=question.seed)
        say({"expected": found})


if __name__ == "__main__":
    main()
