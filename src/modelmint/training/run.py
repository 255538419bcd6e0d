"""A training run: what it was given, and where it stands. Imports PyTorch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from modelmint.core.hashing import digest
from modelmint.core.types import JSON
from modelmint.training import parting
from modelmint.training.knobs import Knobs
from modelmint.training.learner import Learner, Score
from modelmint.training.optimization import choose_precision
from modelmint.training.optimizers import make_optimizer
from modelmint.training.ranks import ALONE, Ranks
from modelmint.training.short_norms import shorten_norms

MIN_VALIDATION_ROWS = 50
"""With fewer, a validation score says too little to stop by it or to choose the best epoch by it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """All that decides the numbers of a run. `rows` are the digests of its datasets, `epochs` how many at most."""

    learner: Learner[Any]
    task: str
    rows: Sequence[str]
    epochs: int

    @property
    def knobs(self) -> Knobs:
        return self.learner.knobs

    @property
    def seed(self) -> int:
        return self.learner.setting.seed

    @property
    def precision(self) -> str:
        return choose_precision(self.knobs.precision)

    @property
    def total_steps(self) -> int:
        every = len(self.learner.batches(0)) * self.epochs
        return every if self.knobs.max_steps is None else min(every, self.knobs.max_steps)

    def identity(self) -> str:
        """Equal for runs that give equal bits."""
        setting = self.learner.setting
        machine = [torch.__version__, torch.get_num_threads(), self.precision, torch.cuda.is_available()]
        what = [self.task, setting.spec.identity(), self.knobs.to_json(), setting.beginning.digest, list(self.rows)]
        return digest([*what, self.seed, self.epochs, machine])


@dataclass(kw_only=True, slots=True)
class Place:
    """Where a run stands: all of its state that is neither a tensor nor fixed at the start.

    `loss_sum` is over the `loss_steps` of this epoch; `curve` has a point a step or, where there are many, the mean of
    several; `train_seconds` counts steps alone, `saving_seconds` checkpoints, `seconds` everything.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: Score | None = None
    best_epoch: int = 0
    history: list[JSON] = field(default_factory=list)
    curve: list[JSON] = field(default_factory=list)
    pace: list[JSON] = field(default_factory=list)
    """Beside each point of the curve what its steps took (`training.pace`)."""
    loss_sum: float = 0.0
    loss_steps: int = 0
    num_seen: int = 0
    train_seconds: float = 0.0
    saving_seconds: float = 0.0
    seconds: float = 0.0
    micro_batch_size: int | None = None
    """Smaller than was asked for where memory did not hold it."""

    def to_json(self) -> JSON:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JSON) -> Self:
        best = value["best"]
        return cls(**{**value, "best": Score(**best) if best else None})


@dataclass(kw_only=True, slots=True)
class Run:
    """The moving parts of a run. `best_weights` is empty until a validation score was the best, `average` without EMA."""

    job: Job
    accelerator: Any
    model: nn.Module
    optimizer: Any
    total_steps: int
    place: Place
    best_weights: dict[str, Tensor]
    average: dict[str, Tensor]
    ranks: Ranks = ALONE
    is_parted: bool = False
    whole: nn.Module | None = None
    """Where the model is in parts: the first rank's copy of all of it, which is as new as its last use made it."""

    @classmethod
    def begin(cls, job: Job, ranks: Ranks = ALONE) -> Self:
        """The first step of a run: its weights depend on the job alone."""
        accelerator = _accelerator(job.precision)
        torch.manual_seed(job.seed)
        job.learner.num_steps = job.total_steps
        model = job.learner.build()
        ranks.same(model.state_dict().values())
        whole, is_parted = None, ranks.size > 1 and job.learner.setting.spec.sharding == "full"
        if is_parted:
            parting.must_fit(job.learner.setting.spec.method, job.knobs, job.precision, model)
            model, whole = parting.parted(model, ranks, accelerator.device)
        if job.precision == "bf16" and accelerator.device.type == "cpu":
            shorten_norms(model)
        model, optimizer = accelerator.prepare(model, make_optimizer(model, job.knobs, head=job.learner.head))
        torch.manual_seed(job.seed + ranks.rank)  # else dropout left out the same numbers on every rank
        average = (
            {name: tensor.detach().clone() for name, tensor in model.state_dict().items()} if job.knobs.ema else {}
        )
        return cls(
            job=job,
            accelerator=accelerator,
            model=model,
            optimizer=optimizer,
            total_steps=job.total_steps,
            place=Place(micro_batch_size=job.knobs.micro_batch_size),
            best_weights={},
            average=average,
            ranks=ranks,
            is_parted=is_parted,
            whole=whole,
        )

    @property
    def can_choose(self) -> bool:
        """There are enough validation rows to stop by, and to choose the best epoch by."""
        return self.job.learner.num_rows()[1] >= MIN_VALIDATION_ROWS

    @property
    def is_over(self) -> bool:
        place, patience = self.place, self.job.knobs.patience
        tired = patience > 0 and self.can_choose and place.epoch - place.best_epoch >= patience
        # Before the middle the learning rate is high and scores jump; a pause there says nothing.
        return place.epoch >= self.job.epochs or self.is_out_of_steps or (tired and place.step * 2 >= self.total_steps)

    @property
    def is_out_of_steps(self) -> bool:
        return self.place.step >= self.total_steps


def _accelerator(precision: str) -> Any:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()  # it is one a process, and refuses another precision than the last run's
    return Accelerator(mixed_precision="no" if precision == "fp32" else precision)
