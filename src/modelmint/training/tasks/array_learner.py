"""What the tasks share whose rows are arrays of one size with a label: images, spectrograms. Imports PyTorch.

Shapes: b rows of a batch, c channels, h height, w width, l labels.
"""

import contextlib
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.types import JSON, Dataset
from modelmint.training.labels import label_names
from modelmint.training.learner import Batch, Learner, Score, Setting
from modelmint.training.optimization import class_weights
from modelmint.training.scratch.cnn import ResidualCnn
from modelmint.training.scratch.spec import ImageCnn
from modelmint.training.weights import row_weights, told

WEIGHTS = "model.safetensors"
SCORE_BATCH = 256
MAX_BYTES = 16 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrayRows:
    """`arrays` (N, ...) as the task keeps them, in few bytes; `label_ids` (N,)."""

    arrays: npt.NDArray[Any]
    label_ids: Sequence[int]
    weights: Sequence[float] | None = None


class ArrayLearner(Learner[ArrayRows]):
    """A task adds how a row is decoded, and how arrays become what the model reads.

    A number of a row in a batch says its epoch too (epoch x rows + row), so that a row is changed anew every epoch, and
    the same after a resume.
    """

    column: str
    labels: Sequence[str] = ()

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        if setting.beginning.folder is None or setting.beginning.is_warm:
            self.head = "nothing."  # all of it starts from nothing, and learns at one rate

    @abstractmethod
    def prepare(self, dataset: Dataset) -> None:
        """Find out from the training rows how rows are prepared, where the options do not say it."""

    @abstractmethod
    def new_arrays(self, num_rows: int) -> npt.NDArray[Any]:
        """(N, ...) to be filled by `decoded`."""

    @abstractmethod
    def decoded(self, content: bytes) -> npt.NDArray[Any]:
        """One row.

        Raises:
            DataError: it cannot be decoded.
        """

    @abstractmethod
    def fit(self, arrays: npt.NDArray[Any]) -> None:
        """Learn the mean and deviation of the training rows."""

    @abstractmethod
    def inputs(self, arrays: npt.NDArray[Any], numbers: Sequence[int] | None, device: torch.device) -> Tensor:
        """(b, c, h, w) for the model; where there are `numbers`, each row changed a little by chance."""

    @abstractmethod
    def new_model(self) -> nn.Module:
        """Numbers (b, c, h, w) to logits (b, l)."""

    def read(self, train: Dataset, validation: Dataset) -> None:
        self.prepare(train)
        names = _label_column(train, "train")
        self.labels = label_names(names)
        self.train = replace(self._rows(train, "train", names), weights=row_weights(train))
        if not self.setting.beginning.is_warm:
            self.fit(self.train.arrays)
        self.validation = self._rows(validation, "validation", _label_column(validation, "validation"))

    def build(self) -> nn.Module:
        self._class_weights: Tensor | None = None
        if self.knobs.class_weights == "balanced":
            self._class_weights = class_weights(self.train.label_ids, len(self.labels))
        return self.new_model()

    def lengths(self, examples: ArrayRows) -> Sequence[int]:
        return _Even(len(examples.label_ids))

    def batches(self, epoch: int) -> list[list[int]]:
        num_rows = len(self.train.label_ids)
        return [[epoch * num_rows + row for row in rows] for rows in super().batches(epoch)]

    def batch(self, examples: ArrayRows, rows: Sequence[int], device: torch.device) -> Batch:
        places = np.asarray(rows) % len(examples.label_ids)
        numbers = list(rows) if examples is self.train else None
        label_ids_b = torch.tensor([examples.label_ids[at] for at in places])
        weight_b = torch.ones(len(rows))
        if examples.weights is not None:
            weight_b = torch.tensor([examples.weights[at] for at in places])
        if self._class_weights is not None:
            weight_b = weight_b * self._class_weights[label_ids_b]
        return {
            "pixels": self.inputs(examples.arrays[places], numbers, device),
            "labels": label_ids_b.to(device),
            "weights": weight_b.to(device),
        }

    def weight(self, batch: Batch) -> float:
        return float(batch["weights"].sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross entropy, weighted by the rows' weights where they have some, and by those of their labels."""
        loss_b = functional.cross_entropy(
            model(batch["pixels"]).float(),
            batch["labels"],
            label_smoothing=self.knobs.label_smoothing,
            reduction="none",
        )
        return (loss_b * batch["weights"]).sum()

    def score(self, model: nn.Module) -> Score:
        logits_bl = logits_of_arrays(model, self, self.validation.arrays)
        label_ids_b = torch.tensor(self.validation.label_ids)
        accuracy = (logits_bl.argmax(dim=1) == label_ids_b).double().mean().item()
        return Score(
            metric="accuracy",
            value=accuracy,
            num_rows=len(label_ids_b),
            loss=functional.cross_entropy(logits_bl, label_ids_b).item(),
            margin=math.sqrt(accuracy * (1 - accuracy) / len(label_ids_b)),
        )

    def save(self, model: nn.Module, folder: Path) -> None:
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / WEIGHTS)

    def facts(self) -> JSON:
        return {"labels": list(self.labels), "engine": "torch"}

    def told(self) -> JSON:
        known = self.setting.beginning.about.get("labels", ())
        return {
            "num_validation_rows_without_class": self._num_without_class,
            "new_labels": [label for label in self.labels if label not in known] if known else [],
            "dropped_labels": [label for label in known if label not in self.labels],
            **told(self.train.weights),
        }

    def _rows(self, dataset: Dataset, role: str, names: Sequence[str]) -> ArrayRows:
        number = {label: label_id for label_id, label in enumerate(self.labels)}
        kept = [at for at, name in enumerate(names) if name in number]
        if role == "validation":
            self._num_without_class = len(names) - len(kept)
        arrays, wanted, at = self.new_arrays(len(kept)), set(kept), 0
        if arrays.nbytes > MAX_BYTES:
            raise DataError(
                f"{role}: must fit {MAX_BYTES >> 30} GiB of memory as {'x'.join(map(str, arrays.shape[1:]))}; "
                f"{len(kept):,} rows take {arrays.nbytes / 2**30:.1f}",
                parameter=role,
                remedy="Set a smaller train.options size (or seconds), or train on fewer rows.",
            )
        for place, (row, content) in enumerate(_contents(dataset, self.column)):
            if place in wanted:
                arrays[at] = self._decoded(content, row, role)
                at += 1
        return ArrayRows(arrays=arrays, label_ids=[number[names[at]] for at in kept])

    def _decoded(self, content: bytes | None, row: str, role: str) -> npt.NDArray[Any]:
        try:
            return self.decoded(content or b"")
        except DataError as error:
            raise DataError(f"{role}: row {row}: {error.message}", parameter=role, remedy=error.remedy) from error


