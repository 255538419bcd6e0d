"""What a task adds to the loop: how its rows become batches, its model, its loss, its score and its files.

Shapes: b rows of a batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from modelmint.core.types import JSON, Dataset
from modelmint.training.beginnings import Beginning
from modelmint.training.knobs import Knobs
from modelmint.training.spec import TrainSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Examples = TypeVar("Examples")
Batch = dict[str, Any]
"""Tensors by name, on the device of the run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How good a model is on the validation rows.

    `loss` is the mean over what the loss counts, None where there is none. Scores within `margin` of the best are as
    good as the best.
    """

    metric: str
    value: float
    num_rows: int
    loss: float | None = None
    higher_is_better: bool = True
    margin: float = 0.0
    also: dict[str, float] = field(default_factory=dict)
    """Other figures of the same rows, for the training report."""

    def is_better_than(self, other: "Score") -> bool:
        return self.value > other.value if self.higher_is_better else self.value < other.value

    def is_as_good_as(self, best: "Score | None") -> bool:
        if best is None:
            return True
        gap = best.value - self.value if self.higher_is_better else self.value - best.value
        return gap <= best.margin


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """All that a learner is made from beside its rows."""

    spec: TrainSpec
    knobs: Knobs
    options: Any
    """The task's own Spec (`Learner.Options`), or None where it has none."""
    beginning: Beginning
    seed: int
    kept: Path | None = None
    """A folder that lives as long as the run's checkpoints, for what is computed once and is costly; none in a probe."""


class Learner(ABC, Generic[Examples]):
    """One a run: made, `read`, `build`. After that nothing in it changes, so that a checkpoint needs none of it.

    `train` and `validation` are the rows as this task keeps them, in the order of the datasets but for rows that are
    left out; `batch` picks from them by number.
    """

    head: str = "classifier."
    """What the names of parameters begin with that start from nothing, and learn at `head_learning_rate`."""
    whole_batches: bool = False
    """The loss of a row hangs on the others of its batch, so that a batch cannot be cut: where memory is short, `loss`
    itself computes `batch["rows_at_once"]` rows at a time."""
    train: Examples
    validation: Examples
    num_steps: int = 0
    """Of the whole training; known when `build` is called."""

    rounds: int = 0
    """Where it is not 0 the learner fits its model itself (`fit_whole`), in so many rounds at most, and no loop runs."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.knobs = setting, setting.knobs

    @abstractmethod
    def read(self, train: Dataset, validation: Dataset) -> None:
        """Read and encode the rows into `train` and `validation`. Called first, and once.

        Raises:
            DataError: they cannot be trained on.
        """

    @abstractmethod
    def build(self) -> "nn.Module":
        """The model before its first step, drawn from torch's global generator. Called once."""

    @abstractmethod
    def lengths(self, examples: Examples) -> Sequence[int]:
        """(N,) the size of each example, in tokens or the like; batches are made of examples of like size."""

    @abstractmethod
    def batch(self, examples: Examples, rows: Sequence[int], device: "torch.device") -> Batch:
        """The examples with these numbers."""

    @abstractmethod
    def weight(self, batch: Batch) -> float:
        """What the loss of a batch is divided by: rows, tokens that are predicted, or the sum of their weights."""

    def num_tokens(self, batch: Batch) -> tuple[int, int] | None:
        """The tokens that the model reads of a batch, without padding and with it; None where rows have none.

        By default counted from the masks in the batch.
        """
        masks = list(_masks(batch))
        return (sum(int(one.sum()) for one in masks), sum(one.numel() for one in masks)) if masks else None

    @abstractmethod
    def loss(self, model: "nn.Module", batch: Batch) -> "Tensor":
        """() the sum of the losses of a batch; divided by `weight` it is what is minimised."""

    @abstractmethod
    def score(self, model: "nn.Module") -> Score:
        """On the validation rows. Called where there are some."""

    @abstractmethod
    def save(self, model: "nn.Module", folder: Path) -> None:
        """Write the model, on the CPU, into an existing folder: equal weights give equal files, none of them pickled.

        `modelmint.json`, with `facts` in it, is written by the caller.
        """

    @abstractmethod
    def facts(self) -> JSON:
        """What one must know to use the model: labels, max_tokens and the like."""

    def fit_whole(self, say: Callable[[int, int, str], None], check: Callable[[], None]) -> "tuple[nn.Module, JSON]":
        """The fitted model and fields of `run.Place`. Called in place of the loop where there are `rounds`; `check` ends
        the fit by what it raises. Equal jobs give equal models; a fit that was ended begins anew.
        """
        raise NotImplementedError

    def expected_rounds(self, num_validation_rows: int) -> int:  # noqa: ARG002  # fewer where those stop it
        """How many of the `rounds` a fit beside so many validation rows is likely to need, found on the training rows."""
        return self.rounds

    def told(self) -> JSON:
        """More for the training report."""
        return {}

    def num_rows(self) -> tuple[int, int]:
        """Training and validation examples."""
        return len(self.lengths(self.train)), len(self.lengths(self.validation))

    def batches(self, epoch: int) -> list[list[int]]:
        """The training examples of each step of an epoch: the seed and the epoch alone decide."""
        from modelmint.training.batches import bucketed_batches

        return bucketed_batches(
            self.lengths(self.train), self.knobs.batch_size, BUCKET_BATCHES, self.setting.seed, epoch
        )


BUCKET_BATCHES = 64


def _masks(batch: Batch) -> "Iterator[Tensor]":
    for name, value in batch.items():
        if isinstance(value, dict):
            yield from _masks(value)
        elif name in ("attention_mask", "target_mask"):
            yield value
