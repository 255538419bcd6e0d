"""A search that is killed (SIGKILL) over and over: ``python dying_search.py FOLDER NUM_KILLS SEED``, answers as JSON.

The product's own `search` runs, each time in a process that is forked from this one, where the libraries are loaded.
Half of the kills come at a random word of progress, half just when a trial that has ended is written down.
"""

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import optuna  # noqa: F401  # loaded before the forks
import torch

import modelmint.training.loop
import modelmint.training.tasks.text_classification  # noqa: F401
from modelmint.training import checkpoints
from modelmint.training.search import SearchInputs, search
from modelmint.training.searching.spec import SearchSpec
from modelmint.training.searching.trial import Trial
from tests.tiny_base import questions, write_base
from tests.training.places import new_context, new_dataset

TINY = {"epochs": 4, "min_steps": 0, "batch_size": 8, "learning_rate": 3e-3, "max_tokens": 16, "precision": "fp32"}
SPACE = {"head_learning_rate": {"low": 1e-6, "high": 3e-2, "log": True}, "optimizer": ["adamw", "sgd"]}
NUM_TRIALS, NUM_WORDS = 7, 25 * 7


def main() -> None:
    folder, num_kills, dice = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    torch.set_num_threads(1)
    checkpoints.EVERY_S, checkpoints.MAX_SHARE = 0.02, 0.9
    base = folder / "base"
    if os.fork() == 0:  # torch's threads, if it begins any, do not live on in what is forked later
        write_base(base, num_spare_tokens=5)
        os._exit(0)
    os.wait()
    assert not killed(folder / "calm", base)
    answers, kills, turns = [], 0, 0
    while kills < num_kills:
        turns += 1
        home = folder / f"turn{turns}"
        while kills < num_kills:
            words, records = (dice.randint(1, NUM_WORDS // 2), 0) if dice.random() < 0.5 else (0, dice.randint(1, 2))
            if not killed(home, base, words=words, records=records):
                break
            kills += 1
        assert not killed(home, base)
        answers.append((home / "answer").read_text())
    json.dump({"wanted": (folder / "calm" / "answer").read_text(), "answers": answers, "kills": kills}, sys.stdout)


def killed(home: Path, base: Path, *, words: int = 0, records: int = 0) -> bool:
    """Search, or go on with it, in a process of its own; whether it was killed, at that word or that record."""
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)
        said = [0]

        def say(_done: int, _total: int, _message: str) -> None:
            said[0] += 1
            if said[0] == words:
                os.kill(os.getpid(), signal.SIGKILL)

        if records:
            setattr(Trial, "keep", dying(Trial.keep, records))  # noqa: B010
        (home / "answer").write_text(find(home, base, say))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status and not os.WIFSIGNALED(status):
        raise SystemExit(f"the search of {home} ended with {status}")
    return os.WIFSIGNALED(status)


def find(home: Path, base: Path, say: Any) -> str:
    """The digest of the study; the checkpoints in `home` are gone on from."""
    context = new_context(home, say)
    inputs = SearchInputs(
        train=new_dataset(context, "train", questions(48)),
        validation=new_dataset(context, "held", questions(60, seed=9)),
    )
    spec = SearchSpec.model_validate({"train": {"base": str(base), **TINY}, "space": SPACE, "trials": NUM_TRIALS})
    return search(spec, inputs, context).search.digest


def dying(function: Any, nth: int) -> Any:
    """It kills the process after its nth call."""
    calls = [0]

    def wrapped(*arguments: Any) -> None:
        calls[0] += 1
        function(*arguments)
        if calls[0] == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    return wrapped


if __name__ == "__main__":
    main()
