"""Image classifiers in Hugging Face's layout: a base, and what was trained from it. Imports PyTorch.

Shapes: b rows of a batch, c channels, h height, w width, l labels.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.core.media import Picture
from modelmint.training.own_code import trusted

PREPARATION = "preprocessor_config.json"
_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet, where a base does not say its own


class VisionModel(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Pixels (b, c, h, w) to logits (b, l)."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> Tensor:
        return self.encoder(pixel_values=pixels).logits


def load_vision(folder: Path) -> VisionModel:
    """The classifier of a folder in fp32, with its own labels.

    Raises:
        InputError: it is no classifier of images that transformers knows.
    """
    from transformers import AutoModelForImageClassification, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        encoder = AutoModelForImageClassification.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, trust_remote_code=trusted(folder), use_safetensors=True
        )
    except (ValueError, OSError) as error:
        why = str(error).strip().partition("\n")[0][:300]
        raise InputError(
            f"base: must be a classifier of images that transformers knows, without code of its own; {why}",
            parameter="base",
            remedy="`base: none` makes a small network from nothing.",
        ) from error
    return VisionModel(encoder)


def relabel(model: VisionModel, labels: Sequence[str], *, known: Sequence[str]) -> None:
    """Put a new layer on top; labels that were `known` keep what was learned of them.

    Raises:
        InputError: the base's last layer is not a linear one.
    """
    encoder = model.encoder
    top = getattr(encoder, "classifier", None)
    old = top[-1] if isinstance(top, nn.Sequential) and len(top) else top
    if not isinstance(old, nn.Linear):
        raise InputError(
            f"base: must end in a linear layer named classifier; {encoder.config.model_type} does not",
            parameter="base",
            remedy="Take a ViT, DeiT, Swin, ResNet or ConvNeXt.",
        )
    new = nn.Linear(old.in_features, len(labels))
    nn.init.normal_(new.weight, std=0.02)
    nn.init.zeros_(new.bias)
    with torch.no_grad():
        for label_id, label in enumerate(labels):
            if label in known:
                new.weight[label_id], new.bias[label_id] = (
                    old.weight[list(known).index(label)],
                    old.bias[list(known).index(label)],
                )
    if isinstance(top, nn.Sequential):
        top[-1] = new
    else:
        encoder.classifier = new
    encoder.num_labels = len(labels)
    encoder.config.num_labels = len(labels)
    encoder.config.id2label = dict(enumerate(labels))
    encoder.config.label2id = {label: at for at, label in enumerate(labels)}


def save_vision(model: VisionModel, source: Path, folder: Path) -> None:
    """Write config and weights; how images are prepared is that of `source`. Equal weights give equal files."""
    model.encoder.save_pretrained(folder)
    if (source / PREPARATION).is_file():
        shutil.copyfile(source / PREPARATION, folder / PREPARATION)


def preparation(folder: Path) -> tuple[Picture, list[float], list[float]]:
    """How the base wants images: size and channels, mean and deviation of each channel.

    Raises:
        InputError: the folder is not that of a model of images.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if not is_vision(config):
        raise InputError(
            f"base: must be a model of images; got one of type {config.get('model_type')}",
            parameter="base",
            remedy="`base: none` makes a small network from nothing.",
        )
    path = folder / PREPARATION
    said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    height, width = _size(said.get("crop_size") or said.get("size") or config.get("image_size") or 224)
    channels = int(config["num_channels"])
    mean, std = said.get("image_mean", _MEAN), said.get("image_std", _STD)
    if channels == 1 and len(mean) != 1:
        mean, std = [sum(mean) / len(mean)], [sum(std) / len(std)]
    return Picture(height=height, width=width, channels=channels), mean, std


def is_vision(config: dict[str, Any]) -> bool:
    """Whether a config.json is that of a model of images alone."""
    return isinstance(config.get("num_channels"), int) and "vocab_size" not in config


def _size(said: Any) -> tuple[int, int]:
    if isinstance(said, int):
        return said, said
    if isinstance(said, list):
        return int(said[0]), int(said[-1])
    side = int(said.get("shortest_edge", 224))
    return int(said.get("height", side)), int(said.get("width", side))
