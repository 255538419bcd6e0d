"""A static encoder: a vector a token and one a pair of neighbours, looked up and added; no token sees the text around it.

The mean of its states, with a linear layer on top, is a bag of words and of pairs of words: an answer costs about what
cutting the text into tokens costs. Pairs share a fixed number of vectors by a hash. Imports PyTorch.

Source: Joulin et al., Bag of Tricks for Efficient Text Classification (2017); Arora et al., A Simple but Tough-to-Beat
Baseline for Sentence Embeddings (2017).

Shapes: b rows of a batch, t tokens of its longest row, d width, p vectors of pairs.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

FACTOR = 1_000_003
"""A prime, by which the first token of a pair is multiplied in its hash."""


class StaticConfig(PretrainedConfig):  # type: ignore[misc]  # transformers is not typed here
    """Of `StaticEncoder`."""

    model_type = "modelmint-static"

    def __init__(
        self,
        vocab_size: int = 8_000,
        hidden_size: int = 256,
        num_pairs: int = 0,
        dropout: float = 0.0,
        **others: Any,
    ) -> None:
        self.vocab_size, self.hidden_size, self.num_pairs = vocab_size, hidden_size, num_pairs
        self.num_hidden_layers, self.dropout = 1, dropout
        super().__init__(**{"pad_token_id": 0, **others})


class StaticEncoder(PreTrainedModel):  # type: ignore[misc]
    """A token's state is its vector plus that of the pair that it makes with the next one."""

    config_class = StaticConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = False
    _supports_sdpa = True

    def __init__(self, config: StaticConfig) -> None:
        super().__init__(config)
        self.word_embeddings = TokenVectors(config.vocab_size, config.hidden_size)
        if config.num_pairs:
            self.pair_embeddings = nn.Embedding(config.num_pairs, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.word_embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.word_embeddings = value

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **_others: Any) -> BaseModelOutput:
        states_btd = self.word_embeddings(input_ids)
        if self.config.num_pairs:
            ids_bt = input_ids if attention_mask is None else input_ids * attention_mask  # padding of any id is one
            next_bt = torch.cat([ids_bt[:, 1:], torch.zeros_like(ids_bt[:, :1])], dim=1)
            places_bt = torch.remainder(ids_bt * FACTOR + next_bt, self.config.num_pairs)
            states_btd = states_btd + self.pair_embeddings(places_bt)
        return BaseModelOutput(last_hidden_state=self.dropout(states_btd))

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02 if module is self.word_embeddings else 1e-4)


class TokenVectors(nn.Embedding):  # type: ignore[misc]
    """An embedding of which no row may be left out while it learns: the hash of a pair is of the ids as they are."""
