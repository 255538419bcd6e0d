"""Encoders of text: read from a Hugging Face folder or made from nothing, and written back. Imports PyTorch.

Shapes: b rows of a batch, t tokens of its longest row, d width of the encoder.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.errors import InputError
from modelmint.training.methods import tune as tuning
from modelmint.training.methods.tune import plain, restored
from modelmint.training.own_code import trusted

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "hidden_dropout",
    "embedding_dropout",
    "mlp_dropout",
)


def load_encoder(folder: Path, *, dropout: float = 0.0, on_cpu: bool = True) -> Any:
    """The encoder of a folder in fp32, without its pooler.

    Eager attention on the CPU: torch's fused one has a backward pass twice as slow at the lengths of short texts.

    Raises:
        InputError: it is no encoder that can be used.
    """
    from transformers import AutoConfig, AutoModel, logging

    from modelmint.training.scratch.families import register

    register()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trusted(folder))
        if getattr(config, "is_encoder_decoder", False):
            raise ValueError(f"{config.model_type} reads one text and writes another")
        for name in DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, dropout)
        encoder = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation="eager" if on_cpu else "sdpa",
            local_files_only=True,
            trust_remote_code=trusted(folder),
            use_safetensors=True,
        )
    except (ValueError, OSError) as error:
        why = str(error).strip().partition("\n")[0][:300]
        raise InputError(
            f"base: must be an encoder that transformers knows, without code of its own; {why}",
            parameter="base",
            remedy="`base: starter` is one.",
        ) from error
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # a layer over the first token that nothing here reads
    return restored(encoder, folder)


def set_dropout(config: Any, dropout: float) -> None:
    """Set every dropout that a config names."""
    for name in DROPOUTS:
        if hasattr(config, name):
            setattr(config, name, dropout)


def save_encoder(encoder: Any, source: Path, folder: Path) -> None:
    """Write config and weights, what a tuning method added with them; the tokenizer is that of `source`.

    Equal weights give equal files.
    """
    tuning.save(plain(encoder), folder).save_pretrained(folder)
    copy_tokenizer(source, folder)


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Copy the tokenizer of one folder into another, as it is."""
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)


def mean_state(encoder: Any, inputs: dict[str, Tensor]) -> Tensor:
    """(b, d) the mean over the token states that the mask keeps."""
    length = inputs["attention_mask"].shape[1]
    states_btd = encoder(**inputs).last_hidden_state[:, -length:]  # a tuned prompt stands before the text
    mask_bt1 = inputs["attention_mask"].unsqueeze(-1).to(states_btd.dtype)
    mean_bd: Tensor = (states_btd * mask_bt1).sum(dim=1) / mask_bt1.sum(dim=1).clamp(min=1)  # a text may be empty
    return mean_bd


class UnitEncoder(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """An encoder whose answer is the mean state (b, d) at length 1: an embedding as it is served."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mean_bd = mean_state(self.encoder, {"input_ids": input_ids, "attention_mask": attention_mask})
        return functional.normalize(mean_bd, dim=1)


class MeanEncoder(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """An encoder whose answer is the mean state (b, d)."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return mean_state(self.encoder, {"input_ids": input_ids, "attention_mask": attention_mask})
