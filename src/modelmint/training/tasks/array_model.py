"""Trained classifiers of images and sounds: the reference. Imports PyTorch.

Shapes: b rows, c channels, h height, w width, l labels.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.core.types import JSON
from modelmint.training.scratch.cnn import ResidualCnn
from modelmint.training.scratch.spec import ImageCnn
from modelmint.training.tasks.table import read_about

BATCH = 64


class ArrayClassifier(ABC):
    """A trained classifier. One thread at a time may call it. `labels` names the columns of the logits."""

    column: str

    def __init__(self, model: nn.Module, about: JSON) -> None:
        self.labels: tuple[str, ...] = tuple(about["labels"])
        self.model = model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.model.train(False)
        self._read = self.prepare(about)

    @abstractmethod
    def prepare(self, about: JSON) -> Callable[[bytes], npt.NDArray[Any]]:
        """How one row is decoded."""

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, int, int]:
        """(c, h, w) of one row."""

    @abstractmethod
    def inputs(self, arrays: npt.NDArray[Any], device: torch.device) -> Tensor:
        """(b, c, h, w) of decoded rows."""

    def logits(
        self, contents: Sequence[bytes], say: Callable[[int, int, str], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """(N, l) in the rows' order.

        Raises:
            DataError: a row cannot be decoded.
        """
        device = next(self.model.parameters()).device
        parts = [np.zeros((0, len(self.labels)), dtype=np.float32)]
        with torch.no_grad():
            for start in range(0, len(contents), BATCH):
                arrays = np.stack([self._read(content) for content in contents[start : start + BATCH]])
                parts.append(self.model(self.inputs(arrays, device)).float().cpu().numpy())
                if say is not None:
                    say(min(start + BATCH, len(contents)), len(contents), "predicting")
        return np.concatenate(parts)

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """``{"label", "score"}`` a row, from its bytes."""
        chances_nl = self.chances(rows, say)
        return [
            {"label": self.labels[at], "score": float(row[at])}
            for row, at in zip(chances_nl, chances_nl.argmax(axis=1), strict=True)
        ]

    def chances(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """(N, l) the probability of each label."""
        logits_nl = torch.from_numpy(self.logits(rows[self.column], say))
        return np.asarray(torch.softmax(logits_nl, dim=1).numpy(), np.float32)


def load_cnn(folder: Path, shape: Callable[[JSON], tuple[int, int]]) -> tuple[nn.Module, JSON]:
    """The network of a saved folder in fp32, and what is said of it.

    Args:
        shape: what is said of the model -> (channels, the shorter side).

    Raises:
        InputError: the folder is not that of such a model.
    """
    about = read_about(folder)
    if "architecture" not in about:
        raise InputError(
            f"model: must be a network of images or sounds; got one for {about['task']}", parameter="model"
        )
    channels, side = shape(about)
    model = ResidualCnn(
        ImageCnn(**about["architecture"]), channels=channels, side=side, num_labels=len(about["labels"])
    )
    model.load_state_dict(load_file(folder / "model.safetensors"))
    model.train(False)
    return model, about
