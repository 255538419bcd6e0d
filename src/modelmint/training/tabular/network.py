"""A small network over the columns of a table. Imports PyTorch.

Shapes: b rows of a batch, k columns, d width, l outputs.
"""

import torch
from torch import Tensor, nn

from modelmint.core.coefficients import MAX_DEVIATIONS, Inputs
from modelmint.training.tabular.spec import Network

WEIGHTS = "model.safetensors"
MAX_VECTOR = 16


class TableNetwork(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Encoded columns (b, k), NaN where a cell is missing, to outputs (b, l).

    A missing or unknown category is a vector of zeros that does not learn, so that it says nothing either way.

    Source: Gorishniy et al., Revisiting Deep Learning Models for Tabular Data (2021).
    """

    def __init__(self, sizes: Network, inputs: Inputs, num_outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        is_number = torch.tensor([num == 0 for num in inputs.num_categories])
        self.register_buffer("number_places", is_number.nonzero()[:, 0], persistent=False)
        self.register_buffer("category_places", (~is_number).nonzero()[:, 0], persistent=False)
        self.register_buffer("means", torch.tensor(inputs.means)[is_number], persistent=False)
        self.register_buffer("deviations", torch.tensor(inputs.deviations)[is_number], persistent=False)
        counts = [num for num in inputs.num_categories if num]
        self.vectors = nn.ModuleList(
            nn.Embedding(num + 1, min(MAX_VECTOR, (num + 2) // 2), padding_idx=0) for num in counts
        )
        width = 2 * int(is_number.sum()) + sum(one.embedding_dim for one in self.vectors)
        self.layers = nn.ModuleList()
        for _ in range(sizes.num_layers):
            self.layers.append(nn.Linear(width, sizes.width))
            width = sizes.width
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, num_outputs)

    def forward(self, cells_bk: Tensor) -> Tensor:
        numbers = cells_bk.index_select(1, self.number_places)
        missing = torch.isnan(numbers)
        scaled = ((numbers - self.means) / self.deviations).clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)
        parts = [torch.where(missing, torch.zeros_like(scaled), scaled), missing.to(scaled.dtype)]
        categories = cells_bk.index_select(1, self.category_places)
        ids = torch.where(torch.isnan(categories), torch.full_like(categories, -1.0), categories).long() + 1
        parts += [vectors(ids[:, at]) for at, vectors in enumerate(self.vectors)]
        state_bd = torch.cat(parts, dim=1)
        for layer in self.layers:
            state_bd = self.dropout(nn.functional.relu(layer(state_bd)))
        return self.classifier(self.norm(state_bd))
