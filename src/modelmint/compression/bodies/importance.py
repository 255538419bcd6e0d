"""What the answers would lose without a neuron, to first order: the gradient of the loss by it, times what it says.

The loss is that of the model's own answers, so no labels are needed. Imports PyTorch.

Source: Michel et al., Are Sixteen Heads Really Better than One? (2019); Molchanov et al., Importance Estimation for
Neural Network Pruning (2019).

Shapes: b rows of a batch, t tokens, d width, f neurons between the two matrices of a layer, l labels.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.errors import InputError


def layers_of(encoder: Any) -> tuple[str, nn.ModuleList]:
    """The list of an encoder's layers, and its name.

    Raises:
        InputError: its layers do not stand in one list.
    """
    lists = [
        (name, module)
        for name, module in encoder.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == encoder.config.num_hidden_layers
    ]
    lists = [(name, one) for name, one in lists if not any(name.startswith(f"{other}.") for other, _ in lists)]
    if len(lists) == 1:
        return lists[0]
    raise InputError(
        f"try: layers and neurons can be taken out of a model whose layers stand in one list; "
        f"{encoder.config.model_type} has {len(lists)} lists of {encoder.config.num_hidden_layers}",
        parameter="try",
        remedy="Leave `layers-N` and `neurons-P` out of compress.try for this model.",
    )


def neuron_importance(losses: Iterable[Tensor], downs: Sequence[nn.Linear], check: Callable[[], None]) -> list[Tensor]:
    """Of each of `downs`, the second matrix of a feed-forward pair: (f,) the importance of what it takes in.

    Args:
        losses: of batches of rows, each computed when it is asked for.
    """
    kept: list[Tensor] = []

    def note(_module: nn.Module, args: tuple[Tensor, ...]) -> None:
        args[0].retain_grad()
        kept.append(args[0])

    sums = [torch.zeros(down.in_features, dtype=torch.float64) for down in downs]
    hooks = [down.register_forward_pre_hook(note) for down in downs]
    for loss in losses:
        check()
        loss.backward()
        moved = [(state_btf * state_btf.grad).sum(dim=1).abs().sum(dim=0) for state_btf in kept]
        sums = [total_f + one_f.detach().double().cpu() for total_f, one_f in zip(sums, moved, strict=True)]
        kept.clear()
    for hook in hooks:
        hook.remove()
    return sums


def answer_loss(logits_bl: Tensor, by: str) -> Tensor:
    """() the sum over rows of the loss of the answers that are given."""
    if by == "softmax":
        return functional.cross_entropy(logits_bl, logits_bl.detach().argmax(dim=1), reduction="sum")
    if by == "sigmoid":
        decided_bl = (logits_bl.detach() > 0).to(logits_bl.dtype)
        return functional.binary_cross_entropy_with_logits(logits_bl, decided_bl, reduction="sum")
    return logits_bl.sum()
