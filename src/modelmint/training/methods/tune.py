"""Put a tuning method to a model: which of its weights are trained. Imports PyTorch."""

from typing import Any

from torch import nn

from modelmint.core.errors import InputError
from modelmint.training.methods.spec import Freeze, Full


def tune(model: nn.Module, method: Full | Freeze, *, freeze_embeddings: bool = False) -> None:
    """Set which weights of `model.encoder` are trained, in place; what is outside it always is.

    Raises:
        InputError: the method does not fit the base.
    """
    encoder = model.encoder
    if isinstance(method, Freeze):
        layers = _layers(encoder)
        encoder.requires_grad_(False)
        for layer in layers[len(layers) - method.num_layers :]:
            layer.requires_grad_(True)
    if freeze_embeddings:
        encoder.get_input_embeddings().weight.requires_grad_(False)
        for name, parameter in encoder.named_parameters():
            if "embeddings." in name:
                parameter.requires_grad_(False)


def _layers(encoder: Any) -> list[nn.Module]:
    found = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    if not found:
        raise InputError(
            "method: `freeze` must know the base's layers; this base does not list them",
            parameter="method",
            remedy="Use `method: full` or `method: lora`.",
        )
    return list(max(found, key=lambda layers: len(list(layers))))
