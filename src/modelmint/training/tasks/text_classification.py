"""One label a text: an encoder, the mean of its states, one linear layer. Imports PyTorch.

Shapes: b rows of a batch, l labels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.errors import DataError
from modelmint.core.types import JSON
from modelmint.training.learner import Score
from modelmint.training.optimization import class_weights
from modelmint.training.tasks.pooled_learner import PooledLearner
from modelmint.training.tasks.pooled_model import MeanPoolClassifier, Pooled


class TextClassification(PooledLearner):
    """Labels are the sorted ones of the training rows; validation rows of another label are left out and counted."""

    def targets(self, cells: Sequence[Any], role: str) -> list[Any]:
        if role == "train":
            self.outputs = _labels(cells)
        number = {label: label_id for label_id, label in enumerate(self.outputs)}
        found = [number.get(cell) for cell in cells]
        if role == "validation":
            self._num_without_class = sum(one is None for one in found)
        return found

    def tensor_of(self, targets: Sequence[Any]) -> Tensor:
        return torch.tensor(targets)

    def new_model(self) -> MeanPoolClassifier:
        model = super().new_model()
        self._class_weights: Tensor | None = None
        if self.knobs.class_weights == "balanced":
            self._class_weights = class_weights(self.train.targets, len(self.outputs))
        return model

    def weighed(self, weight_b: Tensor, targets: Tensor) -> Tensor:
        return weight_b if self._class_weights is None else weight_b * self._class_weights[targets]

    def row_losses(self, logits_bl: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy."""
        return functional.cross_entropy(
            logits_bl, targets, label_smoothing=self.knobs.label_smoothing, reduction="none"
        )

    def score(self, model: nn.Module) -> Score:
        logits_bl = self.logits(model, self.validation)
        label_ids_b = torch.tensor(self.validation.targets)
        accuracy = (logits_bl.argmax(dim=1) == label_ids_b).double().mean().item()
        return Score(
            metric="accuracy",
            value=accuracy,
            num_rows=len(label_ids_b),
            loss=functional.cross_entropy(logits_bl, label_ids_b).item(),
            margin=math.sqrt(accuracy * (1 - accuracy) / len(label_ids_b)),
        )

    def told(self) -> JSON:
        return {
            "num_validation_rows_without_class": self._num_without_class,
            **self.told_of_labels(),
            **super().told(),
        }


class Classifier(Pooled):
    """A trained text classifier. One thread at a time may call it."""

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """``{"label", "score"}`` a row, from the column ``text``, and ``text_pair`` where the rows are pairs."""
        chances_nl = self.chances(rows, say)
        return [
            {"label": self.labels[at], "score": float(row[at])}
            for row, at in zip(chances_nl, chances_nl.argmax(axis=1), strict=True)
        ]

    def chances(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """(N, l) the probability of each label."""
        logits_nl = self.logits(rows["text"], say=say, pairs=rows.get("text_pair"))
        return np.asarray(torch.softmax(torch.from_numpy(logits_nl), dim=1).numpy(), np.float32)


def load_classifier(folder: Path) -> Classifier:
    """The classifier in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained text classifier.
    """
    return Classifier(folder)


def _labels(names: Sequence[str]) -> list[str]:
    labels = sorted(set(names))
    if len(labels) < 2:
        given = f"all {len(names)} rows have the label {labels[0]!r}" if labels else "no rows"
        raise DataError(
            f"train: must hold at least two different labels; got {given}",
            parameter="train",
            remedy="Give rows of another label, or look whether the right column was read as the label.",
        )
    return labels
