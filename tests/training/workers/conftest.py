"""Trainings of the tiny base by several workers, each in a home of its own."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train
from tests.tiny_base import questions
from tests.training.places import new_context, new_dataset

TOGETHER = Callable[..., TrainOutputs]
TINY: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 3e-3,
    "head_learning_rate": 1e-2,
    "max_tokens": 16,
    "min_steps": 0,
    "precision": "fp32",
}


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, base: Path) -> TOGETHER:
    """``together(workers=2, ray_address="local", say=..., num_rows=75)``: train with two threads in all."""

    def run(
        *,
        ray_address: str | None = None,
        say: Callable[[int, int, str], None] = lambda _done, _total, _message: None,
        num_rows: int = 75,
        **spec: Any,
    ) -> TrainOutputs:
        home = tmp_path_factory.mktemp("together")
        context = new_context(home, say, num_threads=2, ray_address=ray_address)
        inputs = TrainInputs(
            train=new_dataset(context, "train", questions(num_rows)),
            validation=new_dataset(context, "held", questions(60, seed=99)),
        )
        return train(TrainSpec(**{"base": str(base), **TINY, **spec}), inputs, context)

    return run


class Killer:
    """Kills a worker with SIGKILL, once, when the training has come to a step; to be given as `say`."""

    def __init__(self, name: str, *, at_step: int) -> None:
        self._name, self._at, self._lock = name, at_step, threading.Lock()
        self.killed: list[int] = []
        self.said: list[str] = []

    def __call__(self, done: int, _total: int, message: str) -> None:
        self.said.append(message)
        with self._lock:
            if done < self._at or self.killed:
                return
            below = psutil.Process(os.getpid()).children(recursive=True)
            workers = [one for one in below if self._name in " ".join([one.name(), *one.cmdline()])]
            workers[-1].kill()
            self.killed.append(done)
