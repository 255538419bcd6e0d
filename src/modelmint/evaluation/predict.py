"""A model artifact run over texts in this process: PyTorch for what was trained, ONNX Runtime for what is served.

Shape legend: N texts, L labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from modelmint.core.errors import InputError, IntegrityError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import Model

Logits: TypeAlias = npt.NDArray[np.float32]
Texts: TypeAlias = Sequence[str]

_Opened: TypeAlias = tuple[Sequence[str], Callable[[Texts], Logits]]

CHUNK_TEXTS = 2_048  # between two of them progress is told and the deadline is looked at
BATCH_TEXTS = 64
ENGINES = ("torch", "onnx", "openvino")


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """What a classifier answers: `labels` names the columns of `probabilities` (N, L), whose rows sum to 1."""

    labels: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]

    @property
    def predicted(self) -> list[str]:
        """The most probable label of each text."""
        return [self.labels[at] for at in self.probabilities.argmax(axis=1)]

    @property
    def scores(self) -> list[float]:
        """The probability of that label."""
        return [round(float(score), 6) for score in self.probabilities.max(axis=1)]


def predict(
    model: Model,
    texts: Texts,
    ctx: StageContext,
    *,
    message: str = "predicting",
    ready: Callable[[Texts], Logits] | None = None,
) -> Predictions:
    """Labels and probabilities for texts, in their order.

    Args:
        ready: the model as `opened` gives it; it is opened here where it is left out.

    Raises:
        InputError: the model's engine is neither ``torch`` nor ``onnx``, or its labels are not known.
        IntegrityError: its files name other labels than its manifest.
        StageError: the model answers with numbers that are not finite.
    """
    logits_of = ready or opened(model, ctx)
    parts = []
    for start in range(0, len(texts), CHUNK_TEXTS):
        ctx.check()
        ctx.say(start, len(texts), message)
        parts.append(logits_of(texts[start : start + CHUNK_TEXTS]))
    logits = np.concatenate(parts)
    num_broken = int((~np.isfinite(logits).all(axis=1)).sum())
    if num_broken:
        raise StageError(
            f"model: must answer with finite numbers; for {num_broken} of {len(texts)} texts it does not",
            parameter="model",
            remedy="The training diverged: lower train.learning_rate and train again.",
        )
    return Predictions(labels=tuple(model.facts["labels"]), probabilities=_softmax(logits))


def opened(model: Model, ctx: StageContext) -> Callable[[Texts], Logits]:
    """A text classifier as a function of texts, (N,) -> logits (N, L)."""
    engine, folder = model.facts.get("engine"), model.files.folder()
    if not model.facts.get("labels"):
        raise InputError(
            f"model: must carry the names of its labels; {model.name} has none",
            parameter="model",
            remedy="Train it with the verb `train`, or import it with its labels.",
        )
    if engine not in ENGINES:
        raise InputError(
            f"model: its engine must be {' or '.join(ENGINES)}; {model.name} says {engine!r}", parameter="model"
        )
    labels, logits_of = (_torch if engine == "torch" else _onnx)(folder, ctx.num_threads)
    if list(labels) != model.facts["labels"]:
        raise IntegrityError(
            f"model: the labels in the files of {model.name} are not those of its manifest",
            parameter="model",
            remedy="Run the stage that made it again with --fresh.",
        )
    return logits_of


def _torch(folder: Path, num_threads: int) -> _Opened:
    import torch

    from modelmint.training.tasks.text_classification import load_classifier

    torch.set_num_threads(num_threads)
    classifier = load_classifier(folder)
    return classifier.labels, lambda texts: np.asarray(classifier.logits(texts, batch_size=BATCH_TEXTS), np.float32)


def _onnx(folder: Path, num_threads: int) -> _Opened:
    from modelmint.serving.engines import open_engine

    engine = open_engine(folder, num_threads)

    def logits_of(texts: Texts) -> Logits:
        encodings = engine.encode(texts)
        order = sorted(range(len(texts)), key=lambda at: len(encodings[at]))  # like lengths together: little padding
        batches = [order[start : start + BATCH_TEXTS] for start in range(0, len(order), BATCH_TEXTS)]
        logits = np.concatenate([engine.logits([encodings[at] for at in batch]) for batch in batches])
        return np.asarray(logits[np.argsort(order)], dtype=np.float32)

    return engine.labels, logits_of


def _softmax(logits: Logits) -> Logits:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
