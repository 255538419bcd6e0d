"""A number for a text. Imports PyTorch.

What is learned is the number less the mean of the training rows, divided by their standard deviation; both are kept in
the facts, and the answer is given in the number's own unit.

Shapes: b rows of a batch, l is 1.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from modelmint.core.errors import DataError
from modelmint.core.types import JSON
from modelmint.training.learner import Score
from modelmint.training.tasks.pooled_learner import PooledLearner
from modelmint.training.tasks.pooled_model import Pooled

NAME = "text-regression"


class TextRegression(PooledLearner):
    """A model that is gone on from keeps its mean and scale."""

    problem = "regression"
    outputs = ("value",)

    def targets(self, cells: Sequence[Any], role: str) -> list[Any]:
        wrong = next((cell for cell in cells if not math.isfinite(cell)), None)
        if wrong is not None:
            raise DataError(
                f"{role}: must have a finite number as label in each row; got {wrong}",
                parameter=role,
                remedy="Leave such rows out; collect puts them into quarantine.",
            )
        if role == "train":
            self.mean, self.scale = self._known() or _mean_and_scale(cells)
        return [(cell - self.mean) / self.scale for cell in cells]

    def tensor_of(self, targets: Sequence[Any]) -> Tensor:
        return torch.tensor(targets, dtype=torch.float32)

    def row_losses(self, logits_bl: Tensor, targets: Tensor) -> Tensor:
        """Squared error, in standard deviations."""
        return (logits_bl[:, 0] - targets) ** 2

    def score(self, model: nn.Module) -> Score:
        """The root of the mean squared error, in the number's own unit."""
        error_n = self.logits(model, self.validation)[:, 0].double() - torch.tensor(self.validation.targets).double()
        mean, num_rows = (error_n**2).mean().item(), len(error_n)
        root = math.sqrt(mean)
        spread = (error_n**2).std(correction=0).item() / math.sqrt(num_rows)
        return Score(
            metric="rmse",
            value=root * self.scale,
            num_rows=num_rows,
            loss=mean,
            higher_is_better=False,
            margin=spread / (2 * max(root, 1e-12)) * self.scale,  # the delta method
        )

    def facts(self) -> JSON:
        how = {"by": "identity", "mean": self.mean, "scale": self.scale}
        return super().facts() | {"labels": [], "answers": how}

    def _known(self) -> tuple[float, float] | None:
        about = self.setting.beginning.about
        if about.get("task") != NAME:
            return None
        return about["answers"]["mean"], about["answers"]["scale"]


class TextNumbers(Pooled):
    """A trained text regression. One thread at a time may call it."""

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """``{"value"}`` a row, from the column ``text``."""
        how = self.about["answers"]
        logits = self.logits(rows["text"], say=say)[:, 0].astype(np.float64)
        return [{"value": float(value)} for value in logits * how["scale"] + how["mean"]]


def load_numbers(folder: Path) -> TextNumbers:
    """The model in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of such a model.
    """
    return TextNumbers(folder)


def _mean_and_scale(cells: Sequence[float]) -> tuple[float, float]:
    numbers = np.asarray(cells, dtype=np.float64)
    if len(numbers) == 0 or numbers.min() == numbers.max():
        given = f"all {len(numbers)} rows have {numbers[0]:g}" if len(numbers) else "no rows"
        raise DataError(
            f"train: must hold at least two different numbers; got {given}",
            parameter="train",
            remedy="Give rows of another number, or look whether the right column was read as the label.",
        )
    return float(numbers.mean()), float(numbers.std())
