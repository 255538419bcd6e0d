"""Two models of behaviour with one shape: a state at each place of a history, and a vector of each item. Imports PyTorch.

The state after an item is compared with the vectors of all items: what comes next has the highest product. At the end
only the last state is asked, so that both can be served by a search among the items' vectors.

Shapes: b histories, t places, d width, i items and padding, h heads, e width of a head, n items drawn.
"""

import json
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.items import CONFIG

Kind = Literal["sequence", "two-tower"]
PAD = 0
"""The items are numbered from 1."""
START_STD = 0.02
WEIGHTS = "model.safetensors"


class SequenceModel(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """A transformer that sees what is before: SASRec (Kang and McAuley, ICDM 2018), with norms before the layers.

    The vectors of the items are those by which they are read.
    """

    def __init__(
        self, num_items: int, *, width: int, num_layers: int, num_heads: int, max_history: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.items = nn.Embedding(num_items + 1, width, padding_idx=PAD)
        self.places = nn.Embedding(max_history, width)
        self.blocks = nn.ModuleList(_Block(width, num_heads, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.apply(_begin)

    def forward(self, item_ids: Tensor, own: Tensor | None = None, candidates: Tensor | None = None) -> Tensor:
        """Logits (b, t, i) of all items; or (b, t, 1 + n) of each place's `own` (b, t) and of `candidates` (n,)."""
        return _products(self, item_ids, own, candidates)

    def states(self, item_ids: Tensor) -> Tensor:
        """(b, t, d) after each item; padding stands behind, where nothing before it sees it."""
        places_t = torch.arange(item_ids.shape[1], device=item_ids.device)
        states_btd = self.dropout(self.items(item_ids) + self.places(places_t))
        for block in self.blocks:
            states_btd = block(states_btd)
        return self.norm(states_btd)

    def vectors(self, wanted: Tensor | None = None) -> Tensor:
        """(i, d) of all items, or of those that are wanted, in their shape."""
        return self.items.weight if wanted is None else self.items(wanted)


class TwoTower(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """A tower for the user over the history, and one for the item (Yi et al., RecSys 2019).

    The user's reads the mean of the history, a mean in which each step back counts `fading` times as much, and the newest
    item. Both vectors have length 1; their product is divided by a temperature.
    """

    temperature = 0.07
    fading = 0.8

    def __init__(
        self,
        num_items: int,
        *,
        width: int,
        num_layers: int,
        num_heads: int,  # noqa: ARG002  # both models are made alike
        max_history: int,  # noqa: ARG002
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.items = nn.Embedding(num_items + 1, width, padding_idx=PAD)
        self.user_tower = _tower(3 * width, width, num_layers, dropout)
        self.item_tower = _tower(width, width, num_layers, dropout)
        self.apply(_begin)

    def forward(self, item_ids: Tensor, own: Tensor | None = None, candidates: Tensor | None = None) -> Tensor:
        """As `SequenceModel.forward`."""
        return _products(self, item_ids, own, candidates)

    def states(self, item_ids: Tensor) -> Tensor:
        """(b, t, d) after each item."""
        read_btd = self.items(item_ids)
        places_t = torch.arange(item_ids.shape[1], device=item_ids.device)
        back_tt = (places_t[:, None] - places_t[None, :]).float()
        means = [self._mean(read_btd, back_tt, fading) for fading in (1.0, self.fading)]
        return functional.normalize(self.user_tower(torch.cat([*means, read_btd], dim=2)), dim=2)

    def _mean(self, read_btd: Tensor, back_tt: Tensor, fading: float) -> Tensor:
        weights_tt = torch.where(back_tt >= 0, fading**back_tt, 0.0)
        return (weights_tt / weights_tt.sum(dim=1, keepdim=True)).to(read_btd.dtype) @ read_btd

    def vectors(self, wanted: Tensor | None = None) -> Tensor:
        """As `SequenceModel.vectors`, divided by the temperature."""
        read_id = self.items.weight if wanted is None else self.items(wanted)
        return functional.normalize(self.item_tower(read_id), dim=-1) / self.temperature


class LastStates(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """A trained model as it is asked: histories (b, t), at least one item each and padding behind, to scores (b, i).

    Its parts keep their names. The items' vectors are computed once; `scores` of padding are left out.
    """

    def __init__(self, model: SequenceModel | TwoTower) -> None:
        super().__init__()
        for name, part in model.named_children():
            setattr(self, name, part)
        self._states = model.states
        with torch.no_grad():
            self.register_buffer("vectors_di", model.vectors()[PAD + 1 :].T.contiguous())
        self.train(False)

    def forward(self, item_ids: Tensor) -> Tensor:
        states_btd = self._states(item_ids)
        last_b = (item_ids != PAD).sum(dim=1) - 1
        rows_b = torch.arange(item_ids.shape[0], device=item_ids.device)
        return states_btd[rows_b, last_b] @ self.vectors_di


class _Block(nn.Module):  # type: ignore[misc]  # torch is not typed here
    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.share = num_heads, dropout
        self.norm_attention, self.norm_layer = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.layer = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, states_btd: Tensor) -> Tensor:
        num_b, num_t, width = states_btd.shape
        mixed = self.queries_keys_values(self.norm_attention(states_btd))
        parts_3bhte = mixed.view(num_b, num_t, 3, self.num_heads, width // self.num_heads).permute(2, 0, 3, 1, 4)
        share = self.share if self.training else 0.0
        queries, keys, values = parts_3bhte.unbind(0)
        seen_bhte = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True, dropout_p=share)
        states_btd = states_btd + self.dropout(self.out(seen_bhte.transpose(1, 2).reshape(num_b, num_t, width)))
        return states_btd + self.dropout(self.layer(self.norm_layer(states_btd)))


def new_model(config: dict[str, Any]) -> SequenceModel | TwoTower:
    """The model of a config: ``model``, ``num_items`` and the sizes."""
    sizes = {name: value for name, value in config.items() if name not in ("model", "num_items")}
    return (SequenceModel if config["model"] == "sequence" else TwoTower)(config["num_items"], **sizes)


def read_model(folder: Path) -> tuple[SequenceModel | TwoTower, dict[str, Any]]:
    """The model of a saved folder, ready to answer, and its config."""
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    model = new_model(config)
    model.load_state_dict(load_file(folder / WEIGHTS))
    model.train(False)
    return model, config


def _products(model: Any, item_ids: Tensor, own: Tensor | None, candidates: Tensor | None) -> Tensor:
    states_btd = model.states(item_ids)
    if own is None or candidates is None:
        return states_btd @ model.vectors().T
    own_bt1 = (states_btd * model.vectors(own)).sum(dim=2, keepdim=True)
    return torch.cat([own_bt1, states_btd @ model.vectors(candidates).T], dim=2)


def _tower(width_in: int, width: int, num_layers: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Dropout(dropout)]
    for at in range(num_layers):
        layers += [nn.Linear(width_in if at == 0 else width, width), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(width if num_layers else width_in, width))


def _begin(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=START_STD)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        elif module.padding_idx is not None:
            with torch.no_grad():
                module.weight[module.padding_idx].zero_()
