"""One label a pair of texts: both go through the encoder together, as the tokenizer's template for pairs joins them.

Where the base reads which of two segments a token is of (`token_type_ids`), it is told. Imports PyTorch.

Shapes: b rows of a batch, t tokens of its longest row, l labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.training.batches import TokenIds, logits_of, open_pair_tokenizer, pad_types
from modelmint.training.learner import Batch
from modelmint.training.own_code import trusted
from modelmint.training.tasks.encoder_learner import TokenRows
from modelmint.training.tasks.pooled_model import has_token_types
from modelmint.training.tasks.text_classification import TextClassification


@dataclass(frozen=True, kw_only=True, slots=True)
class PairRows(TokenRows):
    """Pairs as token ids, with the segment (0 or 1) of each token where the base reads it."""

    type_ids: TokenIds | None = None


class PairClassification(TextClassification):
    """As text classification, with two texts a row."""

    texts = ("text", "text_pair")

    def encoded(
        self, texts: Sequence[Sequence[str]], targets: Sequence[Any], weights: Sequence[float] | None
    ) -> TokenRows:
        typed = _is_typed(self.folder)
        if not typed:
            _check_separator(self.folder, self.setting.beginning.base)
        token_ids, type_ids = open_pair_tokenizer(self.folder, self.knobs.max_tokens, typed=typed)(*texts)
        return PairRows(token_ids=token_ids, targets=targets, weights=weights, type_ids=type_ids)

    def inputs(self, examples: TokenRows, rows: Sequence[int], device: torch.device) -> Batch:
        batch = super().inputs(examples, rows, device)
        if isinstance(examples, PairRows) and examples.type_ids is not None:
            batch["inputs"]["token_type_ids"] = pad_types([examples.type_ids[row] for row in rows], device)
        return batch

    def logits(self, model: nn.Module, examples: TokenRows) -> Tensor:
        type_ids = examples.type_ids if isinstance(examples, PairRows) else None
        return logits_of(model, examples.token_ids, self.vocabulary.pad_id, type_ids=type_ids)


def _is_typed(folder: Path) -> bool:
    from transformers import AutoConfig

    from modelmint.training.scratch.families import register

    register()
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trusted(folder))
    except (ValueError, OSError):  # `load_encoder` says what is wrong with it
        return False
    return has_token_types(config)


def _check_separator(folder: Path, base: str) -> None:
    """Without types of tokens and without a token in between, where one text ends cannot be seen."""
    places = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("a", "b").sequence_ids
    if {0, 1} <= set(places) and None not in places[places.index(0) : places.index(1)]:
        raise InputError(
            f"base: its tokenizer must put a token between the texts of a pair; that of {base} puts none",
            parameter="base",
            remedy="Take a base whose tokenizer.json has a template for pairs; `base: starter` is one.",
        )
