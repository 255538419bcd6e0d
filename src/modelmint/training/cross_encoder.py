"""An encoder that reads a query and a document together and gives one number. Imports PyTorch.

The folder is one that `AutoModelForSequenceClassification` of transformers and `CrossEncoder` of Sentence Transformers
open as their own. Shapes: b pairs of a batch.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.training.encoders import DROPOUTS, save_encoder
from modelmint.training.methods import tune as tuning
from modelmint.training.methods.tune import restored
from modelmint.training.own_code import trusted


class CrossEncoder(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Its answer is the logits (b, 1): how well each document answers its query.

    `encoder` is the base, which a tuning method may wrap; `head` is what transformers puts on it.
    """

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.place = whole.base_model_prefix
        self.encoder = getattr(whole, self.place)
        self.head = nn.ModuleDict({name: part for name, part in whole.named_children() if name != self.place})
        self._whole = [whole]  # in a list, so that its weights are not counted twice

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        logits_b1: Tensor = self.whole.train(self.training)(**inputs).logits
        return logits_b1

    @property
    def whole(self) -> Any:
        """The model of transformers, with the encoder as it is now."""
        (whole,) = self._whole
        if getattr(whole, self.place) is not self.encoder:
            setattr(whole, self.place, self.encoder)
        return whole


def load_cross_encoder(folder: Path, *, dropout: float = 0.0, on_cpu: bool = True) -> CrossEncoder:
    """The model of a folder in fp32; of a base, with a head that is drawn from torch's global generator.

    Raises:
        InputError: transformers has no such model for it.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification, logging

    from modelmint.training.scratch.families import register

    register()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trusted(folder))
        config.num_labels = 1
        for name in (name for name in DROPOUTS if hasattr(config, name)):
            setattr(config, name, dropout)
        whole = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation="eager" if on_cpu else "sdpa",
            local_files_only=True,
            trust_remote_code=trusted(folder),
            use_safetensors=True,
        )
    except (ValueError, OSError, RuntimeError) as error:
        why = str(error).strip().partition("\n")[0][:300]
        raise InputError(
            f"base: must be an encoder that transformers can put one number on, without code of its own; {why}",
            parameter="base",
            remedy="`base: starter` is one.",
        ) from error
    model = CrossEncoder(whole)
    model.encoder = restored(model.encoder, folder)
    return model


def save_cross_encoder(model: CrossEncoder, source: Path, folder: Path) -> None:
    """Write the folder; the tokenizer is that of `source`."""
    model.encoder = tuning.save(tuning.plain(model.encoder), folder)
    save_encoder(model.whole, source, folder)


def keep_trained(model: CrossEncoder) -> None:
    """What stands above the layers is trained whatever the method is: the head, and a pooler inside the base."""
    model.head.requires_grad_(True)
    for name, weight in model.encoder.named_parameters():
        if "pooler." in name and "base_layer" not in name:
            weight.requires_grad_(True)
