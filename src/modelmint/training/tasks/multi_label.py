"""Any number of labels a text: a sigmoid and a threshold for each label. Imports PyTorch.

Shapes: b rows of a batch, n validation rows, l labels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.errors import DataError
from modelmint.core.spec import Spec
from modelmint.core.types import JSON
from modelmint.training.learner import Score
from modelmint.training.run import MIN_VALIDATION_ROWS
from modelmint.training.tasks.pooled_learner import PooledLearner
from modelmint.training.tasks.pooled_model import MeanPoolClassifier, Pooled

Floats = npt.NDArray[np.float64]
MAX_POSITIVE_WEIGHT = 100.0
"""Of `class_weights: balanced`: one row of a very rare label must not outweigh a batch."""
MIN_POSITIVES = 5
"""With fewer validation rows of a label, its own threshold would say more of them than of the label."""


class MultiLabelOptions(Spec):
    """What only the task multi-label-classification knows."""

    thresholds: Literal["global", "per-label"] | Annotated[float, Field(gt=0, lt=1)] = "global"
    """From which score on a label is given: one threshold for all (`global`), one for each label that has at least 5
    validation rows (`per-label`), or a number. They are chosen on the validation rows for the best F1 (micro-F1 for one
    of all); where there are fewer than 50 rows none is chosen, and it is 0.5.
    """


class MultiLabelClassification(PooledLearner):
    """Labels are the sorted ones of the training rows; a validation row's other labels are left out and counted."""

    Options = MultiLabelOptions
    target = "labels"
    problem = "multi_label_classification"
    thresholds: Sequence[float] = ()
    """One a label; known once the model is saved."""

    def targets(self, cells: Sequence[Any], role: str) -> list[Any]:
        if role == "train":
            self.outputs = _labels(cells)
        number = {label: label_id for label_id, label in enumerate(self.outputs)}
        if role == "validation":
            self._num_with_unknown = sum(any(label not in number for label in cell) for cell in cells)
        return [sorted({number[label] for label in cell if label in number}) for cell in cells]

    def tensor_of(self, targets: Sequence[Any]) -> Tensor:
        hot_bl = torch.zeros(len(targets), len(self.outputs))
        for row, label_ids in enumerate(targets):
            hot_bl[row, label_ids] = 1.0
        return hot_bl

    def new_model(self) -> MeanPoolClassifier:
        model = super().new_model()
        self._positive_weight_l: Tensor | None = None
        if self.knobs.class_weights == "balanced":
            num_positive_l = self.tensor_of(self.train.targets).sum(dim=0).clamp(min=1)
            num_negative_l = len(self.train.targets) - num_positive_l
            self._positive_weight_l = (num_negative_l / num_positive_l).clamp(
                1 / MAX_POSITIVE_WEIGHT, MAX_POSITIVE_WEIGHT
            )
        return model

    def row_losses(self, logits_bl: Tensor, targets: Tensor) -> Tensor:
        """The mean over labels of the binary cross entropy."""
        smoothing = self.knobs.label_smoothing
        weight_l = None if self._positive_weight_l is None else self._positive_weight_l.to(logits_bl.device)
        return functional.binary_cross_entropy_with_logits(
            logits_bl, targets * (1 - smoothing) + smoothing / 2, pos_weight=weight_l, reduction="none"
        ).mean(dim=1)

    def score(self, model: nn.Module) -> Score:
        """Micro-F1 at the threshold that is best for it on these rows."""
        logits_nl = self.logits(model, self.validation)
        truth_nl = self.tensor_of(self.validation.targets)
        _, f1 = _best(_sigmoid(logits_nl).ravel(), truth_nl.numpy().astype(bool).ravel())
        return Score(
            metric="micro_f1",
            value=f1,
            num_rows=len(truth_nl),
            loss=functional.binary_cross_entropy_with_logits(logits_nl, truth_nl).item(),
            margin=math.sqrt(f1 * (1 - f1) / max(1.0, truth_nl.sum().item())),
        )

    def save(self, model: nn.Module, folder: Path) -> None:
        self.thresholds = self._choose(model)
        super().save(model, folder)

    def facts(self) -> JSON:
        return super().facts() | {"answers": {"by": "sigmoid", "thresholds": list(self.thresholds)}}

    def told(self) -> JSON:
        return {
            "num_validation_rows_with_unknown_labels": self._num_with_unknown,
            "num_rows_without_labels": sum(not target for target in self.train.targets),
            "thresholds": dict(zip(self.outputs, self.thresholds, strict=True)),
            **self.told_of_labels(),
            **super().told(),
        }

    def _choose(self, model: nn.Module) -> list[float]:
        options: MultiLabelOptions = self.setting.options
        num_labels, num_rows = len(self.outputs), len(self.validation.targets)
        if isinstance(options.thresholds, float):
            return [options.thresholds] * num_labels
        if num_rows < MIN_VALIDATION_ROWS:
            return [0.5] * num_labels
        scores_nl = _sigmoid(self.logits(model, self.validation))
        truth_nl = self.tensor_of(self.validation.targets).numpy().astype(bool)
        if not truth_nl.any():
            return [0.5] * num_labels
        common, _ = _best(scores_nl.ravel(), truth_nl.ravel())
        if options.thresholds == "global":
            return [common] * num_labels
        enough_l = truth_nl.sum(axis=0) >= MIN_POSITIVES
        return [_best(scores_nl[:, at], truth_nl[:, at])[0] if enough_l[at] else common for at in range(num_labels)]


class LabelSets(Pooled):
    """A trained model that gives any number of labels. One thread at a time may call it."""

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """``{"labels": [...], "scores": [...]}`` a row, the surest label first, from the column ``text``."""
        thresholds = np.asarray(self.about["answers"]["thresholds"])
        scores_nl = _sigmoid(torch.from_numpy(self.logits(rows["text"], say=say)))
        found = []
        for row in scores_nl:
            given = sorted(np.flatnonzero(row >= thresholds).tolist(), key=lambda at: (-row[at], at))
            found.append({"labels": [self.labels[at] for at in given], "scores": [float(row[at]) for at in given]})
        return found


def load_label_sets(folder: Path) -> LabelSets:
    """The model in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of such a model.
    """
    return LabelSets(folder)


def _best(scores: Floats, truth: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The threshold with the best F1, and that F1: halfway to the next lower score, so that no row stands on it."""
    order = np.argsort(-scores, kind="stable")
    ranked, num_right = scores[order], np.cumsum(truth[order])
    f1 = 2 * num_right / (np.arange(1, len(ranked) + 1) + max(1, int(truth.sum())))
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # rows of one score come together
    at = int(f1.argmax())
    lower = ranked[at + 1] if at + 1 < len(ranked) else 0.0
    return round(float((ranked[at] + lower) / 2), 6), float(f1[at])


def _sigmoid(logits_nl: Tensor) -> Floats:
    return np.asarray(torch.sigmoid(logits_nl.double()).numpy(), dtype=np.float64)


def _labels(cells: Sequence[Sequence[str]]) -> list[str]:
    labels = sorted({label for cell in cells for label in cell})
    if not labels or all(len(set(cell)) == len(labels) for cell in cells):
        given = f"every one of {len(cells)} rows has all of {', '.join(labels)[:100]}" if labels else "no label at all"
        raise DataError(
            f"train: must hold rows with different labels; got {given}",
            parameter="train",
            remedy="Give rows with other labels, or look whether the right column was read as the labels.",
        )
    return labels
