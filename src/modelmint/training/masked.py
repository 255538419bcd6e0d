"""Masked language models: read from a Hugging Face folder, and written back as one. Imports PyTorch.

Shapes: b pieces of a batch, t tokens of a piece, n tokens that are hidden, d width, v tokens of the vocabulary.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.training.encoders import set_dropout
from modelmint.training.methods.tune import plain
from modelmint.training.methods.tune import save as save_method
from modelmint.training.own_code import trusted

HEADS = ("cls", "lm_head", "predictions")
"""What the families call the layers that tell a word of a state."""


class MaskedModel(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """An encoder, and the layers that tell the hidden words: logits (n, v) of the places that are asked for, alone."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.encoder = whole.base_model
        self.head = next(getattr(whole, name) for name in HEADS if hasattr(whole, name))
        self._whole = [whole]  # in a list, so that its parameters are not counted twice

    def forward(self, input_ids: Tensor, attention_mask: Tensor, places: Tensor) -> Tensor:
        length = input_ids.shape[1]
        states_btd = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[:, -length:]
        logits_nv: Tensor = self.head(states_btd[places])
        return logits_nv

    @property
    def whole(self) -> Any:
        return self._whole[0]


def load_masked_base(folder: Path, *, dropout: float = 0.0) -> MaskedModel:
    """The masked language model of a folder in fp32; where the folder has an encoder alone, its head starts from nothing.

    Raises:
        InputError: it is no encoder that can be used so.
    """
    from transformers import AutoConfig, AutoModelForMaskedLM, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trusted(folder))
        set_dropout(config, dropout)
        whole = AutoModelForMaskedLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation="sdpa" if torch.cuda.is_available() else "eager",
            local_files_only=True,
            trust_remote_code=trusted(folder),
            use_safetensors=True,
        )
    except (ValueError, OSError) as error:
        raise _wrong(str(error).strip().partition("\n")[0][:300]) from error
    if not any(hasattr(whole, name) for name in HEADS):
        raise _wrong(f"{config.model_type} keeps its output layers in a form that is not known here")
    return MaskedModel(whole)


def save_masked(model: MaskedModel, folder: Path) -> None:
    """Write config and weights. Equal weights give equal files."""
    base = save_method(plain(model.encoder), folder)
    whole = model.whole
    setattr(whole, whole.base_model_prefix, base)
    whole.save_pretrained(folder)


def _wrong(why: str) -> InputError:
    return InputError(
        f"base: must be an encoder that transformers knows as a masked language model, without code of its own; {why}",
        parameter="base",
        remedy="`base: starter` is one.",
    )
