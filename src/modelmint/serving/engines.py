"""Engines: what turns texts into logits on the request path. No PyTorch here: tokenizers, ONNX Runtime and OpenVINO."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from modelmint.core.errors import InputError, IntegrityError
from modelmint.core.types import JSON
from modelmint.serving.runtimes import Feeds, open_runtime

TokenIds = list[int]
Text = str | tuple[str, str]
"""A text, or a pair of them."""
Logits = NDArray[np.float32]

MAX_BATCH = 32
NEEDED = ("model.onnx", "tokenizer.json", "config.json", "modelmint.json")
SOFTMAX: JSON = {"by": "softmax"}


class PairIds(TokenIds):
    """Token ids of a pair, with the segment (0 or 1) of each."""

    def __init__(self, ids: Sequence[int], type_ids: Sequence[int]) -> None:
        super().__init__(ids)
        self.type_ids = list(type_ids)


class Engine(Protocol):
    """A model that is ready to answer. One thread at a time may call it."""

    labels: Sequence[str]
    """The label of each column of the logits; none where the only column is a number."""
    how: JSON
    """How logits become answers (see `answers`)."""
    max_batch: int
    """How many texts share a forward pass. 1 where a text's answer would depend on its neighbours (see `OnnxEngine`)."""

    def encode(self, texts: Sequence[Text]) -> list[TokenIds]:
        """Token ids with special tokens, cut to what the model was trained to read; of pairs where it reads pairs."""

    def logits(self, encodings: Sequence[TokenIds]) -> Logits:
        """Forward passes over at least one text, each padded to its longest; shape (num_texts, num_labels)."""

    def predict(self, texts: Sequence[Text]) -> Logits:
        """`encode`, then `logits` in one batch."""


class OnnxEngine:
    """A classifier of texts or pairs, or a regression, from an ONNX file. See `Engine`.

    ONNX Runtime's CPU provider executes it, or OpenVINO where modelmint.json says ``"engine": "openvino"``; there
    ``"settings"`` are what OpenVINO is told.

    Dynamic int8 scales activations by the largest of the whole batch, so what one caller sends would change another's
    answer: such variants say ``"max_batch": 1`` in their modelmint.json and are run one text at a time.
    """

    def __init__(self, folder: Path, num_threads: int) -> None:
        about = _json(folder, "modelmint.json")
        self.labels: Sequence[str] = [str(label) for label in about["labels"]]
        self.how: JSON = about.get("answers", SOFTMAX)
        self.reads_pairs = len(about.get("inputs", ())) > 1
        self.max_batch = int(about.get("max_batch", MAX_BATCH))
        self._tokenizer = _tokenizer(folder, int(about["max_tokens"]))
        self._pad_id = int(_json(folder, "config.json").get("pad_token_id") or 0)
        self._runtime = open_runtime(folder / "model.onnx", num_threads, about)

    def encode(self, texts: Sequence[Text]) -> list[TokenIds]:
        wrong = next((text for text in texts if isinstance(text, str) is self.reads_pairs), None)
        if wrong is not None:
            raise InputError(
                f"input: must be {'pairs of texts' if self.reads_pairs else 'texts'}; got {str(wrong)[:60]!r}",
                parameter="input",
                remedy=f"This model reads {'two texts' if self.reads_pairs else 'one text'} a row.",
            )
        encodings = self._tokenizer.encode_batch(list(texts))
        if self.reads_pairs:
            return [PairIds(encoding.ids, encoding.type_ids) for encoding in encodings]
        return [encoding.ids for encoding in encodings]

    def logits(self, encodings: Sequence[TokenIds]) -> Logits:
        starts = range(0, len(encodings), self.max_batch)
        return np.concatenate([self._pass(encodings[start : start + self.max_batch]) for start in starts])

    def predict(self, texts: Sequence[Text]) -> Logits:
        return self.logits(self.encode(texts))

    def feeds(self, encodings: Sequence[TokenIds]) -> Feeds:
        """The inputs of one forward pass, each of shape (num_texts, length of the longest)."""
        shape = (len(encodings), max(1, *map(len, encodings)))
        ids, mask, types = np.full(shape, self._pad_id, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding)] = encoding
            mask[row, : len(encoding)] = 1
            if isinstance(encoding, PairIds):
                types[row, : len(encoding)] = encoding.type_ids
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        return {name: feeds[name] for name in self._runtime.names}

    def _pass(self, encodings: Sequence[TokenIds]) -> Logits:
        return self._runtime.run(self.feeds(encodings))


def open_engine(folder: Path, num_threads: int) -> Engine:
    """The engine of a variant's folder.

    Args:
        folder: holds `NEEDED`; ``modelmint.json`` is ``{"labels": [...], "max_tokens": int, "variant": ...}``; of a
            model of pairs with ``"inputs": ["text", "text_pair"]``, and with ``"answers"`` where it is not softmax.
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
    given = engine.predict([("one text", "another") if engine.reads_pairs else "one text"]).shape
    num_outputs = 1 if engine.how["by"] == "identity" else len(engine.labels)
    if given != (1, num_outputs):
        raise IntegrityError(
            f"variant: {len(engine.labels)} labels need logits of shape (1, {num_outputs}); got {given}",
            remedy="Run the verb `compress` again with --fresh.",
        )
    return engine


def answers(logits: Logits, labels: Sequence[str], *, how: JSON = SOFTMAX, all_scores: bool = False) -> list[JSON]:
    """What logits say of each text, by the fact `answers` of a model.

    Args:
        how: ``{"by": "softmax"}`` gives the most probable label and its probability; ``{"by": "sigmoid", "thresholds":
            [...]}`` every label from its threshold on, the surest first; ``{"by": "identity", "mean", "scale"}`` a
            number.
        all_scores: the score of every label too.
    """
    return {"softmax": _one_label, "sigmoid": _labels, "identity": _number}[how["by"]](logits, labels, how, all_scores)


def _labels(logits: Logits, labels: Sequence[str], how: JSON, all_scores: bool) -> list[JSON]:
    found = []
    for row in 1 / (1 + np.exp(-logits.astype(np.float64))):
        order = np.argsort(-row, kind="stable")
        given = order[(row >= np.asarray(how["thresholds"]))[order]].tolist()
        answer: JSON = {
            "labels": [labels[at] for at in given],
            "label_scores": [round(float(row[at]), 6) for at in given],
        }
        if all_scores:
            answer["scores"] = {label: round(float(score), 6) for label, score in zip(labels, row, strict=True)}
        found.append(answer)
    return found


def _number(logits: Logits, _labels: Sequence[str], how: JSON, _all_scores: bool) -> list[JSON]:
    return [{"value": float(value)} for value in logits[:, 0].astype(np.float64) * how["scale"] + how["mean"]]


def _one_label(logits: Logits, labels: Sequence[str], _how: JSON, all_scores: bool) -> list[JSON]:
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
