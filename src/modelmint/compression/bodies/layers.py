"""Fewer layers: those that the answers hang on least are taken out, as files. Imports PyTorch."""

import re
from collections.abc import Sequence
from pathlib import Path

from modelmint.compression.bodies.folders import check_whole, read_parts, write_parts
from modelmint.compression.bodies.importance import layers_of
from modelmint.core.errors import InputError
from modelmint.training.encoders import load_encoder

A_LAYER_EACH = ("layer_types",)
"""What a config lists layer by layer."""


def spaced(num_kept: int, num_layers: int) -> list[int]:
    """As many layers, evenly spaced, the first and the last among them; of one the first."""
    if num_kept == 1:
        return [0]
    return [round(at * (num_layers - 1) / (num_kept - 1)) for at in range(num_kept)]


def keep_layers(folder: Path, kept: Sequence[int], output: Path) -> None:
    """Write the model of `folder` with these layers alone, counted from 0.

    Raises:
        InputError: its family cannot be cut so, or keeps other layers apart by their number.
    """
    encoder, parts = load_encoder(folder), read_parts(folder)
    path, layers = layers_of(encoder)
    place = re.compile(rf"((?:.*\.)?{re.escape(path)}\.)(\d+)(\..*)")
    new = {layer: at for at, layer in enumerate(kept)}
    tensors = {}
    for name, tensor in parts.tensors.items():
        found = place.fullmatch(name)
        if found is None:
            tensors[name] = tensor
        elif int(found[2]) in new:
            tensors[f"{found[1]}{new[int(found[2])]}{found[3]}"] = tensor
    parts.tensors.clear()
    parts.tensors.update(tensors)
    parts.config[_counted_as(parts.config, len(layers))] = len(kept)
    for listed in A_LAYER_EACH:
        if isinstance(parts.config.get(listed), list):
            parts.config[listed] = [parts.config[listed][layer] for layer in kept]
    write_parts(parts, folder, output)
    check_whole(parts, load_encoder(output))


def check_count(num_kept: int, num_layers: int) -> None:
    """Whether so many layers can be kept.

    Raises:
        InputError: there are not more than that.
    """
    if num_kept >= num_layers:
        raise InputError(
            f"try: layers-N must keep fewer layers than the model has, which is {num_layers}; got {num_kept}",
            parameter="try",
            remedy=f"`layers-{max(1, num_layers // 2)}` keeps half of them.",
        )


def _counted_as(config: dict[str, object], num_layers: int) -> str:
    for name in ("num_hidden_layers", "n_layers", "num_layers", "n_layer"):
        if config.get(name) == num_layers:
            return name
    raise InputError(
        f"try: the model's config must say that it has {num_layers} layers; it names no such number",
        parameter="try",
        remedy="Leave `layers-N` out of compress.try for this model.",
    )
