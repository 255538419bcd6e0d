"""Bottleneck adapters: a narrow layer behind each block of a base. Imports PyTorch.

Source: Houlsby et al., Parameter-Efficient Transfer Learning for NLP (2019); one a block, as Pfeiffer et al. (2021) found
to be enough.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.core.errors import InputError


class Adapter(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Down to `width` numbers, a nonlinearity, up again, added to what came in; it begins as doing nothing."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(size, width), nn.Linear(width, size)
        nn.init.normal_(self.down.weight, std=0.02)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, states: Tensor) -> Tensor:
        added: Tensor = self.up(torch.relu(self.down(states)))
        return states + added


class Bottleneck(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """A block of the base with its adapter behind it."""

    def __init__(self, block: nn.Module, size: int, width: int) -> None:
        super().__init__()
        self.block, self.adapter = block, Adapter(size, width)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        found = self.block(*inputs, **named)
        return (self.adapter(found[0]), *found[1:]) if isinstance(found, tuple) else self.adapter(found)


def with_adapters(base: Any, *, width: int = 0, tensors: Mapping[str, Tensor] | None = None) -> Any:
    """`base` with an adapter behind each of its blocks, in place: new ones, or those whose weights are given.

    Raises:
        InputError: the base does not list its blocks.
    """
    blocks, size = blocks_of(base), int(base.config.hidden_size)
    for at, block in enumerate(list(blocks)):
        width = len(tensors[f"{at}.down.weight"]) if tensors else width
        blocks[at] = Bottleneck(block, size, width)
        if tensors:
            own = {name.partition(".")[2]: tensor for name, tensor in tensors.items() if name.startswith(f"{at}.")}
            blocks[at].adapter.load_state_dict(own)
    return base


def without_adapters(base: Any) -> tuple[Any, dict[str, Tensor]]:
    """`base` as it was, in place, and the weights of its adapters."""
    blocks = blocks_of(base)
    tensors: dict[str, Tensor] = {}
    for at, block in enumerate(list(blocks)):
        weights = block.adapter.state_dict()
        tensors |= {f"{at}.{name}": tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
        blocks[at] = block.block
    return base, tensors


def has_adapters(base: nn.Module) -> bool:
    """Whether `with_adapters` was there."""
    return any(isinstance(module, Bottleneck) for module in base.modules())


def freeze_but_adapters(base: nn.Module) -> None:
    """Train the adapters alone."""
    base.requires_grad_(False)
    for module in base.modules():
        if isinstance(module, Adapter):
            module.requires_grad_(True)


def blocks_of(base: Any) -> nn.ModuleList:
    """The layers of a base, from the first to the uppermost.

    Raises:
        InputError: the base does not list them.
    """
    found = [module for module in base.modules() if isinstance(module, nn.ModuleList)]
    if not found:
        raise InputError(
            "method: must be one that fits the base, which does not list its layers",
            parameter="method",
            remedy="Use `method: full` or `method: lora`.",
        )
    return max(found, key=len)
