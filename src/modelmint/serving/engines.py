"""Engines: what turns inputs into logits on the request path. No PyTorch here: tokenizers, ONNX Runtime, OpenVINO,
LightGBM and NumPy.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from modelmint.core.errors import InputError, IntegrityError
from modelmint.core.inputs import Input, check, how_of, labels_of, reads
from modelmint.core.types import JSON
from modelmint.serving.answers import SOFTMAX, answers
from modelmint.serving.readers import READERS, Encoding, Reader, TokenIds
from modelmint.serving.runtimes import MODEL_FILES, Feeds, Logits, open_runtime

MAX_BATCH = 32
ABOUT = "modelmint.json"


class Engine(Protocol):
    """A model that is ready to answer. One thread at a time may call it, but for `check`."""

    labels: Sequence[str]
    """The label of each column of the logits; none where the only column is a number."""
    how: JSON
    """How logits become answers (see `answers`)."""
    max_batch: int
    """How many pieces share a forward pass. 1 where an answer would depend on its neighbours (see `OnnxEngine`)."""

    def check(self, inputs: Sequence[Input]) -> None:
        """Raise an InputError where the model does not read such inputs, or they are too much for one request."""

    def encode(self, inputs: Sequence[Input]) -> list[Encoding]:
        """Each input as the model reads it: token ids with special tokens, cut to what it was trained to read."""

    def logits(self, encodings: Sequence[Encoding]) -> Logits:
        """Forward passes over at least one input, each padded to its longest; shape (num_inputs, num_labels).

        Of words an array (num_words, num_labels) an input (see `stacked`).
        """

    def predict(self, inputs: Sequence[Input]) -> Logits:
        """`encode`, then `logits` in one batch."""


class OnnxEngine:
    """A model from an ONNX file, or from a file of a table's model (`MODEL_FILES`). See `Engine`.

    ONNX Runtime's CPU provider executes it, or what modelmint.json says as ``"engine"``; ``"settings"`` are what OpenVINO
    is told.

    Dynamic int8 scales activations by the largest of the whole batch, so what one caller sends would change another's
    answer: such variants say ``"max_batch": 1`` in their modelmint.json and are run one piece at a time.
    """

    def __init__(self, folder: Path, num_threads: int) -> None:
        about = _about(folder)
        self.how: JSON = how_of(about)
        self.columns = reads(about)
        self.max_batch = int(about.get("max_batch", MAX_BATCH))
        self.reader: Reader = READERS[self.columns](folder, about, self.columns)
        self.labels: Sequence[str] = labels_of(about) or self.reader.labels
        self._runtime = open_runtime(folder / _file(about), num_threads, about)

    def check(self, inputs: Sequence[Input]) -> None:
        check(inputs, self.columns)
        self.reader.check(inputs)

    def encode(self, inputs: Sequence[Input]) -> list[Encoding]:
        check(inputs, self.columns)
        return self.reader.encode(inputs)

    def logits(self, encodings: Sequence[Encoding]) -> Logits:
        pieces = [self.reader.pieces(encoding) for encoding in encodings]
        flat = [piece for some in pieces for piece in some]
        starts = range(0, len(flat), self.max_batch)
        outputs = iter([row for at in starts for row in self._runtime.run(self._feeds(flat[at : at + self.max_batch]))])
        found = zip(encodings, pieces, strict=True)
        return stacked([self.reader.joined(one, [next(outputs) for _ in some]) for one, some in found])

    def predict(self, inputs: Sequence[Input]) -> Logits:
        return self.logits(self.encode(inputs))

    def feeds(self, encoding: Encoding) -> list[Feeds]:
        """The inputs of the file, a forward pass for each piece."""
        return [self._feeds([piece]) for piece in self.reader.pieces(encoding)]

    def _feeds(self, pieces: Sequence[object]) -> Feeds:
        feeds = self.reader.feeds(pieces)
        return {name: feeds[name] for name in self._runtime.names}


def open_engine(folder: Path, num_threads: int) -> Engine:
    """The engine of a variant's folder.

    Args:
        folder: holds the file of its engine, modelmint.json and what its `Reader` needs; ``modelmint.json`` is ``{"task", "labels": [...],
            "max_tokens": int, "variant": ...}``; of a model of pairs with ``"inputs": ["text", "text_pair"]``, and with
            ``"answers"`` where it is not softmax.
        num_threads: cores that one forward pass may use.

    Raises:
        InputError: a file is missing: the model was not exported for serving.
        IntegrityError: the files do not fit one another.
    """
    about = _about(folder) if (folder / ABOUT).is_file() else {}
    columns = reads(about)
    if columns not in READERS:
        raise IntegrityError(f"variant: no engine reads {' and '.join(columns)}")
    needed = [_file(about), ABOUT, *(READERS[columns].needs if about else ())]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"variant: needs {', '.join(needed)}; {', '.join(missing)} is missing",
            parameter="variant",
            remedy="Serve a variant that the verb `compress` made, not the trained model itself.",
        )
    engine = OnnxEngine(folder, num_threads)
    given = engine.predict([engine.reader.example]).shape
    fixed = {"identity": 1, "span": 4, "relevance": 1, "vector": given[-1], "ranking": 2}
    num_outputs = fixed.get(engine.how["by"], len(engine.labels))
    if (given[0], given[-1]) != (1, num_outputs):
        raise IntegrityError(
            f"variant: {len(engine.labels)} labels need logits of shape (1, {num_outputs}); got {given}",
            remedy="Run the verb `compress` again with --fresh.",
        )
    return engine


def stacked(rows: Sequence[Logits]) -> Logits:
    """The outputs of inputs as one array: stacked, or an array of arrays where they differ in length."""
    if all(row.shape == rows[0].shape for row in rows):
        return np.stack(rows)
    found = np.empty(len(rows), dtype=object)
    found[:] = list(rows)
    return found


def _about(folder: Path) -> JSON:
    value: JSON = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    return value


def _file(about: JSON) -> str:
    return MODEL_FILES.get(str(about.get("engine", "onnx")), MODEL_FILES["onnx"])


__all__ = [
    "MODEL_FILES",
    "SOFTMAX",
    "Encoding",
    "Engine",
    "Logits",
    "OnnxEngine",
    "TokenIds",
    "answers",
    "open_engine",
    "stacked",
]
