"""Several sequences in one block, which do not see each other: less of a batch is padding. Imports PyTorch.

The positions of each begin at 0. Transformers reads from them where a sequence ends and builds the block-diagonal
attention for whichever kernel is used (`masking_utils.find_packed_sequence_indices`); padding is one more sequence.

Shapes: b blocks of a batch, t tokens of a block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a sequence stands in a batch: the block, and its first token there."""

    block: int
    start: int


def pack(lengths: Sequence[int], size: int) -> list[Place]:
    """(N,) a place a sequence, in blocks of at most `size` tokens: the longest first, each where it leaves least room.

    A sequence longer than `size` gets a block of its own. Source: best fit decreasing (Johnson 1974).
    """
    places: list[Place | None] = [None] * len(lengths)
    used: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        fitting = [(size - taken, block) for block, taken in enumerate(used) if taken + lengths[at] <= size]
        _, block = min(fitting, default=(0, len(used)))
        if block == len(used):
            used.append(0)
        places[at] = Place(block=block, start=used[block])
        used[block] += lengths[at]
    return [place for place in places if place is not None]


def unpacked(lengths: Sequence[int]) -> list[Place]:
    """(N,) a block a sequence."""
    return [Place(block=at, start=0) for at in range(len(lengths))]


def lay_out(rows: Sequence[Sequence[int]], places: Sequence[Place], pad_id: int) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids, positions and the mask of what is no padding, all (b, t)."""
    num_blocks = max(place.block for place in places) + 1
    longest = max(place.start + len(row) for row, place in zip(rows, places, strict=True))
    ids_bt = torch.full((num_blocks, longest), pad_id)
    mask_bt = torch.zeros((num_blocks, longest), dtype=torch.long)
    position_bt = torch.zeros((num_blocks, longest), dtype=torch.long)
    for row, place in zip(rows, places, strict=True):
        inside = slice(place.start, place.start + len(row))
        ids_bt[place.block, inside] = torch.tensor(row)
        mask_bt[place.block, inside] = 1
        position_bt[place.block, inside] = torch.arange(len(row))
    for block, num_used in enumerate(mask_bt.sum(dim=1).tolist()):
        position_bt[block, num_used:] = torch.arange(longest - num_used)
    return ids_bt, position_bt, mask_bt
