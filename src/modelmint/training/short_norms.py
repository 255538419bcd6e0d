"""Layer normalisation that gives 16 bits under autocast on a CPU. Imports PyTorch.

Autocast has no rule for it there, so it gives fp32, and each layer after it begins with a cast; on small models the casts
take as long as a tenth of the products. Mean and variance are summed in fp32 either way.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ShortNorm(nn.LayerNorm):  # type: ignore[misc]  # torch is not typed here
    """As its parent, outside of autocast."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        if torch.is_autocast_enabled("cpu"):
            input = input.to(torch.get_autocast_dtype("cpu"))  # noqa: A001
        out: Tensor = functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)
        return out


def shorten_norms(model: nn.Module) -> None:
    """Make every `nn.LayerNorm` of a model one; its weights stay as they are and are called."""
    for module in model.modules():
        if type(module) is nn.LayerNorm:
            module.__class__ = ShortNorm
