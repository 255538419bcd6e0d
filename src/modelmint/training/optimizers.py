"""The optimizers by name, over groups of weights. All of them are PyTorch's own. Imports PyTorch."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.training.knobs import Knobs

Group = dict[str, Any]


def make_optimizer(model: nn.Module, knobs: Knobs, *, head: str = "classifier.") -> torch.optim.Optimizer:
    """Of the weights that are trained; biases, norms and embeddings do not decay, the head learns at its own rate.

    Each group keeps its ``peak_lr``. `muon` moves the matrices inside the model (Jordan et al. 2024), and AdamW the
    embeddings, the head and what is no matrix.
    """
    groups = _groups(model, knobs, head)
    if knobs.optimizer != "muon":
        return _MAKE[knobs.optimizer]([group for _, group in groups], knobs)
    inside = [group for is_inside, group in groups if is_inside]
    rest = [group for is_inside, group in groups if not is_inside]
    parts = [_muon(inside, knobs)] if inside else []
    return Together([*parts, _MAKE["adamw"](rest, knobs)] if rest else parts)


class Together(torch.optim.Optimizer):  # type: ignore[misc]  # torch is not typed here
    """Several optimizers as one; each moves its own weights."""

    state: Any

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.parts = parts
        self._share()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for part in self.parts:
            part.step()
        return closure() if closure else None

    def __setstate__(self, given: dict[str, Any]) -> None:
        super().__setstate__(given)  # it puts groups and states of its own in place of those that are shared
        self._share()

    def _share(self) -> None:
        """The parts move by the very groups that the schedule writes into, and their states are seen as one."""
        for part, groups in zip(self.parts, self._split(), strict=True):
            part.param_groups = groups
            for weight in (weight for group in groups for weight in group["params"] if weight in self.state):
                part.state[weight] = self.state[weight]
        self.state = _States(self.parts)

    def _split(self) -> Iterator[list[Group]]:
        start = 0
        for part in self.parts:
            end = start + len(part.param_groups)
            yield self.param_groups[start:end]
            start = end


class _States(MutableMapping[Tensor, Any]):
    """The states of several optimizers by weight, as one mapping that writes through."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self._of = {weight: part.state for part in parts for group in part.param_groups for weight in group["params"]}

    def __getitem__(self, weight: Tensor) -> Any:
        return self._of[weight][weight]

    def __setitem__(self, weight: Tensor, state: Any) -> None:
        self._of[weight][weight] = state

    def __delitem__(self, weight: Tensor) -> None:
        del self._of[weight][weight]

    def __iter__(self) -> Iterator[Tensor]:
        return (weight for weight, states in self._of.items() if weight in states)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _groups(model: nn.Module, knobs: Knobs, head: str) -> list[tuple[bool, Group]]:
    """Weights that learn and decay alike, each with whether they are matrices inside the model."""
    embeddings = {
        id(weight) for module in model.modules() if isinstance(module, nn.Embedding) for weight in module.parameters()
    }
    found: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_head, is_matrix = name.startswith(head), id(parameter) not in embeddings and parameter.ndim >= 2
        rate = knobs.head_learning_rate if is_head else knobs.learning_rate
        key = (rate, knobs.weight_decay if is_matrix else 0.0, is_matrix and parameter.ndim == 2 and not is_head)
        found.setdefault(key, []).append(parameter)
    return [
        (is_inside, {"params": parameters, "lr": rate, "peak_lr": rate, "weight_decay": decay})
        for (rate, decay, is_inside), parameters in found.items()
    ]


def _muon(groups: list[Group], knobs: Knobs) -> torch.optim.Optimizer:
    # Its own scale of the step makes AdamW's learning rates fit (Liu et al. 2025, Muon is Scalable for LLM Training).
    return torch.optim.Muon(groups, momentum=knobs.momentum, adjust_lr_fn="match_rms_adamw")


_MAKE: Mapping[str, Callable[[list[Group], Knobs], torch.optim.Optimizer]] = {
    "adamw": lambda groups, _: torch.optim.AdamW(groups, fused=True),
    "adam": lambda groups, _: torch.optim.Adam(groups, fused=True),
    "sgd": lambda groups, knobs: torch.optim.SGD(groups, momentum=knobs.momentum, nesterov=knobs.momentum > 0),
    "adagrad": lambda groups, _: torch.optim.Adagrad(groups),
    "adafactor": lambda groups, _: torch.optim.Adafactor(groups),
}
