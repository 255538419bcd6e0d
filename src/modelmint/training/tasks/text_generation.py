"""A causal language model: each token from those before it. From nothing, or on from a base. Imports PyTorch.

The folder is a plain Hugging Face one that `AutoModelForCausalLM` reads.

Shapes: b pieces of a batch, t tokens of a piece, n = b x t, v tokens of the vocabulary, p pieces.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.continuing import borders, fill_id
from modelmint.core.errors import DataError, InputError
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Dataset
from modelmint.training.batches import bucketed_batches
from modelmint.training.causal import CausalModel, check_causal, end_ids, load_causal, save_causal
from modelmint.training.corpus import Corpus, Places, check_texts, open_whole, shuffled, texts_of
from modelmint.training.encoders import copy_tokenizer
from modelmint.training.learner import BUCKET_BATCHES, Batch, Learner, Score, Setting
from modelmint.training.methods.tune import tuned
from modelmint.training.scratch.new_base import folder_of, new_writer

NOT_PREDICTED = -100
SCORED_TOKENS = 4_096  # at once


class TextGenerationOptions(Spec):
    """What only this task knows."""

    packing: Literal["blocks", "rows"] = "blocks"
    """`blocks` joins all texts and cuts them into blocks of `max_tokens`, anew in every epoch: nothing is padding, and
    most blocks begin inside a text. `rows` keeps each text apart, in as many pieces of `max_tokens` as it needs: for
    texts of which each is a whole, like poems."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pieces:
    """A corpus, and the (p,) pieces of it that are read; what is predicted lies one token further."""

    corpus: Corpus
    firsts: Places
    lengths: Places

    @classmethod
    def of(cls, corpus: Corpus, size: int, *, joined: bool) -> "Pieces":
        firsts, lengths = corpus.spans(size, joined=joined, ahead=1)
        return cls(corpus=corpus, firsts=firsts, lengths=lengths)


