"""From the stage's process to its workers and back."""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import InputError
from modelmint.core.stage import StageContext
from modelmint.training.beginnings import Beginning
from modelmint.training.making import Made
from modelmint.training.spec import TrainSpec
from modelmint.training.tasks import Task
from modelmint.training.workers.cluster import on_ray
from modelmint.training.workers.local import on_this_machine
from modelmint.training.workers.order import MODEL, Order

if TYPE_CHECKING:
    from modelmint.training.train import TrainInputs


def by_workers(
    task: Task, spec: TrainSpec, inputs: "TrainInputs", beginning: Beginning, folder: Path, ctx: StageContext
) -> Made:
    """Train by `spec.workers` processes, on Ray where the stage has an address, and put the model into `folder`.

    Raises:
        InputError: the task cannot be parted.
        ModelmintError: what a worker raised, or that they were lost again and again.
    """
    if spec.workers > 1 and task.learner().whole_batches:
        raise InputError(
            f"workers: must be 1 for {task.name}, whose rows learn from all others of their batch; got {spec.workers}",
            parameter="workers",
            remedy="Take workers out of train; micro_batch_size saves memory.",
        )

    def write(num_threads: int) -> Path:
        return Order(
            folder=ctx.scratch / "workers",
            checkpoints=ctx.checkpoints,
            spec=spec,
            train=inputs.train,
            validation=inputs.validation,
            task=task.name,
            beginning=beginning,
            seed=ctx.seed,
            num_threads=num_threads,
            deadline_s=None if ctx.deadline_s is None else time.time() + ctx.deadline_s - monotonic_s(),
        ).write()

    if ctx.ray_address is None:
        answer = on_this_machine(write(max(1, ctx.num_threads // spec.workers)), spec.workers, ctx.say)
    else:
        answer = on_ray(write, ctx.ray_address, spec.workers, ctx.num_threads, ctx.say)
    shutil.move(ctx.scratch / "workers" / MODEL, folder)
    return Made(**answer)
