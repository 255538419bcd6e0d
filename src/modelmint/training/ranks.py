"""The processes that train one model together: each computes its part of every batch. Imports PyTorch.

Numbers and tensors meet in collectives of `torch.distributed` (gloo on processors, NCCL on GPUs), which every rank must
call, in the same order: so what decides whether one is called is decided by the first rank, and told to all.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.core.types import JSON

BUCKET_BYTES = 64 << 20
"""Gradients travel in pieces of about this size."""


class Ranks:
    """One process alone: it has every row, and nothing travels."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """It alone says, decides and writes."""
        return self.rank == 0

    def part(self, rows: Sequence[int]) -> Sequence[int]:
        """This rank's rows of a batch. Batches are sorted by length, so a rank takes every so manieth."""
        return rows if self.size == 1 else rows[self.rank :: self.size]

    def sums(self, *values: float) -> list[float]:
        """Each value, summed over the ranks."""
        return list(values)

    def most(self, value: int) -> int:
        """The largest of the ranks' values."""
        return value

    def sum_gradients(self, model: nn.Module) -> None:
        """Put the sums over the ranks in the place of the gradients."""

    def agreed(self, word: bool) -> bool:
        """The first rank's word."""
        return word

    def told(self, value: JSON) -> JSON:
        """The first rank's value."""
        return value

    def same(self, tensors: Iterable[Tensor]) -> None:
        """Put the first rank's numbers in the place of everyone's."""

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """(ranks) this tensor of every rank; they are of one shape."""
        return [tensor]


ALONE = Ranks()


class Group(Ranks):
    """One of several, in the default process group of `torch.distributed`, which is there for as long as it is used."""

    def __init__(self) -> None:
        self._dist: Any = torch.distributed
        self.rank, self.size = int(self._dist.get_rank()), int(self._dist.get_world_size())
        self._device = torch.device("cuda" if self._dist.get_backend() == "nccl" else "cpu")

    def sums(self, *values: float) -> list[float]:
        sums = torch.tensor(values, dtype=torch.float64, device=self._device)
        self._dist.all_reduce(sums)
        return [float(value) for value in sums.tolist()]

    def most(self, value: int) -> int:
        return max(int(one.item()) for one in self.gathered(torch.tensor(value)))

    def sum_gradients(self, model: nn.Module) -> None:
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        # A weight that no rank used has no gradient, and its optimizer then leaves it alone, as with one process.
        used = self.sums(*(float(weight.grad is not None) for weight in trained))
        for bucket in _buckets([weight for weight, num in zip(trained, used, strict=True) if num]):
            for weight in bucket:
                if weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
            joined = torch.cat([weight.grad.flatten() for weight in bucket]).to(self._device)
            self._dist.all_reduce(joined)
            start = 0
            for weight in bucket:
                weight.grad.copy_(joined[start : start + weight.numel()].view_as(weight.grad))
                start += weight.numel()

    def agreed(self, word: bool) -> bool:
        told = torch.tensor([int(word)], device=self._device)
        self._dist.broadcast(told, src=0)
        return bool(told.item())

    def told(self, value: JSON) -> JSON:
        content = json.dumps(value).encode() if self.is_first else b""
        (size,) = self.sums(float(len(content)))
        told = torch.zeros(int(size), dtype=torch.uint8)
        if self.is_first:
            told = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        told = told.to(self._device)
        self._dist.broadcast(told, src=0)
        answer: JSON = json.loads(bytes(told.cpu().tolist()))
        return answer

    def same(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            sent = tensor.detach().to(self._device).contiguous()
            self._dist.broadcast(sent, src=0)
            tensor.detach().copy_(sent)

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        sent = tensor.to(self._device)
        parts = [torch.empty_like(sent) for _ in range(self.size)]
        self._dist.all_gather(parts, sent)
        return [part.to(tensor.device) for part in parts]


def _buckets(weights: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """In their order, parted by kind of number and at about `BUCKET_BYTES`."""
    buckets: list[list[nn.Parameter]] = []
    num_bytes = 0
    for weight in weights:
        size = weight.numel() * weight.element_size()
        if not buckets or buckets[-1][-1].dtype != weight.dtype or num_bytes + size > BUCKET_BYTES:
            buckets.append([])
            num_bytes = 0
        buckets[-1].append(weight)
        num_bytes += size
    return buckets
