"""A small residual network of convolutions, for images and for the spectrograms of sounds. Imports PyTorch.

Shapes: b rows of a batch, c channels, h height, w width, d width of a stage, l labels.
"""

from torch import Tensor, nn
from torch.nn import functional

from modelmint.training.scratch.spec import ImageCnn

SMALL_SIDE = 20
"""The first stage works at the size that halving reaches below this."""
NUM_GROUPS = 8


class ResidualCnn(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Numbers (b, c, h, w) to logits (b, l).

    Group norm in place of batch norm: a row's answer then never depends on the rows beside it, so that a step in
    micro-batches, on one worker or on several, is the same step.

    Source: He et al., Identity Mappings in Deep Residual Networks (2016); Wu and He, Group Normalization (2018).
    """

    def __init__(self, sizes: ImageCnn, *, channels: int, side: int, num_labels: int, dropout: float = 0.0) -> None:
        super().__init__()
        halvings = 1
        while side >> halvings > SMALL_SIDE:
            halvings += 1
        self.stem = nn.ModuleList(  # the last of them sees every place before it halves
            _conv(channels if at == 0 else sizes.width, sizes.width, 1 if at == halvings - 1 else 2)
            for at in range(halvings)
        )
        widths = [sizes.width << stage for stage in range(sizes.num_stages)]
        before = [sizes.width, *widths[:-1]]
        self.stages = nn.ModuleList(
            Block(inner, outer, stride=1 if at == 0 else 2)
            for at, (inner, outer) in enumerate(zip(before, widths, strict=True))
        )
        self.norm = _norm(widths[-1])
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(widths[-1], num_labels)

    def forward(self, pixels: Tensor) -> Tensor:
        state_bdhw = pixels
        for convolution in self.stem[:-1]:
            state_bdhw = functional.relu(convolution(state_bdhw))
        state_bdhw = functional.relu(functional.max_pool2d(self.stem[-1](state_bdhw), 2, ceil_mode=True))
        for block in self.stages:
            state_bdhw = block(state_bdhw)
        mean_bd = functional.relu(self.norm(state_bdhw)).mean(dim=(2, 3))
        return self.classifier(self.dropout(mean_bd))


class Block(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Two convolutions beside the way that goes straight through."""

    def __init__(self, inner: int, outer: int, *, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = _norm(inner), _norm(outer)
        self.conv1, self.conv2 = _conv(inner, outer, stride), _conv(outer, outer)
        self.straight = nn.Conv2d(inner, outer, 1, stride=stride, bias=False) if inner != outer or stride > 1 else None
        nn.init.zeros_(self.conv2.weight)  # at first every block is the straight way alone

    def forward(self, state_bdhw: Tensor) -> Tensor:
        normed = functional.relu(self.norm1(state_bdhw))
        straight = state_bdhw if self.straight is None else self.straight(normed)
        return straight + self.conv2(functional.relu(self.norm2(self.conv1(normed))))


def _conv(inner: int, outer: int, stride: int = 1) -> nn.Conv2d:
    convolution = nn.Conv2d(inner, outer, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(next(num for num in range(NUM_GROUPS, 0, -1) if channels % num == 0), channels)
