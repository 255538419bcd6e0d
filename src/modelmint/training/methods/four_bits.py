"""Linear layers whose weights are kept in four bits each, for QLoRA; bitsandbytes packs them. Imports PyTorch.

Source: Dettmers et al., QLoRA: Efficient Finetuning of Quantized LLMs (2023): NF4 in blocks of 64, without its second
quantization, which saves another 0.4 bits a weight.

Shapes: n numbers out, k numbers in, p packed bytes, q blocks.
"""

import importlib.util
import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.errors import InputError
from modelmint.training.methods.adapter import blocks_of

BLOCK = 64


class FourBitLinear(nn.Linear):  # type: ignore[misc]  # torch is not typed here
    """A frozen linear layer. Its weights are unpacked when they are used, forwards and backwards, and not kept."""

    def __init__(self, layer: nn.Linear) -> None:
        from bitsandbytes.functional import quantize_4bit

        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        packed_p1, state = quantize_4bit(layer.weight.detach().float(), blocksize=BLOCK, quant_type="nf4")
        self.weight, self.bias = nn.Parameter(packed_p1, requires_grad=False), layer.bias
        self.register_buffer("absmax_q", state.absmax)

    def unpacked(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(n, k) the weights as they count."""
        from bitsandbytes.functional import QuantState, dequantize_4bit

        shape = torch.Size((self.out_features, self.in_features))
        state = QuantState(absmax=self.absmax_q, shape=shape, blocksize=BLOCK, quant_type="nf4", dtype=dtype)
        weight_nk: Tensor = dequantize_4bit(self.weight, state)
        return weight_nk

    def forward(self, states: Tensor) -> Tensor:
        kind = states.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states.dtype
        product: Tensor = _Product.apply(states.to(dtype), self)
        return product if self.bias is None else product + self.bias.to(dtype)


class _Product(torch.autograd.Function):  # type: ignore[misc]  # torch is not typed here
    @staticmethod
    def forward(ctx: Any, states: Tensor, layer: FourBitLinear) -> Tensor:
        ctx.layer = layer
        with torch.autocast(states.device.type, enabled=False):
            product: Tensor = functional.linear(states, layer.unpacked(states.dtype))
        return product

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient @ ctx.layer.unpacked(gradient.dtype), None


def to_four_bits(base: Any) -> None:
    """Put the linear layers of the base's blocks into four bits, in place; embeddings, norms and biases stay.

    Raises:
        InputError: bitsandbytes is not installed, or the blocks have no linear layers.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise InputError(
            "method: `qlora` needs the extra `qlora`, which is not installed",
            parameter="method",
            remedy="pip install 'modelmint[qlora]', or set train.method to lora, which is the same on weights in full.",
        )
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it misses kernels from the hub, which it may not fetch
    num_found = 0
    for block in blocks_of(base):
        for module in list(block.modules()):
            for name, layer in list(module.named_children()):
                if type(layer) is nn.Linear:
                    setattr(module, name, FourBitLinear(layer))
                    num_found += 1
    if not num_found:
        raise InputError(
            f"method: `qlora` must have linear layers to pack; the blocks of {base.config.model_type} have none",
            parameter="method",
            remedy="Set train.method to lora.",
        )


def to_whole_weights(model: Any) -> None:
    """Unpack what `to_four_bits` packed, in place: the numbers that the model was trained with."""
    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, FourBitLinear):
                whole = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
                whole.weight, whole.bias = nn.Parameter(layer.unpacked(), requires_grad=False), layer.bias
                setattr(module, name, whole)


def num_weights(model: nn.Module) -> tuple[int, int]:
    """All weights of a model, and those that are trained; a packed byte holds two."""
    packed = {
        id(layer.weight): layer.in_features * layer.out_features
        for layer in model.modules()
        if isinstance(layer, FourBitLinear)
    }
    sizes = [(packed.get(id(weight), weight.numel()), weight.requires_grad) for weight in model.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, is_trained in sizes if is_trained)
