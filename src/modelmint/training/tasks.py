"""The tasks that a model can be trained for, and the trained model as the reference: PyTorch in fp32."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.core.errors import InputError
from modelmint.core.types import JSON


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a task needs of its rows and gives for each."""

    name: str
    columns: tuple[str, ...]
    answer: str


TASKS = {task.name: task for task in (
    Task(name="text-classification", columns=("text", "label"), answer="one of the labels, with a score"),
)}  # fmt: skip


class Classifier:
    """A trained text classifier. One thread at a time may call it.

    `labels` names the columns of the logits; `max_tokens` is where a text is cut.
    """

    def __init__(
        self, model: Any, tokenize: Callable[[Sequence[str]], list[list[int]]], labels: Sequence[str], max_tokens: int
    ) -> None:
        self.labels = tuple(labels)
        self.max_tokens = max_tokens
        self._model, self._tokenize = model, tokenize

    def predict(
        self, texts: Sequence[str], batch_size: int = 64, say: Callable[[int, int, str], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Logits (num_texts, num_labels) in the texts' order; `say` is told how many are done."""
        from modelmint.training.classifier import logits_of

        pad_id = int(self._model.encoder.config.pad_token_id or 0)
        logits = logits_of(self._model, self._tokenize(texts), pad_id, batch_size=batch_size, say=say)
        return np.asarray(logits.numpy(), dtype=np.float32)


def load_classifier(folder: Path) -> Classifier:
    """The classifier in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained model.
    """
    import torch

    from modelmint.training.batches import open_tokenizer
    from modelmint.training.classifier import read_classifier

    about = read_about(folder)
    model, labels = read_classifier(folder)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    max_tokens = int(about["max_tokens"])
    return Classifier(model, open_tokenizer(folder, max_tokens), labels, max_tokens)


def read_about(folder: Path) -> JSON:
    """What modelmint.json says of a trained model: its task, labels, max_tokens and base."""
    path = folder / "modelmint.json"
    about: JSON = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if about.get("task") not in TASKS or not (folder / "2_Dense" / "model.safetensors").is_file():
        raise InputError(
            f"model: must be one that the verb `train` made, for one of {', '.join(TASKS)}; got "
            f"{about.get('variant') or about.get('task') or 'a folder without modelmint.json'}",
            parameter="model",
            remedy="Give the trained model itself, not a variant of it.",
        )
    return about
