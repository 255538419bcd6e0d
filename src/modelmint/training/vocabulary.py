"""Only the rows of the word embedding that the texts use are trained, in place of all. Imports PyTorch.

The result is that of training all rows: an unused row has no gradient, no moments and no weight decay, so it never
moves. It saves the dense gradient and update of the rest, which on a CPU is a third of a step at 30 thousand rows and
most of it at 250 thousand.

Shapes: v rows of the embedding, d its width.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from modelmint.training.batches import TokenIds

MAX_PAD_ID = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """The rows in use. `token_ids` (used rows) are their numbers in `full_vd`; None where all rows are trained."""

    pad_id: int
    full_vd: Tensor
    token_ids: Tensor | None = None
    new_ids: dict[int, int]

    @classmethod
    def narrow(cls, encoder: Any, rows: Iterable[Sequence[int]]) -> Self:
        """Put the smaller embedding into `encoder`."""
        old, pad_id = encoder.get_input_embeddings(), int(encoder.config.pad_token_id or 0)
        if type(old) is not nn.Embedding or pad_id > MAX_PAD_ID:
            return cls(pad_id=pad_id, full_vd=old.weight.detach(), new_ids={})
        # Ids up to that of padding stay as they are: some encoders count positions from it.
        used = sorted({token_id for row in rows for token_id in row} | set(range(pad_id + 1)))
        token_ids, full_vd = torch.tensor(used), old.weight.detach()
        encoder.set_input_embeddings(_embedding(full_vd[token_ids], old.padding_idx))
        return cls(
            pad_id=pad_id,
            full_vd=full_vd,
            token_ids=token_ids,
            new_ids={token_id: at for at, token_id in enumerate(used)},
        )

    def encode(self, rows: TokenIds) -> TokenIds:
        """Token ids as numbers of the rows in use."""
        if self.token_ids is None:
            return rows
        return [[self.new_ids[token_id] for token_id in row] for row in rows]

    def widen(self, encoder: Any) -> None:
        """Put all rows back, the trained ones in their places."""
        if self.token_ids is None:
            return
        trained = encoder.get_input_embeddings()
        full_vd = self.full_vd.clone()
        full_vd[self.token_ids] = trained.weight.detach().to(full_vd.device)
        encoder.set_input_embeddings(_embedding(full_vd.to(trained.weight.device), trained.padding_idx))


def _embedding(weight_vd: Tensor, padding_idx: int | None) -> nn.Embedding:
    num_rows, width = weight_vd.shape
    return nn.Embedding(num_rows, width, padding_idx=padding_idx, _weight=weight_vd.clone())
