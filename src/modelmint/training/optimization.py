"""How the weights move: the schedule, the precision, the weights of labels. Imports PyTorch."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from modelmint.core.errors import InputError
from modelmint.training.knobs import Knobs
from modelmint.training.spec import Precision


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
    """What `auto` means on this machine: bf16 where the hardware multiplies it; elsewhere it would be emulated.

    Raises:
        InputError: fp16 without a GPU.
    """
    if wanted == "fp16" and not torch.cuda.is_available():
        raise InputError(
            "precision: fp16 must have a GPU, and there is none here", parameter="precision", remedy="Set it to auto."
        )
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    cpu: Any = torch.cpu
    return "bf16" if cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported() else "fp32"