class TextGeneration(Learner[Pieces]):
    """Where texts are joined, the training pieces lie elsewhere in every epoch: their numbers count on from it."""

    Options = TextGenerationOptions

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._joined = setting.options.packing == "blocks"
        if setting.beginning.folder is not None:
            _check_length(setting)
            check_causal(setting.beginning.folder)

    def read(self, train: Dataset, validation: Dataset) -> None:
        folder = self.setting.beginning.folder
        if folder is None:
            folder = new_writer(self.setting, texts_of(train, "train"), folder_of(self))
        self.folder, self.tokenizer = folder, open_whole(folder)
        self.stop_ids = end_ids(folder, self.tokenizer)
        self.start, self.end = borders(self.tokenizer, self.stop_ids)
        self.train, self.validation = self._pieces(train, "train"), self._pieces(validation, "validation")
        self._num_pieces = len(self.train.firsts)

    def _pieces(self, dataset: Dataset, role: str) -> Pieces:
        before = [] if self._joined and self.start == self.end else self.start
        corpus = Corpus.of(texts_of(dataset, role), self.tokenizer, before=before, after=self.end)
        if role == "train":
            check_texts(corpus, role)
        pieces = Pieces.of(corpus, self.knobs.max_tokens, joined=self._joined)
        if role == "train" and not len(pieces.firsts):
            raise DataError("train: must hold texts of more than one token; it has none", parameter="train")
        return pieces

    def build(self) -> nn.Module:
        base = load_causal(self.folder, dropout=self.knobs.encoder_dropout)
        if self.knobs.gradient_checkpointing:
            base.gradient_checkpointing_enable()
            base.enable_input_require_grads()
        model = CausalModel(base)
        model.encoder = tuned(base, self.setting.spec.method, kind="CAUSAL_LM", num_steps=self.num_steps)
        if self.knobs.freeze_embeddings:
            model.encoder.get_input_embeddings().weight.requires_grad_(False)
        return model

    def lengths(self, examples: Pieces) -> Sequence[int]:
        lengths: list[int] = examples.lengths.tolist()
        return lengths

    def num_rows(self) -> tuple[int, int]:
        return self._num_pieces, len(self.validation.firsts)

    def batches(self, epoch: int) -> list[list[int]]:
        size, seed = self.knobs.batch_size, self.setting.seed
        if not self._joined:
            return bucketed_batches(self.lengths(self.train), size, BUCKET_BATCHES, seed, epoch)
        order, _ = shuffled(self._num_pieces, seed, epoch)
        first = epoch * self._num_pieces
        return [[first + at for at in order[start : start + size]] for start in range(0, len(order), size)]

    def batch(self, examples: Pieces, rows: Sequence[int], device: torch.device) -> Batch:
        if examples is self.train and self._joined:
            return self._moved(rows, device)
        return taken(examples, np.asarray(rows), self._fill, device)

    def _moved(self, rows: Sequence[int], device: torch.device) -> Batch:
        """Blocks of an epoch, which begin at a place of its own; behind the last token comes the first again."""
        corpus, epoch = self.train.corpus, rows[0] // self._num_pieces
        size = min(self.knobs.max_tokens, len(corpus.ids_n))
        _, offset = shuffled(0, self.setting.seed, epoch)
        firsts = np.asarray([offset + row % self._num_pieces * size for row in rows]) % len(corpus.ids_n)
        ids_bt = torch.from_numpy(corpus.taken(firsts, np.full(len(rows), size + 1), self._fill))
        return {"input_ids": ids_bt[:, :-1].to(device), "labels": ids_bt[:, 1:].to(device)}

    @property
    def _fill(self) -> int:
        return fill_id(self.stop_ids)

    def num_tokens(self, batch: Batch) -> tuple[int, int]:
        return int((batch["labels"] != NOT_PREDICTED).sum()), batch["labels"].numel()

    def weight(self, batch: Batch) -> float:
        return float((batch["labels"] != NOT_PREDICTED).sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        logits_btv = model(input_ids=batch["input_ids"]).float()
        return functional.cross_entropy(
            logits_btv.flatten(0, 1),
            batch["labels"].flatten(),
            ignore_index=NOT_PREDICTED,
            label_smoothing=self.knobs.label_smoothing,
            reduction="sum",
        )

    def score(self, model: nn.Module) -> Score:
        """The perplexity of the validation texts, each of their tokens predicted once."""
        corpus = self.validation.corpus
        losses_p = piece_losses(model, self.validation, self._fill)
        num_tokens = int(self.validation.lengths.sum())
        loss = float(losses_p.sum()) / num_tokens
        bits = float(losses_p.sum()) / math.log(2)
        return Score(
            metric="perplexity",
            value=math.exp(min(loss, 50.0)),
            num_rows=len(losses_p),
            loss=loss,
            higher_is_better=False,
            also={
                "bits_per_byte": bits / max(corpus.num_bytes, 1),
                "bits_per_character": bits / max(corpus.num_characters, 1),
            },
        )

    def save(self, model: nn.Module, folder: Path) -> None:
        save_causal(model.encoder, folder, stop_ids=self.stop_ids, pad_id=self._fill)
        copy_tokenizer(self.folder, folder)

    def facts(self) -> JSON:
        return {"max_tokens": self.knobs.max_tokens, "engine": "torch", "stop_ids": self.stop_ids}

    def told(self) -> JSON:
        return {
            "num_tokens": len(self.train.corpus.ids_n),
            "num_validation_tokens": int(self.validation.lengths.sum()),
            "vocabulary_size": self.tokenizer.get_vocab_size(),
        }


def taken(pieces: Pieces, rows: Places, fill: int, device: torch.device) -> Batch:
    """Token ids and what follows each, both (b, t); texts stand on the left, so that nothing must be masked."""
    firsts, lengths = pieces.firsts[rows], pieces.lengths[rows]
    ids_bt = pieces.corpus.taken(firsts, lengths, fill)
    next_bt = pieces.corpus.taken(firsts + 1, lengths, NOT_PREDICTED)
    return {"input_ids": torch.from_numpy(ids_bt).to(device), "labels": torch.from_numpy(next_bt).to(device)}


def piece_losses(model: nn.Module, pieces: Pieces, fill: int) -> Tensor:
    """(p,) the summed cross entropy of each piece, in double."""
    model.train(False)
    device = next(model.parameters()).device
    order = np.argsort(pieces.lengths, kind="stable")
    found = torch.zeros(len(order), dtype=torch.float64)
    at = 0
    with torch.no_grad():
        while at < len(order):
            size = max(1, SCORED_TOKENS // int(pieces.lengths[order[at]]))
            size = max(1, SCORED_TOKENS // int(pieces.lengths[order[min(at + size, len(order)) - 1]]))
            rows = order[at : at + size]
            batch = taken(pieces, rows, fill, device)
            losses_n = functional.cross_entropy(
                model(input_ids=batch["input_ids"]).float().flatten(0, 1),
                batch["labels"].flatten(),
                ignore_index=NOT_PREDICTED,
                reduction="none",
            )
            sums_b = losses_n.view(len(rows), -1).double().sum(dim=1)
            found[torch.from_numpy(rows)] = sums_b.cpu()
            at += size
    return found


def _check_length(setting: Setting) -> None:
    if setting.knobs.max_tokens > setting.beginning.max_tokens:
        raise InputError(
            f"max_tokens: must be at most {setting.beginning.max_tokens}, which is what {setting.beginning.base} reads; "
            f"got {setting.knobs.max_tokens}",
            parameter="max_tokens",
            remedy=f"Set train.max_tokens to {setting.beginning.max_tokens}.",
        )
