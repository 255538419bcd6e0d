"""A model's folder as its config and its tensors, so that a cut is made on the files, whatever stands on the encoder.

Imports PyTorch.
"""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from modelmint.core.errors import InputError
from modelmint.core.types import JSON
from modelmint.training.shards import INDEX, WHOLE, weight_files


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What `config.json` says, and every tensor of the weights by its name in the file."""

    config: JSON
    tensors: dict[str, Tensor]

    def named(self, path: str) -> str:
        """The name in the file of a tensor of the encoder; a model with a head has the encoder's name before it.

        Raises:
            InputError: there is none.
        """
        found = next((name for name in self.tensors if name == path or name.endswith(f".{path}")), None)
        if found is None:
            raise InputError(
                f"try: the model's weights must have a tensor {path}; they have {len(self.tensors)} others",
                parameter="try",
                remedy="Its family cannot be cut in this way: leave the body out.",
            )
        return found


def read_parts(folder: Path) -> Parts:
    """All of it in memory; of weights in shards every shard."""
    config: JSON = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    files = [name for name in weight_files(folder) if name != INDEX]
    return Parts(
        config=config, tensors={name: tensor for file in files for name, tensor in load_file(folder / file).items()}
    )


def write_parts(parts: Parts, source: Path, folder: Path) -> None:
    """A copy of `source` with these weights in one file, and this config. Equal parts give equal files."""
    weights = re.compile(r".*\.safetensors(\.index\.json)?")
    shutil.copytree(source, folder, ignore=lambda at, names: _weights(source, at, names, weights), dirs_exist_ok=True)
    save_file(
        {name: tensor.contiguous().clone() for name, tensor in sorted(parts.tensors.items())},
        folder / WHOLE,
        metadata={"format": "pt"},
    )
    (folder / "config.json").write_text(json.dumps(parts.config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def check_whole(parts: Parts, encoder: Any) -> None:
    """Every weight that the opened encoder has must be in the file, at its size: else it was made from nothing.

    Raises:
        InputError: one is not.
    """
    for path, tensor in encoder.state_dict().items():
        if tuple(parts.tensors[parts.named(path)].shape) != tuple(tensor.shape):
            raise InputError(
                f"try: {path} must be of the size that the config says, {tuple(tensor.shape)}; it is "
                f"{tuple(parts.tensors[parts.named(path)].shape)}",
                parameter="try",
                remedy="The model's family cannot be cut in this way: leave the body out.",
            )


def num_parameters(folder: Path) -> int:
    """Of all its safetensors files: the encoder's and the head's."""
    return sum(tensor.numel() for path in sorted(folder.rglob("*.safetensors")) for tensor in load_file(path).values())


def size_bytes(folder: Path) -> int:
    """Of all its files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _weights(source: Path, at: str, names: list[str], pattern: re.Pattern[str]) -> list[str]:
    """What is not copied: the weights at the top, not those of the head below."""
    return [name for name in names if Path(at) == source and pattern.fullmatch(name)]
