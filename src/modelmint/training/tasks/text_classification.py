"""One label a text: an encoder, the mean of its states, one linear layer. Imports PyTorch.

The folder is a plain Hugging Face one in the Sentence Transformers layout: at its top the encoder
(`transformers.AutoModel` reads it), the labels in config.json and the base's tokenizer; in `2_Dense` the layer on top.
`SentenceTransformer(folder).encode(texts)` gives the logits, without this code and without trusting remote code.

Shapes: b rows of a batch, t tokens of its longest row, d width of the encoder, l labels.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core import tables
from modelmint.core.errors import DataError, InputError
from modelmint.core.types import JSON, Dataset
from modelmint.training.batches import logits_of, open_tokenizer
from modelmint.training.encoders import load_encoder, mean_state, save_encoder
from modelmint.training.learner import Batch, Score
from modelmint.training.optimization import class_weights
from modelmint.training.tasks.encoder_learner import EncoderLearner, TokenRows
from modelmint.training.tasks.table import read_about
from modelmint.training.weights import row_weights, told

HEAD_STD = 0.02
HEAD_FILE = "2_Dense/model.safetensors"
_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
]


class TextClassification(EncoderLearner):
    """Labels are the sorted ones of the training rows; validation rows of another label are left out and counted."""

    labels: Sequence[str] = ()

    def read_rows(self, dataset: Dataset, role: str) -> TokenRows:
        texts, names = _rows(dataset, role)
        if role == "train":
            self.labels = _labels(names)
        number = {label: label_id for label_id, label in enumerate(self.labels)}
        kept = [at for at, name in enumerate(names) if name in number]
        if role == "validation":
            self._num_without_class = len(names) - len(kept)
        return TokenRows(
            token_ids=self.tokenize([texts[at] for at in kept]),
            targets=[number[names[at]] for at in kept],
            weights=row_weights(dataset) if role == "train" else None,
        )

    def new_model(self, encoder: Any) -> "MeanPoolClassifier":
        known = encoder.config.id2label
        encoder.config.id2label = dict(enumerate(self.labels))
        encoder.config.label2id = {label: label_id for label_id, label in enumerate(self.labels)}
        model = MeanPoolClassifier(encoder, len(self.labels), self.knobs.head_dropout)
        if (self.folder / HEAD_FILE).exists():
            numbers = {known[label_id]: label_id for label_id in range(len(known))}
            _inherit(model, _head(self.folder), numbers, self.labels)
        self._class_weights: Tensor | None = None
        if self.knobs.class_weights == "balanced":
            self._class_weights = class_weights(self.train.targets, len(self.labels))
        return model

    def batch(self, examples: TokenRows, rows: Sequence[int], device: torch.device) -> Batch:
        batch = self.inputs(examples, rows, device)
        label_ids_b = torch.tensor([examples.targets[row] for row in rows])
        weight_b = torch.ones(len(rows))
        if examples.weights is not None:
            weight_b = torch.tensor([examples.weights[row] for row in rows])
        if self._class_weights is not None:
            weight_b = weight_b * self._class_weights[label_ids_b]
        return batch | {"labels": label_ids_b.to(device), "weights": weight_b.to(device)}

    def weight(self, batch: Batch) -> float:
        return float(batch["weights"].sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross entropy, weighted by the rows' weights where they have some, and by those of their labels."""
        logits_bl = model(**batch["inputs"]).float()
        loss_b = functional.cross_entropy(
            logits_bl, batch["labels"], label_smoothing=self.knobs.label_smoothing, reduction="none"
        )
        return (loss_b * batch["weights"]).sum()

    def score(self, model: nn.Module) -> Score:
        logits_bl = logits_of(model, self.validation.token_ids, self.vocabulary.pad_id)
        label_ids_b = torch.tensor(self.validation.targets)
        accuracy = (logits_bl.argmax(dim=1) == label_ids_b).double().mean().item()
        return Score(
            metric="accuracy",
            value=accuracy,
            num_rows=len(label_ids_b),
            loss=functional.cross_entropy(logits_bl, label_ids_b).item(),
            margin=math.sqrt(accuracy * (1 - accuracy) / len(label_ids_b)),
        )

    def save(self, model: nn.Module, folder: Path) -> None:
        self.vocabulary.widen(model.encoder)
        save_classifier(model, self.folder, folder)

    def facts(self) -> JSON:
        return super().facts() | {"labels": list(self.labels), "engine": "torch"}

    def told(self) -> JSON:
        known = self.setting.beginning.about.get("labels", ())
        return {
            "num_validation_rows_without_class": self._num_without_class,
            "new_labels": [label for label in self.labels if label not in known] if known else [],
            "dropped_labels": [label for label in known if label not in self.labels],
            **told(self.train.weights),
        }


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

    def logits(
        self, texts: Sequence[str], batch_size: int = 64, say: Callable[[int, int, str], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Logits (num_texts, num_labels) in the texts' order; `say` is told how many are done."""
        pad_id = int(self._model.encoder.config.pad_token_id or 0)
        found = logits_of(self._model, self._tokenize(texts), pad_id, batch_size=batch_size, say=say)
        return np.asarray(found.numpy(), dtype=np.float32)

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """``{"label", "score"}`` a row, from the column ``text``."""
        logits = self.logits(rows["text"], say=say)
        chances = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
        return [
            {"label": self.labels[at], "score": float(row[at])}
            for row, at in zip(chances, chances.argmax(axis=1), strict=True)
        ]


class MeanPoolClassifier(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Mean over the token states that the mask keeps, dropout, one linear layer; gives logits (b, l)."""

    def __init__(self, encoder: Any, num_labels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(encoder.config.hidden_size, num_labels)
        nn.init.normal_(self.classifier.weight, std=HEAD_STD)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mean_bd = mean_state(self.encoder, {"input_ids": input_ids, "attention_mask": attention_mask})
        return self.classifier(self.dropout(mean_bd))


def load_classifier(folder: Path) -> Classifier:
    """The classifier in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained text classifier.
    """
    about = read_about(folder)
    if not (folder / HEAD_FILE).is_file():
        raise InputError(f"model: must be a text classifier; got one for {about['task']}", parameter="model")
    model, labels = read_classifier(folder)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    max_tokens = int(about["max_tokens"])
    return Classifier(model, open_tokenizer(folder, max_tokens), labels, max_tokens)


def read_classifier(folder: Path) -> tuple[MeanPoolClassifier, list[str]]:
    """The classifier of a saved folder in fp32, ready to answer, and its labels in the order of the logits."""
    encoder = load_encoder(folder)
    names = encoder.config.id2label
    labels = [str(names[label_id]) for label_id in range(len(names))]
    model = MeanPoolClassifier(encoder, len(labels))
    model.classifier.load_state_dict(_head(folder))
    model.train(False)
    return model, labels


def save_classifier(model: nn.Module, source: Path, folder: Path) -> None:
    """Write the folder; the tokenizer is that of `source`. Equal weights give equal files."""
    save_encoder(model.encoder, source, folder)
    num_labels, width = model.classifier.weight.shape
    _write_json(folder / "modules.json", _MODULES)
    _write_json(
        folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True}
    )
    _write_json(
        folder / "2_Dense" / "config.json",
        {
            "in_features": width,
            "out_features": num_labels,
            "bias": True,
            "activation_function": "torch.nn.modules.linear.Identity",
        },
    )
    head = {f"linear.{name}": tensor.detach().cpu() for name, tensor in model.classifier.state_dict().items()}
    save_file(head, folder / HEAD_FILE)


def _rows(dataset: Dataset, role: str) -> tuple[list[str], list[str]]:
    table = tables.read(dataset, ["text", "label"])
    num_missing = sum(table.column(name).null_count for name in ("text", "label"))
    if num_missing:
        raise DataError(
            f"{role}: must have a text and a label in each row; got {num_missing} cells without one",
            parameter=role,
            remedy="Run collect and clean first: they put such rows into quarantine.",
        )
    return table.column("text").to_pylist(), table.column("label").to_pylist()


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


def _head(folder: Path) -> dict[str, Tensor]:
    return {name.removeprefix("linear."): tensor.clone() for name, tensor in load_file(folder / HEAD_FILE).items()}


def _inherit(
    model: MeanPoolClassifier, head: Mapping[str, Tensor], known: Mapping[str, int], labels: Sequence[str]
) -> None:
    with torch.no_grad():
        for label_id, label in enumerate(labels):
            if label in known:
                model.classifier.weight[label_id] = head["weight"][known[label]]
                model.classifier.bias[label_id] = head["bias"][known[label]]


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")
