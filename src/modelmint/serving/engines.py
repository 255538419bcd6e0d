"""Engines: what turns texts into logits on the request path. No PyTorch here: tokenizers and ONNX Runtime alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from modelmint.core.errors import InputError, IntegrityError
from modelmint.core.types import JSON

TokenIds = list[int]
Logits = NDArray[np.float32]

MAX_BATCH = 32
NEEDED = ("model.onnx", "tokenizer.json", "config.json", "modelmint.json")


class Engine(Protocol):
    """A classifier that is ready to answer. One thread at a time may call it."""

    labels: Sequence[str]
    """The label of each column of the logits."""
    max_batch: int
    """How many texts share a forward pass. 1 where a text's answer would depend on its neighbours (see `OnnxEngine`)."""

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """Token ids with special tokens, cut to what the model was trained to read."""

    def logits(self, encodings: Sequence[TokenIds]) -> Logits:
        """Forward passes over at least one text, each padded to its longest; shape (num_texts, num_labels)."""

    def predict(self, texts: Sequence[str]) -> Logits:
        """`encode`, then `logits` in one batch."""


class OnnxEngine:
    """A sequence classifier on ONNX Runtime's CPU provider. See `Engine`.

    Dynamic int8 scales activations by the largest of the whole batch, so what one caller sends would change another's
    answer: such variants say ``"max_batch": 1`` in their modelmint.json and are run one text at a time.
    """

    def __init__(self, folder: Path, num_threads: int) -> None:
        about = _json(folder, "modelmint.json")
        self.labels: Sequence[str] = [str(label) for label in about["labels"]]
        self.max_batch = int(about.get("max_batch", MAX_BATCH))
        self._tokenizer = _tokenizer(folder, int(about["max_tokens"]))
        self._pad_id = int(_json(folder, "config.json").get("pad_token_id") or 0)
        self._session = _session(folder / "model.onnx", num_threads)
        self._names = {node.name for node in self._session.get_inputs()}

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def logits(self, encodings: Sequence[TokenIds]) -> Logits:
        starts = range(0, len(encodings), self.max_batch)
        return np.concatenate([self._pass(encodings[start : start + self.max_batch]) for start in starts])

    def predict(self, texts: Sequence[str]) -> Logits:
        return self.logits(self.encode(texts))

    def _pass(self, encodings: Sequence[TokenIds]) -> Logits:
        shape = (len(encodings), max(map(len, encodings)))
        ids, mask = np.full(shape, self._pad_id, np.int64), np.zeros(shape, np.int64)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding)] = encoding
            mask[row, : len(encoding)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        outputs = self._session.run(["logits"], {name: feeds[name] for name in self._names})
        return np.asarray(outputs[0], np.float32)


def open_engine(folder: Path, num_threads: int) -> Engine:
    """The engine of a variant's folder.

    Args:
        folder: holds `NEEDED`; ``modelmint.json`` is ``{"labels": [...], "max_tokens": int, "variant": ...}``.
        num_threads: cores that one forward pass may use.

    Raises:
        InputError: a file is missing: the model was not exported for serving.
        IntegrityError: the files do not fit one another.
    """
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"variant: needs {', '.join(NEEDED)}; {', '.join(missing)} is missing",
            parameter="variant",
            remedy="Serve a variant that the verb `compress` made, not the trained model itself.",
        )
    engine = OnnxEngine(folder, num_threads)
    given = engine.predict(["one text"]).shape
    if given != (1, len(engine.labels)):
        raise IntegrityError(
            f"variant: {len(engine.labels)} labels need logits of shape (1, {len(engine.labels)}); got {given}",
            remedy="Run the verb `compress` again with --fresh.",
        )
    return engine


def answers(logits: Logits, labels: Sequence[str], *, all_scores: bool = False) -> list[JSON]:
    """For each text its most probable label and the probability; with `all_scores` that of every label (softmax)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = shifted / shifted.sum(axis=1, keepdims=True)
    found = []
    for row, best in zip(scores.tolist(), scores.argmax(axis=1).tolist(), strict=True):
        answer: JSON = {"label": labels[best], "score": round(row[best], 6)}
        if all_scores:
            answer["scores"] = {label: round(score, 6) for label, score in zip(labels, row, strict=True)}
        found.append(answer)
    return found


def _json(folder: Path, name: str) -> JSON:
    value: JSON = json.loads((folder / name).read_text(encoding="utf-8"))
    return value


def _tokenizer(folder: Path, max_tokens: int) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()  # padded here, to the longest of the batch
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _session(path: Path, num_threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle cores belong to HTTP
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
