"""A model in parts: each rank holds its part of every weight, gradient and moment (PyTorch's FSDP2). Imports PyTorch.

The layers of the model are put together one at a time, when they are needed, and taken apart again. What looks at the
whole model (validation, checkpoints, the end) gathers it into a copy that the first rank keeps on its processor.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.training.knobs import Knobs
from modelmint.training.methods import AnyMethod
from modelmint.training.ranks import Ranks

OPTIMIZERS = ("adamw", "adam", "sgd", "adagrad")
METHODS = ("full", "freeze", "lora", "rslora")


def must_fit(method: AnyMethod, knobs: Knobs, precision: str, model: nn.Module) -> None:
    """Whether what was asked for works on parts of weights.

    Raises:
        InputError: it does not.
    """
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):
        raise InputError(
            "sharding: must be none for an LSTM, whose weights cannot be in parts; got full",
            parameter="sharding",
            remedy="Take sharding out of train.",
        )
    wrong = {
        "optimizer": (knobs.optimizer, OPTIMIZERS),
        "method": (method.name, METHODS),
        "precision": (precision, ("bf16", "fp32")),
    }
    for name, (given, allowed) in wrong.items():
        if given not in allowed:
            raise InputError(
                f"{name}: must be one of {', '.join(allowed)} with `sharding: full`; got {given}",
                parameter=name,
                remedy=f"Change train.{name}, or take sharding out of train.",
            )


def parted(model: nn.Module, ranks: Ranks, device: torch.device) -> tuple[nn.Module, nn.Module | None]:
    """The model, in parts from now on, and on the first rank a whole copy of it on the processor."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    whole_one = copy.deepcopy(model) if ranks.is_first else None
    mesh = init_device_mesh(device.type, (ranks.size,))
    model.to(device)
    for layer in _layers(model):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)  # the loss is divided over the whole batch already
            module.set_force_sum_reduction_for_comms(True)  # gloo knows no other than sums
    return model, whole_one


def whole(tensor: Tensor) -> Tensor:
    """Gathered from all ranks, which all call it; as it is where it is in no parts."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def as_part(tensor: Tensor, like: Tensor) -> Tensor:
    """This rank's part of a whole tensor, of the device and in the parts of `like`."""
    tensor = tensor.to(like.device)
    if not hasattr(like, "full_tensor") or hasattr(tensor, "full_tensor") or tensor.shape != like.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    mesh: Any = getattr(like, "device_mesh", None)
    return distribute_tensor(tensor, mesh, getattr(like, "placements", None), src_data_rank=None)


def gather_into(model: nn.Module | None, weights: Mapping[str, Tensor]) -> None:
    """Copy weights that are in parts into a whole model, where this rank has one; all call it."""
    targets = model.state_dict() if model is not None else {}
    with torch.no_grad():
        for name, tensor in weights.items():
            gathered = whole(tensor)
            if name in targets:
                targets[name].copy_(gathered)


def _layers(model: nn.Module) -> list[nn.Module]:
    lists = [list(module) for module in model.modules() if isinstance(module, nn.ModuleList)]
    return max(lists, key=len, default=[])
