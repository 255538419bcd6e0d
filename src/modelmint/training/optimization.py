"""How the weights move: the optimizer, the schedule, the loss, the precision. Imports PyTorch."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from modelmint.training.spec import FinetuneSpec, Precision


def make_optimizer(model: nn.Module, spec: FinetuneSpec) -> torch.optim.Optimizer:
    """Fused AdamW; biases, norms and embeddings do not decay, the head learns at its own rate.

    Sets `requires_grad`: frozen embeddings get no gradient.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        is_embedding = ".embeddings." in name
        parameter.requires_grad_(not (spec.freeze_embeddings and is_embedding))
        if not parameter.requires_grad:
            continue
        decay = 0.0 if is_embedding or parameter.ndim < 2 else spec.weight_decay
        rate = spec.head_learning_rate if name.startswith("classifier.") else spec.learning_rate
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "peak_lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        fused=True,
    )


def learning_rate_factor(step: int, total: int, warmup: float) -> float:
    """Linear warm-up, then linear decay to zero; a function of the step, so that a resume needs no state."""
    num_warmup = max(1, round(total * warmup))
    if step < num_warmup:
        return (step + 1) / num_warmup
    return max(0.0, (total - step) / max(1, total - num_warmup))


def class_weights(label_ids: Sequence[int], num_labels: int) -> Tensor:
    """One factor a label: the inverse of how often it occurs, so that rows weigh 1 on average."""
    counts = torch.bincount(torch.tensor(label_ids), minlength=num_labels).clamp(min=1)
    return len(label_ids) / (num_labels * counts.float())


def choose_precision(wanted: Precision) -> Literal["bf16", "fp32"]:
    """What `auto` means on this machine: bf16 where the hardware multiplies it; elsewhere it would be emulated."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    cpu: Any = torch.cpu
    return "bf16" if cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported() else "fp32"
