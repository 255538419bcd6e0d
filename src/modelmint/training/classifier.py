"""The classifier and its folder: an encoder, the mean of its states, one linear layer. Imports PyTorch.

The folder is a plain Hugging Face one in the Sentence Transformers layout: at its top the encoder
(`transformers.AutoModel` reads it), the labels in config.json and the base's tokenizer; in `2_Dense` the layer on top.
`SentenceTransformer(folder).encode(texts)` gives the logits, without this code and without trusting remote code.

Shapes: b rows of a batch, t tokens of its longest row, d width of the encoder, l labels.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.training.batches import TokenIds, pad_batch
from modelmint.training.spec import FinetuneSpec

HEAD_STD = 0.02
HEAD_FILE = "2_Dense/model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
_DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "hidden_dropout",
    "embedding_dropout",
    "mlp_dropout",
)
_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
]


class MeanPoolClassifier(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Mean over the token states that the mask keeps, dropout, one linear layer; gives logits (b, l)."""

    def __init__(self, encoder: Any, num_labels: int, dropout: float = 0.0) -> None:
        super().__init__()
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # a layer over the first token that nothing here reads
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(encoder.config.hidden_size, num_labels)
        nn.init.normal_(self.classifier.weight, std=HEAD_STD)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states_btd = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask_bt1 = attention_mask.unsqueeze(-1).to(states_btd.dtype)
        mean_bd = (states_btd * mask_bt1).sum(dim=1) / mask_bt1.sum(dim=1)
        return self.classifier(self.dropout(mean_bd))


def new_classifier(folder: Path, labels: Sequence[str], spec: FinetuneSpec) -> MeanPoolClassifier:
    """The encoder in `folder` with a fresh layer on top, drawn from torch's global generator.

    Where `folder` is that of a trained classifier, labels that it knows keep their rows of that layer.
    """
    encoder = _encoder(folder, on_cpu=not torch.cuda.is_available(), dropout=spec.encoder_dropout)
    known = encoder.config.id2label
    encoder.config.id2label = dict(enumerate(labels))
    encoder.config.label2id = {label: label_id for label_id, label in enumerate(labels)}
    model = MeanPoolClassifier(encoder, len(labels), spec.head_dropout)
    if (folder / HEAD_FILE).exists():
        _inherit(model, _head(folder), {known[label_id]: label_id for label_id in range(len(known))}, labels)
    return model


def save_classifier(model: MeanPoolClassifier, source: Path, folder: Path) -> None:
    """Write the folder; the tokenizer is that of `source`. Equal weights give equal files."""
    folder.mkdir(parents=True, exist_ok=True)
    model.encoder.save_pretrained(folder)
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)
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


def read_classifier(folder: Path) -> tuple[MeanPoolClassifier, list[str]]:
    """The classifier of a saved folder in fp32, ready to answer, and its labels in the order of the logits."""
    encoder = _encoder(folder, on_cpu=True, dropout=0.0)
    names = encoder.config.id2label
    labels = [str(names[label_id]) for label_id in range(len(names))]
    model = MeanPoolClassifier(encoder, len(labels))
    model.classifier.load_state_dict(_head(folder))
    model.train(False)
    return model, labels


def logits_of(
    model: nn.Module,
    rows: TokenIds,
    pad_id: int,
    *,
    batch_size: int = 64,
    say: Callable[[int, int, str], None] | None = None,
) -> Tensor:
    """Logits (rows, l) on the CPU, in the rows' order; sorted by length inside, so that padding costs little."""
    model.train(False)
    device = next(model.parameters()).device
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    parts: list[Tensor] = []
    with torch.no_grad():
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            parts.append(model(**pad_batch([rows[row] for row in batch], pad_id, device)).float().cpu())
            if say is not None:
                say(start + len(batch), len(order), "predicting")
    return torch.cat(parts)[torch.tensor(order).argsort()]


def copy_into(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights in place: an optimizer that holds the parameters stays right."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(weights[name])


def _encoder(folder: Path, *, on_cpu: bool, dropout: float) -> Any:
    """Eager attention on the CPU: torch's fused one has a backward pass twice as slow at the lengths of short texts."""
    from transformers import AutoConfig, AutoModel, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        for name in _DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, dropout)
        return AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation="eager" if on_cpu else "sdpa",
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
        )
    except (ValueError, OSError) as error:
        why = str(error).strip().partition("\n")[0][:300]
        raise InputError(
            f"base: must be an encoder that transformers knows, without code of its own; {why}",
            parameter="base",
            remedy="`base: starter` is one.",
        ) from error


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
