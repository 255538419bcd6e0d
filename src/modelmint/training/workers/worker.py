"""One worker of a training: a rank of the process group that `torch.distributed` has here. A named process boundary.

Run as ``python -m modelmint.training.workers.worker ORDER RANK WORKERS MEETING`` it makes the group itself, of processes
of one machine, and ends when its standard input does. Imports PyTorch.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import ModelmintError, StageError
from modelmint.training.making import make
from modelmint.training.ranks import ALONE, Group
from modelmint.training.tasks import TASKS
from modelmint.training.train import TrainInputs, new_job
from modelmint.training.workers.order import FAILED, MADE, MODEL, PROGRESS, Order, has_ended, put, put_error

SAY_EVERY_S = 0.3
LONGEST_WAIT = timedelta(days=1)
"""For the others: the first may be scoring for long. One that is lost is not waited for, since its connections end."""
LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK")


def work(order_path: str) -> None:
    """Train as this rank. The first writes the model and, last of all, what it made; who fails writes why.

    Raises:
        ModelmintError: the training failed; `ERROR` says the same.
    """
    for name in LAUNCHED:  # else Accelerate wraps the model, and averages the gradients that the loop sums
        os.environ.pop(name, None)
    if has_ended(Path(order_path).parent):  # all were started again after the first had done its work
        return
    with _errors_told(Path(order_path).parent):
        order = Order.read(Path(order_path))
        distributed: Any = torch.distributed
        ranks = Group() if distributed.get_world_size() > 1 else ALONE
        torch.set_num_threads(order.num_threads)
        kept = order.checkpoints / ("kept" if ranks.is_first else f"kept-{ranks.rank}")
        inputs = TrainInputs(train=order.train, validation=order.validation)
        job = new_job(TASKS[order.task], order.spec, inputs, order.beginning, order.seed, kept=kept)
        made = make(
            job,
            order.folder / MODEL,
            checkpoints=order.checkpoints,
            say=_says(order.folder) if ranks.is_first else _nothing,
            check=_checks(order.deadline_s),
            ranks=ranks,
        )
        if ranks.is_first:
            put(order.folder, MADE, asdict(made))


def main(order_path: str, rank: str, size: str, meeting: str) -> None:
    """A worker of one machine, as a process of its own."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    distributed: Any = torch.distributed
    distributed.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo",
        init_method=f"file://{meeting}",
        rank=int(rank),
        world_size=int(size),
        timeout=LONGEST_WAIT,
    )
    try:
        work(order_path)
    except ModelmintError as error:
        print(error, file=sys.stderr)  # noqa: T201  # the stage's log
        sys.exit(error.exit_code)
    except Exception as error:  # the process boundary: told to the stage, and raised into its log
        put(Path(order_path).parent, f"{FAILED}-{rank}.json", {"why": f"{type(error).__name__}: {error}"[:1000]})
        raise
    distributed.destroy_process_group()


@contextmanager
def _errors_told(folder: Path) -> Iterator[None]:
    try:
        yield
    except ModelmintError as error:
        if folder.is_dir():  # else it is another machine's, and Ray passes the error on
            put_error(folder, error)
        raise
    except MemoryError as error:
        told = StageError("batch_size: must fit into memory", parameter="batch_size", remedy="Lower train.batch_size.")
        put_error(folder, told)
        raise told from error


def _says(folder: Path) -> Callable[[int, int, str], None]:
    last_s = [0.0]

    def say(done: int, total: int, message: str) -> None:
        if monotonic_s() - last_s[0] >= SAY_EVERY_S:
            put(folder, PROGRESS, {"done": done, "total": total, "message": message})
            last_s[0] = monotonic_s()

    return say


def _nothing(_done: int, _total: int, _message: str) -> None:
    return


def _checks(deadline_s: float | None) -> Callable[[], None]:
    def check() -> None:
        if deadline_s is not None and time.time() > deadline_s:
            raise StageError(
                "timeout_s: the stage ran past its deadline",
                parameter="timeout_s",
                remedy="Raise timeout_s of this stage in the recipe, or give it less work.",
            )

    return check


def _end_with_input() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
