"""Workers on a Ray cluster, by Ray Train: it places them, makes their process group, and starts all again when one is lost."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelmint.core.cluster import LOCAL_RAY, connected
from modelmint.core.errors import InputError, ModelmintError, StageError
from modelmint.core.types import JSON
from modelmint.training.workers.local import MAX_LOST
from modelmint.training.workers.order import PROGRESS, found, made

POLL_S = 0.5
LONGEST_WAIT_S = 86_400
"""Of a worker for the others: the first may be scoring for long. Ray itself sees that one is lost."""


def on_ray(
    write: Callable[[int], Path], address: str, num_workers: int, num_threads: int, say: Callable[[int, int, str], None]
) -> JSON:
    """Run the workers of an order to their end.

    Args:
        write: writes the order for workers of so many threads, and gives its path.
        num_threads: of this machine, for a Ray of this machine alone.

    Raises:
        ModelmintError: what a worker raised.
        StageError: workers were lost again and again.
        UnavailableError: there is no Ray.
    """
    say(0, 0, "starting workers on Ray")
    with connected(address, max(num_threads, num_workers)):
        place = _place(num_workers)
        order = write(int(place["CPU"]))
        with _followed(order.parent, say):
            _fit(order, num_workers, place, is_alone=address == LOCAL_RAY)
    answer = made(order.parent)
    if answer is None:
        raise StageError(
            "workers: ended without a model", parameter="workers", remedy="The log of the stage says more."
        )
    return answer


def _fit(order: Path, num_workers: int, place: Mapping[str, float], *, is_alone: bool) -> None:
    from ray.exceptions import RayError
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError

    trainer = TorchTrainer(
        _work,
        train_loop_config={"order": str(order)},
        scaling_config=ScalingConfig(num_workers=num_workers, use_gpu="GPU" in place, resources_per_worker=dict(place)),
        torch_config=TorchConfig(timeout_s=LONGEST_WAIT_S),
        run_config=RunConfig(
            name="ray",
            storage_path=str(order.parent),
            failure_config=FailureConfig(max_failures=MAX_LOST),
            worker_runtime_env={"env_vars": {"GLOO_SOCKET_IFNAME": "lo"}} if is_alone and "GPU" not in place else None,
        ),
    )
    causes: list[Exception] = []
    for _ in range(1 + MAX_LOST):
        try:
            trainer.fit()
        except TrainingFailedError as error:
            causes = [error, *getattr(error, "worker_failures", {}).values()]
        except RayError as error:  # what minds the workers was lost itself
            causes = [error]
            continue
        break
    if not causes or made(order.parent) is not None:
        return
    told = next((cause for cause in causes if isinstance(cause, ModelmintError)), None)
    raise told or StageError(
        f"workers: each must live until the training ends; they were lost {1 + MAX_LOST} times, the last time by "
        f"{type(causes[-1]).__name__}: {str(causes[-1]).strip()[-500:]}",
        parameter="workers",
        remedy="The log of the stage says more. A kill without a word is most often a lack of memory: set fewer "
        "workers, or a smaller batch_size.",
    ) from causes[0]


def _work(config: Mapping[str, str]) -> None:
    from modelmint.training.workers.worker import work

    work(config["order"])


def _place(num_workers: int) -> dict[str, float]:
    """What each worker gets: a GPU where there are some, and its share of the processors.

    Raises:
        InputError: the cluster has fewer GPUs than workers, or, without GPUs, fewer processors.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    rooms = [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes]
    num_cores, num_gpus = sum(cores for cores, _ in rooms), sum(gpus for _, gpus in rooms)
    most = max((cores for cores, _ in rooms), default=0)

    def places(share: int) -> int:
        return sum(min(cores // share, gpus) if num_gpus else cores // share for cores, gpus in rooms)

    # As many for each as let all of them find a place.
    share = next((share for share in range(most, 0, -1) if places(share) >= num_workers), 0)
    if not share:
        there = f"GPUs, {num_gpus}" if num_gpus else f"processors, {num_cores}"
        raise InputError(
            f"workers: must be at most the Ray cluster's {there}; got {num_workers}",
            parameter="workers",
            remedy="Set train.workers lower, or add machines to the cluster.",
        )
    return {"CPU": share, **({"GPU": 1} if num_gpus else {})}


@contextmanager
def _followed(folder: Path, say: Callable[[int, int, str], None]) -> Iterator[None]:
    """Pass the workers' progress on, from a thread, while this one waits."""
    ended = threading.Event()

    def follow() -> None:
        last: Any = None
        while not ended.wait(POLL_S):
            if (told := found(folder, PROGRESS)) is not None and told != last:
                say(told["done"], told["total"], told["message"])
                last = told

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
