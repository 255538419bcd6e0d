"""An encoder, the mean of its states, one linear layer: the model, its files, and texts or pairs run through it.

The folder is a plain Hugging Face one in the Sentence Transformers layout: at its top the encoder
(`transformers.AutoModel` reads it), the names of the outputs in config.json and the base's tokenizer; in `2_Dense` the
layer on top. `SentenceTransformer(folder).encode(texts)` gives the logits, without this code and without trusting
remote code. Imports PyTorch.

Shapes: b rows of a batch, t tokens of its longest row, d width of the encoder, l outputs (labels).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.core.types import JSON
from modelmint.training.batches import logits_of, open_pair_tokenizer, open_tokenizer
from modelmint.training.encoders import load_encoder, mean_state, save_encoder
from modelmint.training.tasks.table import read_about

HEAD_STD = 0.02
HEAD_FILE = "2_Dense/model.safetensors"
_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
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

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        return self.classifier(self.dropout(mean_state(self.encoder, inputs)))


class Pooled:
    """A saved folder, opened: the base of the predictors. One thread at a time may call it.

    `labels` names the columns of the logits; `max_tokens` is where a text, or the two of a pair together, is cut;
    `about` is what modelmint.json says.

    Raises:
        InputError: the folder is not that of a model like this.
    """

    def __init__(self, folder: Path) -> None:
        self.about: JSON = read_about(folder)
        if not (folder / HEAD_FILE).is_file():
            raise InputError(
                f"model: must be a text classifier, or another with a layer over the mean state; got one for "
                f"{self.about['task']}",
                parameter="model",
            )
        self._model, labels = read_classifier(folder)
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.labels = tuple(labels)
        self.max_tokens = int(self.about["max_tokens"])
        self._tokenize = open_tokenizer(folder, self.max_tokens)
        self._tokenize_pairs = open_pair_tokenizer(
            folder, self.max_tokens, typed=has_token_types(self._model.encoder.config)
        )

    def logits(
        self,
        texts: Sequence[str],
        batch_size: int = 64,
        say: Callable[[int, int, str], None] | None = None,
        *,
        pairs: Sequence[str] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Logits (num_texts, num_labels) in the texts' order; `say` is told how many are done.

        Args:
            pairs: the second text of each pair.
        """
        pad_id = int(self._model.encoder.config.pad_token_id or 0)
        if pairs is None:
            token_ids, type_ids = self._tokenize(texts), None
        else:
            token_ids, type_ids = self._tokenize_pairs(texts, pairs)
        found = logits_of(self._model, token_ids, pad_id, type_ids=type_ids, batch_size=batch_size, say=say)
        return np.asarray(found.numpy(), dtype=np.float32)


def has_token_types(config: Any) -> bool:
    """Whether an encoder reads which of two segments a token is of."""
    return int(getattr(config, "type_vocab_size", 0) or 0) > 1


def read_classifier(folder: Path) -> tuple[MeanPoolClassifier, list[str]]:
    """The model of a saved folder in fp32, ready to answer, and its labels in the order of the logits."""
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


def inherit(model: MeanPoolClassifier, folder: Path, known: Mapping[str, int], labels: Sequence[str]) -> None:
    """Take over from an earlier model's folder what it learned of the labels that it has.

    Args:
        known: its labels, with their places in its logits.
        labels: those of `model`, in the order of its logits.
    """
    head = _head(folder)
    with torch.no_grad():
        for label_id, label in enumerate(labels):
            if label in known:
                model.classifier.weight[label_id] = head["weight"][known[label]]
                model.classifier.bias[label_id] = head["bias"][known[label]]


def _head(folder: Path) -> dict[str, Tensor]:
    return {name.removeprefix("linear."): tensor.clone() for name, tensor in load_file(folder / HEAD_FILE).items()}


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")
