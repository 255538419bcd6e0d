"""Workers as processes of this machine: one a GPU where there are some, else some threads each."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from modelmint.core.errors import InputError, StageError
from modelmint.core.types import JSON
from modelmint.training.workers.order import FAILED, PROGRESS, found, made

MAX_LOST = 3
"""So often all workers are started again."""
POLL_S = 0.2


def on_this_machine(order: Path, num_workers: int, say: Callable[[int, int, str], None]) -> JSON:
    """Run the workers of an order to their end.

    Raises:
        ModelmintError: what a worker raised.
        StageError: workers were lost again and again.
    """
    num_gpus = _num_gpus()
    if 0 < num_gpus < num_workers:
        raise InputError(
            f"workers: must be at most the GPUs of this machine, {num_gpus}, with engine local; got {num_workers}",
            parameter="workers",
            remedy="Set train.workers lower, or run on a cluster with `engine: ray`.",
        )
    for attempt in range(1 + MAX_LOST):
        if attempt:
            say(0, 0, "a worker was lost: going on from the last checkpoint with new ones")
        workers = [_start(order, rank, num_workers, attempt, has_gpu=num_gpus > 0) for rank in range(num_workers)]
        try:
            codes = _followed(workers, order.parent, say)
        finally:
            _end(workers)
        if (answer := made(order.parent)) is not None:
            return answer
        if not any(code is not None and code < 0 for code in codes):  # none was killed: it would end so again
            break
    told = ", ".join("running" if code is None else str(code) for code in codes)
    why = [found(order.parent, path.name) for path in sorted(order.parent.glob(f"{FAILED}-*.json"))]
    told += "".join(f"; {one['why']}" for one in why[:1] if one)
    raise StageError(
        f"workers: each must live until the training ends; at start {attempt + 1} they ended with the codes {told}",
        parameter="workers",
        remedy="The log of the stage says more. A kill without a word is most often a lack of memory: set fewer workers, "
        "or a smaller batch_size.",
    )


def _start(order: Path, rank: int, size: int, attempt: int, *, has_gpu: bool) -> subprocess.Popen[bytes]:
    environ = {**os.environ, **({"CUDA_VISIBLE_DEVICES": str(rank)} if has_gpu else {})}
    if sys.platform == "linux" and not has_gpu:
        environ["GLOO_SOCKET_IFNAME"] = "lo"
    meeting = order.parent / f"meeting-{attempt}"
    return subprocess.Popen(
        [sys.executable, "-m", "modelmint.training.workers.worker", str(order), str(rank), str(size), str(meeting)],
        stdin=subprocess.PIPE,  # it ends when this process does
        env=environ,
    )


def _followed(
    workers: Sequence[subprocess.Popen[bytes]], folder: Path, say: Callable[[int, int, str], None]
) -> list[int | None]:
    """Pass their progress on until all have ended, or one has ended badly."""
    last: JSON | None = None
    while True:
        codes = [worker.poll() for worker in workers]
        if (told := found(folder, PROGRESS)) is not None and told != last:
            say(told["done"], told["total"], told["message"])
            last = told
        if all(code is not None for code in codes) or any(codes):
            return codes
        time.sleep(POLL_S)


def _end(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        with suppress(ProcessLookupError):
            worker.kill()
        worker.wait()
        if worker.stdin is not None:
            worker.stdin.close()


def _num_gpus() -> int:
    import torch

    return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0
