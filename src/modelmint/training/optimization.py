"""How the weights move: the optimizer, the schedule, the precision, the weights of labels. Imports PyTorch."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from modelmint.training.knobs import Knobs
from modelmint.training.spec import Precision


def make_optimizer(model: nn.Module, knobs: Knobs, *, head: str = "classifier.") -> torch.optim.Optimizer:
    """Of the weights that are trained; biases, norms and embeddings do not decay, the head learns at its own rate."""
    embeddings = {
        id(weight) for module in model.modules() if isinstance(module, nn.Embedding) for weight in module.parameters()
    }
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        decay = 0.0 if id(parameter) in embeddings or parameter.ndim < 2 else knobs.weight_decay
        rate = knobs.head_learning_rate if name.startswith(head) else knobs.learning_rate
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "peak_lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        fused=True,
    )


def learning_rate_factor(step: int, total: int, knobs: Knobs) -> float:
    """A straight warm-up, then the schedule; a function of the step, so that a resume needs no state."""
    num_warmup = max(1, round(total * knobs.warmup))
    if step < num_warmup:
        return (step + 1) / num_warmup
    done = min(1.0, (step - num_warmup) / max(1, total - num_warmup))
    if knobs.schedule == "constant":
        return 1.0
    if knobs.schedule == "inverse-sqrt":
        return math.sqrt(num_warmup / (step + 1))
    if knobs.schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    return (1 - done) ** (2 if knobs.schedule == "polynomial" else 1)


def class_weights(label_ids: Sequence[int], num_labels: int) -> Tensor:
    """One factor a label: the inverse of how often it occurs, so that rows weigh 1 on average."""
    counts = torch.bincount(torch.tensor(label_ids), minlength=num_labels).clamp(min=1)
    return len(label_ids) / (num_labels * counts.float())


def choose_precision(wanted: Precision) -> Literal["bf16", "fp16", "fp32"]:
    """What `auto` means on this machine: bf16 where the hardware multiplies it; elsewhere it would be emulated."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    cpu: Any = torch.cpu
    return "bf16" if cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported() else "fp32"
