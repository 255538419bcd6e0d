"""Narrower feed-forward pairs: in every layer the same number of neurons stays, those the answers hang on most.

All layers are as wide as the config says, so what is less needed in one layer cannot make room in another.
Imports PyTorch.

Shapes: f neurons between the two matrices of a layer, d width of the encoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.compression.bodies.folders import check_whole, read_parts, write_parts
from modelmint.compression.bodies.importance import layers_of
from modelmint.core.errors import InputError
from modelmint.training.encoders import load_encoder

WIDTHS = ("intermediate_size", "hidden_dim", "ffn_dim")
MULTIPLE = 16
"""Numbers that the kernels of 8 and 16 bits take at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """The feed-forward pair of a layer, by the names of its matrices in the encoder: (f, d) in, and (d, f) out."""

    ups: tuple[str, ...]
    """Two where one is a gate."""
    down: str


def pairs_of(encoder: Any) -> tuple[list[Pair], str]:
    """The pair of each layer, and how the config calls their width.

    Raises:
        InputError: the layers have no such pairs.
    """
    path, layers = layers_of(encoder)
    width_name = next((name for name in WIDTHS if isinstance(getattr(encoder.config, name, None), int)), "")
    width, found = getattr(encoder.config, width_name, 0), []
    for at, layer in enumerate(layers):
        linears = [(name, one) for name, one in layer.named_modules() if isinstance(one, nn.Linear)]
        ups = tuple(f"{path}.{at}.{name}" for name, one in linears if one.out_features == width != one.in_features)
        downs = [f"{path}.{at}.{name}" for name, one in linears if one.in_features == width != one.out_features]
        if len(downs) != 1 or len(ups) not in (1, 2):
            raise InputError(
                f"try: neurons can be taken out where each layer has one feed-forward pair of the width that the "
                f"config says; layer {at} of {encoder.config.model_type} has {len(ups)} matrices into it and {len(downs)} "
                "out of it",
                parameter="try",
                remedy="Leave `neurons-P` out of compress.try for this model.",
            )
        found.append(Pair(ups=ups, down=downs[0]))
    return found, width_name


def num_kept(percent: int, width: int) -> int:
    """How many neurons `percent` are: a multiple of `MULTIPLE` where there are enough."""
    wanted = max(1, round(width * percent / 100))
    return max(MULTIPLE, wanted // MULTIPLE * MULTIPLE) if width > MULTIPLE else wanted


def keep_neurons(folder: Path, importances: Sequence[Tensor], kept: int, output: Path) -> None:
    """Write the model of `folder` with the `kept` most important neurons of each layer, in the order they stood.

    Args:
        importances: (f,) of each layer.
    """
    encoder, parts = load_encoder(folder), read_parts(folder)
    pairs, width_name = pairs_of(encoder)
    for pair, importance_f in zip(pairs, importances, strict=True):
        places = torch.sort(torch.argsort(importance_f, descending=True, stable=True)[:kept]).values
        for up in pair.ups:
            for path in (f"{up}.weight", f"{up}.bias"):
                if path in encoder.state_dict():
                    name = parts.named(path)
                    parts.tensors[name] = parts.tensors[name][places]
        name = parts.named(f"{pair.down}.weight")
        parts.tensors[name] = parts.tensors[name][:, places]
    parts.config[width_name] = kept
    write_parts(parts, folder, output)
    check_whole(parts, load_encoder(output))
