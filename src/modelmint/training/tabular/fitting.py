"""What the ways to learn from a table take and give.

Shapes: N rows, k columns, l labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from modelmint.core.columns import Columns, Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """`numbers` (N, k) as `Columns.encode` gives them; `targets` (N,) label ids or numbers."""

    numbers: Floats
    targets: npt.NDArray[Any]
    weights: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """`labels` of a classification, none for a number."""

    labels: tuple[str, ...] = ()

    @property
    def num_outputs(self) -> int:
        return len(self.labels) or 1


class Model(Protocol):
    """A fitted model of a table."""

    def raw(self, numbers: Floats) -> Floats:
        """(N, l) logits, or (N, 1) the number."""

    def importance(self, columns: Columns) -> dict[str, float]:
        """The share of each column in what the model says."""

    def save(self, folder: Path) -> None:
        """Write it: no file is pickled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """A model and how it was found: (training loss, validation loss) a round, and which round was the best (from 1)."""

    model: Model
    history: Sequence[tuple[float, float | None]]
    best_round: int
    num_parts: int
    """Trees, or coefficients."""


def probabilities(raw_nl: Floats) -> Floats:
    """(N, l) of logits."""
    powers = np.exp(raw_nl - raw_nl.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def mean_loss(raw_nl: Floats, targets: npt.NDArray[Any], target: Target, weights: Floats | None = None) -> float:
    """Log loss of labels (natural logarithm), root mean squared error of numbers."""
    if not target.labels:
        return float(np.sqrt(np.average((raw_nl[:, 0] - targets) ** 2, weights=weights)))
    chances = probabilities(raw_nl)[np.arange(len(targets)), targets.astype(np.int64)]
    return float(-np.average(np.log(np.maximum(chances, 1e-12)), weights=weights))
