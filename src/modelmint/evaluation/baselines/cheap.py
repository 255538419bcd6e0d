"""What every cheap way takes and gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.answers import Answered, Columns
from modelmint.evaluation.predict import Predictions
from modelmint.evaluation.significance import Figure

MAX_ROWS = 30_000
MAX_BYTES = 256 << 20
"""More training rows, or larger ones, are not read: every so many-th is taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a cheap way may see: the training rows, the test rows, and for what can be compared the model's answers."""

    model: Model
    train: Dataset
    test: Dataset
    found: Answered
    ctx: StageContext

    @property
    def task(self) -> str:
        return self.found.task

    @property
    def truth(self) -> Columns:
        """The test rows by column, without images and recordings."""
        return self.found.truth

    @property
    def answers(self) -> Sequence[Any]:
        """The model's, a row each: by them lists of candidates and counts of tokens are the same for both."""
        return self.found.answers

    @property
    def seed(self) -> int:
        return self.ctx.seed


@dataclass(frozen=True, kw_only=True, slots=True)
class Cheap:
    """A cheap way that has learned."""

    name: str
    num_rows: int
    """Rows that it learned from."""
    answer: Callable[[], Any]
    """The answers to the test rows, as the task's predictor gives them; of a classifier `Predictions`; or what `figures`
    takes."""
    figures: Callable[[Any, int], dict[str, Figure]] | None = None
    """(what was answered, seed) -> figures, where answers a row would be too large."""
    only: tuple[str, ...] = ()
    """The figures that say something of it; none stands for all."""


def learned_rows(asked: Asked, names: Sequence[str], *, max_rows: int = MAX_ROWS) -> dict[str, list[Any]]:
    """At most `max_rows` training rows by column, those that have all of `names`; other columns are not read.

    Raises:
        DataError: there are none.
    """
    found: dict[str, list[Any]] = {name: [] for name in names}
    if asked.train.num_rows:
        table = tables.read(tables.sample(asked.train, max_rows=max_rows, max_bytes=MAX_BYTES), list(names))
        columns = [table.column(name).to_pylist() for name in names]
        whole = [row for row in zip(*columns, strict=True) if all(cell is not None for cell in row)]
        found = dict(zip(names, map(list, zip(*whole, strict=True)), strict=True)) if whole else found
    if not found[names[0]]:
        raise no_rows(names)
    return found


def no_rows(names: Sequence[str]) -> DataError:
    """The error for training rows that a cheap way cannot learn from."""
    return DataError(
        f"train: must hold rows with {', '.join(names)}, for the baseline to learn from; got none",
        parameter="train",
        remedy="Give more labelled rows, or set evaluate.baseline to none.",
    )


def believed(labels: Sequence[str], chances_nl: Any) -> Predictions:
    """Probabilities (N, l) whose columns are `labels`."""
    return Predictions(labels=tuple(labels), probabilities=np.asarray(chances_nl, np.float32))


def same_for_all(labels: Sequence[str], num_rows: int) -> Predictions:
    """The share of each of the training rows' `labels`, for every row; of equally frequent ones the earlier is told."""
    names, often = shares(labels)
    return believed(names, np.tile(np.asarray(often, np.float32), (num_rows, 1)))


def shares(labels: Sequence[str]) -> tuple[list[str], list[float]]:
    """The labels by name, and the share of each."""
    names, counts = np.unique(np.asarray(labels, dtype=object).astype(str), return_counts=True)
    return names.tolist(), (counts / counts.sum()).tolist()
