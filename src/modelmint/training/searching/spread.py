"""Trials side by side on a Ray cluster: each is a task of Ray's, with the code of a trial that runs here.

What a trial needs lies in plain files in a folder that all machines see, as with the workers of a training; what it gives
is written there by the machine that ran it. Ray starts a trial again whose machine was lost, and it goes on from its checkpoint.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from modelmint.core.cluster import connected
from modelmint.core.errors import ModelmintError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON
from modelmint.training.searching.spec import SearchSpec
from modelmint.training.searching.trial import Trial
from modelmint.training.workers.order import PROGRESS, Order, found, put

if TYPE_CHECKING:
    from modelmint.training.searching.trying import Bench

POLL_S = 0.5
SAY_EVERY_S = 0.3
MAX_LOST = 3
Say = Callable[[int, int, str], None]


class Spread:
    """Runs trials on the cluster that it is connected to."""

    def __init__(self, spec: SearchSpec, bench: "Bench", ctx: StageContext, place: Mapping[str, int]) -> None:
        import ray

        self._ctx, self._folder, self._spec = ctx, ctx.checkpoints / "trials", spec
        self._task = ray.remote(num_cpus=place["CPU"], num_gpus=place["GPU"], max_retries=MAX_LOST)(_try)
        self._order = Order(
            folder=ctx.scratch / "order",
            checkpoints=self._folder,
            spec=bench.train,
            train=bench.inputs.train,
            validation=bench.inputs.validation,
            task=bench.task.name,
            beginning=bench.beginning,
            seed=bench.seed,
            num_threads=place["CPU"],
            deadline_s=None,
        ).write()

    def run(
        self,
        before: Sequence[Trial],
        proposed: Mapping[int, JSON],
        *,
        left_s: float | None,
        saying: Callable[[int], Say],
        note: Callable[[], None],
    ) -> list[Trial]:
        """Trials that know of those before and not of each other, to the end of all.

        Args:
            left_s: of the budget; the first trial of all is not bound by it.
            saying: the progress of a trial.
            note: called now and then.

        Raises:
            StageError: the deadline has passed, or the machine of a trial was lost again and again.
            DataError: the rows cannot be trained on.
        """
        import ray
        from ray.exceptions import RayError, RayTaskError

        shared = {"order": str(self._order), "spec": self._spec.identity(), "before": [asdict(one) for one in before]}
        ends_at = None if left_s is None else time.time() + left_s
        tasks = {
            self._task.remote(
                {**shared, "number": number, "values": values, "ends_at": ends_at if number else None}
            ): number
            for number, values in proposed.items()
        }
        ended: dict[int, Trial] = {}
        try:
            while waiting := [task for task, number in tasks.items() if number not in ended]:
                self._ctx.check()
                note()
                self._tell(proposed, ended, saying)
                for task in ray.wait(waiting, timeout=POLL_S)[0]:
                    ended[tasks[task]] = Trial.from_json(ray.get(task))
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, ModelmintError) else error from error
        except RayError as error:
            raise StageError(
                f"search: the machine of a trial was lost {1 + MAX_LOST} times: {type(error).__name__}",
                parameter="search",
                remedy="The log of the stage says more. A kill without a word is most often a lack of memory: set at_once "
                "lower. The same run goes on from its checkpoints.",
            ) from error
        finally:
            for task, number in tasks.items():
                if number not in ended:
                    ray.cancel(task, force=True)
        return [ended[number] for number in proposed]

    def _tell(self, proposed: Mapping[int, JSON], ended: Mapping[int, Trial], saying: Callable[[int], Say]) -> None:
        """The words of the first that has not ended."""
        for number in proposed:
            if number not in ended and (told := found(self._folder / f"{number:05d}", PROGRESS)) is not None:
                return saying(number)(told["done"], told["total"], told["message"])
        return None


@contextmanager
def spread(spec: SearchSpec, bench: "Bench", ctx: StageContext, address: str) -> Iterator[Spread]:
    """A connection to the cluster, for as long as the context lasts; each trial gets its share of the processors.

    Raises:
        UnavailableError: there is no Ray.
    """
    with connected(address, max(ctx.num_threads, spec.at_once)):
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        num_cores, most = (int(at(node.get("CPU", 0) for node in nodes)) for at in (sum, max))
        has_gpus = any(node.get("GPU", 0) for node in nodes)
        yield Spread(spec, bench, ctx, {"CPU": max(1, min(most, num_cores // spec.at_once)), "GPU": int(has_gpus)})


def _try(given: JSON) -> JSON:
    """A trial, on the machine that Ray chose; it is in the folder of trials when this answers."""
    import torch

    from modelmint.training.searching.proposals import Proposals
    from modelmint.training.searching.trying import Bench, SpentError, try_values
    from modelmint.training.tasks import TASKS
    from modelmint.training.train import TrainInputs

    order, number = Order.read(Path(given["order"])), given["number"]
    torch.set_num_threads(order.num_threads)
    task, spec = TASKS[order.task], SearchSpec.model_validate(given["spec"])
    bench = Bench(
        task=task,
        train=order.spec,
        options=getattr(task.learner(), "Options", None),
        inputs=TrainInputs(train=order.train, validation=order.validation),
        beginning=order.beginning,
        seed=order.seed,
    )
    proposals = Proposals(spec, order.spec, options=bench.options, defaults={}, seed=order.seed)
    before, folder = [Trial.from_json(one) for one in given["before"]], order.checkpoints / f"{number:05d}"
    folder.mkdir(parents=True, exist_ok=True)
    said_s = [0.0]

    def say(done: int, total: int, message: str) -> None:
        if time.monotonic() - said_s[0] >= SAY_EVERY_S:
            put(folder, PROGRESS, {"done": done, "total": total, "message": message})
            said_s[0] = time.monotonic()

    def check() -> None:
        if given["ends_at"] is not None and time.time() > given["ends_at"]:
            raise SpentError

    trial = try_values(
        bench,
        number,
        given["values"],
        checkpoints=folder,
        is_behind=lambda scores, higher: proposals.is_behind(before, scores, higher_is_better=higher),
        say=say,
        check=check,
    )
    trial.keep(order.checkpoints)
    return asdict(trial)
