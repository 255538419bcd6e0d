"""Trainings that are killed (SIGKILL) over and over: ``python dying_training.py FOLDER NUM_KILLS SEED``, answers as JSON.

The product's own `train` runs, each time in a process of its own that is forked from this one, where the libraries are
loaded. Checkpoints fall due every few steps. Half of the kills come at a random moment, half at a random call inside
the writing of a checkpoint.
"""

import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import modelmint.training.loop
import modelmint.training.tasks.text_classification  # noqa: F401  # loaded before the forks
from modelmint.training import checkpoints
from tests.tiny_base import write_base
from tests.training.alone import learn

POINTS = ("_write_tensors", "_write_json", "file_digest", "_sync", "_remove")
SPEC: dict[str, Any] = {
    "epochs": 60,
    "batch_size": 8,
    "micro_batch_size": 5,
    "learning_rate": 3e-4,
    "max_tokens": 16,
    "min_steps": 0,
    "precision": "fp32",
    "encoder_dropout": 0.1,
    "ema": 0.999,
    "patience": 0,
}


def main() -> None:
    folder, num_kills, dice = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    torch.set_num_threads(1)
    checkpoints.EVERY_S, checkpoints.MAX_SHARE = 0.02, 0.9
    base = folder / "base"
    if os.fork() == 0:  # torch's threads, if it begins any, do not live on in what is forked later
        write_base(base, num_spare_tokens=5)
        os._exit(0)
    os.wait()
    calm, turns = folder / "calm", 0
    assert killed(calm, base, None) is None
    answers, kills, inside = [], 0, 0
    while kills < num_kills:
        turns += 1
        home = folder / f"turn{turns}"
        while kills < num_kills:
            point = (dice.choice(POINTS), dice.randint(1, 30)) if dice.random() < 0.5 else None
            number = killed(home, base, point, after_s=dice.uniform(0.0, 0.5) if point is None else None)
            if number is None:
                break
            kills, inside = kills + 1, inside + (point is not None)
        while killed(home, base, None) is not None:
            pass
        answers.append(json.loads((home / "answer.json").read_text()))
    wanted = json.loads((calm / "answer.json").read_text())
    json.dump({"wanted": wanted, "answers": answers, "kills": kills, "inside": inside}, sys.stdout)


def killed(home: Path, base: Path, point: tuple[str, int] | None, *, after_s: float | None = None) -> int | None:
    """Train, or go on with it, in a process of its own; the signal that killed it, None where it ended well."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        if point is not None:
            setattr(checkpoints, point[0], dying(getattr(checkpoints, point[0]), point[1]))
        answer = learn(home, base, SPEC, num_rows=160, say=lambda done, *_: os.write(writer, b"." * bool(done)))
        (home / "answer.json").write_text(json.dumps({name: answer[name] for name in ("model", "training", "curve")}))
        os._exit(0)
    os.close(writer)
    if after_s is not None and select.select([reader], [], [], 60)[0] and os.read(reader, 1):
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    os.close(reader)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    if status:
        raise SystemExit(f"the training of {home} ended with {status}")
    return None


def dying(function: Callable[..., Any], nth: int) -> Callable[..., Any]:
    calls = 0

    def wrapped(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        result = function(*arguments)
        if calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


if __name__ == "__main__":
    main()
