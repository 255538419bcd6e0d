"""A training run: what it was given, and where it stands. Imports PyTorch."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor

from modelmint.core.hashing import digest
from modelmint.core.types import JSON
from modelmint.training.batches import TokenIds
from modelmint.training.classifier import MeanPoolClassifier, new_classifier
from modelmint.training.optimization import choose_precision, class_weights, make_optimizer
from modelmint.training.spec import FinetuneSpec
from modelmint.training.vocabulary import Vocabulary

MIN_VALIDATION_ROWS = 50
"""With fewer, a validation score says too little to stop by it or to choose the best epoch by it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """Rows as token ids, each with the number of its label, and its weight in the loss where rows have one."""

    token_ids: TokenIds
    label_ids: Sequence[int]
    weights: Sequence[float] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """All that decides the numbers of a run. `folder` holds the encoder, `digest` covers its files."""

    spec: FinetuneSpec
    folder: Path
    digest: str
    labels: Sequence[str]
    train: Encoded
    validation: Encoded
    seed: int
    epochs: int

    @property
    def precision(self) -> Literal["bf16", "fp32"]:
        return choose_precision(self.spec.precision)

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.train.label_ids) / self.spec.batch_size)

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.epochs

    def identity(self) -> str:
        """Equal for runs that give equal bits."""
        machine = [torch.__version__, torch.get_num_threads(), self.precision, torch.cuda.is_available()]
        rows = [[encoded.token_ids, list(encoded.label_ids)] for encoded in (self.train, self.validation)]
        if self.train.weights is not None:
            rows.append([list(self.train.weights)])
        return digest([self.spec.identity(), self.digest, list(self.labels), rows, self.seed, self.epochs, machine])


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Accuracy and loss on the validation rows."""

    accuracy: float
    loss: float

    def is_as_good_as(self, best: "Score | None", num_rows: int) -> bool:
        """Within one standard error of the best accuracy so far (Breiman et al. 1984, the one-standard-error rule).

        On a hundred rows the highest of several scores is mostly luck, while later epochs have the smaller steps.
        """
        if best is None:
            return True
        return self.accuracy >= best.accuracy - math.sqrt(best.accuracy * (1 - best.accuracy) / num_rows)


@dataclass(kw_only=True, slots=True)
class Place:
    """Where a run stands: all of its state that is neither a tensor nor fixed at the start.

    `loss_sum` is over the `loss_steps` of this epoch; `train_seconds` counts steps alone, `seconds` everything.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: Score | None = None
    best_epoch: int = 0
    history: list[JSON] = field(default_factory=list)
    loss_sum: float = 0.0
    loss_steps: int = 0
    num_seen: int = 0
    train_seconds: float = 0.0
    seconds: float = 0.0

    def to_json(self) -> JSON:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JSON) -> Self:
        best = value["best"]
        return cls(**{**value, "best": Score(**best) if best else None})


@dataclass(kw_only=True, slots=True)
class Run:
    """The moving parts of a run. `best_weights` is empty until a validation score was the best."""

    job: Job
    accelerator: Any
    model: MeanPoolClassifier
    optimizer: Any
    vocabulary: Vocabulary
    train_ids: TokenIds
    validation_ids: TokenIds
    loss_weights: Tensor | None
    place: Place
    best_weights: dict[str, Tensor]

    @classmethod
    def begin(cls, job: Job) -> Self:
        """The first step of a run: its weights depend on the job alone."""
        accelerator = _accelerator(job.precision)
        torch.manual_seed(job.seed)
        model = new_classifier(job.folder, job.labels, job.spec)
        vocabulary = Vocabulary.narrow(model.encoder, job.train.token_ids + job.validation.token_ids)
        model, optimizer = accelerator.prepare(model, make_optimizer(model, job.spec))
        torch.manual_seed(job.seed)
        weights = class_weights(job.train.label_ids, len(job.labels)) if job.spec.class_weights == "balanced" else None
        return cls(
            job=job,
            accelerator=accelerator,
            model=model,
            optimizer=optimizer,
            vocabulary=vocabulary,
            train_ids=vocabulary.encode(job.train.token_ids),
            validation_ids=vocabulary.encode(job.validation.token_ids),
            loss_weights=None if weights is None else weights.to(accelerator.device),
            place=Place(),
            best_weights={},
        )

    @property
    def can_choose(self) -> bool:
        """There are enough validation rows to stop by, and to choose the best epoch by."""
        return len(self.validation_ids) >= MIN_VALIDATION_ROWS

    @property
    def is_over(self) -> bool:
        place, patience = self.place, self.job.spec.patience
        tired = patience is not None and self.can_choose and place.epoch - place.best_epoch >= patience
        # Before the middle the learning rate is high and scores jump; a pause there says nothing.
        return place.epoch >= self.job.epochs or (tired and place.step * 2 >= self.job.total_steps)


def _accelerator(precision: str) -> Any:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()  # it is one a process, and refuses another precision than the last run's
    return Accelerator(mixed_precision="bf16" if precision == "bf16" else "no")