def new_cnn(learner: ArrayLearner, *, channels: int, side: int) -> ResidualCnn:
    """The network from nothing; where an earlier model is gone on from, with its weights and those of labels it knew."""
    setting = learner.setting
    about = setting.beginning.about
    sizes = ImageCnn(**architecture_told(setting)["architecture"])
    model = ResidualCnn(
        sizes, channels=channels, side=side, num_labels=len(learner.labels), dropout=setting.knobs.head_dropout
    )
    if about and setting.beginning.folder is not None:
        _inherit(model, load_file(setting.beginning.folder / WEIGHTS), about["labels"], learner.labels)
    return model


def architecture_told(setting: Setting) -> JSON:
    """The sizes of the network from nothing: those that were asked for, or those of the earlier model."""
    asked = setting.spec.architecture
    sizes = asked if isinstance(asked, ImageCnn) else ImageCnn()
    return {"architecture": setting.beginning.about.get("architecture") or sizes.model_dump(mode="json")}


def logits_of_arrays(model: nn.Module, learner: Any, arrays: npt.NDArray[Any]) -> Tensor:
    """(N, l) on the CPU."""
    model.train(False)
    device = next(model.parameters()).device
    parts = []
    with torch.no_grad():
        for start in range(0, len(arrays), SCORE_BATCH):
            pixels = learner.inputs(arrays[start : start + SCORE_BATCH], None, device)
            parts.append(model(pixels).float().cpu())
    return torch.cat(parts)


def sampled(dataset: Dataset, column: str, opened: Callable[[bytes], Any], num_rows: int) -> list[Any]:
    """The first rows, opened; those that cannot be are left out, and refused with their number when all are read."""
    found: list[Any] = []
    for _, content in _contents(dataset, column):
        with contextlib.suppress(DataError):
            found.append(opened(content or b""))
        if len(found) == num_rows:
            break
    return found


def _inherit(model: ResidualCnn, weights: dict[str, Tensor], known: Sequence[str], labels: Sequence[str]) -> None:
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not name.startswith("classifier."):
                tensor.copy_(weights[name])
                continue
            for label_id, label in enumerate(labels):
                if label in known:
                    tensor[label_id] = weights[name][list(known).index(label)]


def _contents(dataset: Dataset, column: str) -> Iterator[tuple[str, bytes | None]]:
    for batch in tables.batches(dataset, ["_row", column]):
        for row, cell in zip(batch.column("_row"), batch.column(column), strict=True):
            yield row.as_py(), cell.as_py()


def _label_column(dataset: Dataset, role: str) -> list[str]:
    names = tables.column(dataset, "label")
    if num_missing := sum(name is None for name in names):
        raise DataError(
            f"{role}: must have a label in each row; got {num_missing} rows without one",
            parameter=role,
            remedy="Run collect and clean first: they put such rows into quarantine.",
        )
    return names


class _Even(Sequence[int]):
    """All of one size: (N,) ones without a list of them."""

    def __init__(self, num_rows: int) -> None:
        self._num_rows = num_rows

    def __len__(self) -> int:
        return self._num_rows

    def __getitem__(self, at: Any) -> Any:
        return 1
