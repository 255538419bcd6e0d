"""A masked language model: words that are hidden, from those around them. Imports PyTorch.

An encoder goes on learning the language of its texts before it is trained for a task: the folder is a plain Hugging Face
one that `AutoModelForMaskedLM` reads, and a base for every task that reads texts.

Shapes: b pieces of a batch, t tokens of a piece, n tokens that are hidden, d width, v tokens of the vocabulary, p pieces.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.continuing import around
from modelmint.core.errors import DataError, InputError
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Dataset
from modelmint.training.batches import bucketed_batches
from modelmint.training.corpus import Corpus, Places, check_texts, open_whole, texts_of
from modelmint.training.dice import uniform
from modelmint.training.encoders import copy_tokenizer
from modelmint.training.learner import BUCKET_BATCHES, Batch, Learner, Score, Setting
from modelmint.training.masked import load_masked_base, save_masked
from modelmint.training.methods.tune import tuned
from modelmint.training.scratch.new_base import folder_of, new_base

REPLACED, OTHER = 0.8, 0.1
"""Of the chosen tokens so many become the mask, and so many another token; the rest stay. Source: Devlin et al. 2019."""
SCORED_PIECES = 32  # at once


class MaskedLanguageModelOptions(Spec):
    """What only this task knows."""

    packing: Literal["blocks", "rows"] = "rows"
    """`rows` reads each text apart, in as many pieces of `max_tokens` as it needs; `blocks` joins all texts first, which
    wastes no padding where texts are long and of many lengths."""
    masked: float = Field(default=0.15, gt=0, lt=1)
    """The share of tokens that are hidden, others in every epoch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hidden:
    """Which tokens stand for no word: the mask itself, padding, what is put before and after a piece."""

    mask_id: int
    pad_id: int
    before: Sequence[int]
    after: Sequence[int]
    num_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskedPieces:
    """A corpus, and the (p,) pieces of it that are read."""

    corpus: Corpus
    firsts: Places
    lengths: Places


class MaskedLanguageModel(Learner[MaskedPieces]):
    """The numbers of training pieces count on from epoch to epoch, so that each time others of their tokens are hidden."""

    Options = MaskedLanguageModelOptions
    head = "head."

    def read(self, train: Dataset, validation: Dataset) -> None:
        folder = self.setting.beginning.folder
        if folder is None:
            folder = new_base(self.setting, texts_of(train, "train"), folder_of(self))
        self.folder, self.tokenizer = folder, open_whole(folder)
        self.hidden = hidden_of(folder, self.tokenizer)
        self.train, self.validation = self._pieces(train, "train"), self._pieces(validation, "validation")
        self._num_pieces = len(self.train.firsts)

    def _pieces(self, dataset: Dataset, role: str) -> MaskedPieces:
        joined = self.setting.options.packing == "blocks"
        between = list(self.hidden.after) if joined else []
        corpus = Corpus.of(texts_of(dataset, role), self.tokenizer, before=[], after=between)
        if role == "train":
            check_texts(corpus, role)
        return pieces_of(corpus, self.hidden, _size(self.setting, self.hidden), joined=joined)

    def build(self) -> nn.Module:
        model = load_masked_base(self.folder, dropout=self.knobs.encoder_dropout)
        if self.knobs.gradient_checkpointing:
            model.encoder.gradient_checkpointing_enable()
        model.encoder = tuned(model.encoder, self.setting.spec.method, num_steps=self.num_steps)
        if self.knobs.freeze_embeddings:
            model.encoder.get_input_embeddings().weight.requires_grad_(False)
        return model

    def lengths(self, examples: MaskedPieces) -> Sequence[int]:
        lengths: list[int] = examples.lengths.tolist()
        return lengths

    def num_rows(self) -> tuple[int, int]:
        return self._num_pieces, len(self.validation.firsts)

    def batches(self, epoch: int) -> list[list[int]]:
        first = epoch * self._num_pieces
        size, seed = self.knobs.batch_size, self.setting.seed
        found = bucketed_batches(self.lengths(self.train), size, BUCKET_BATCHES, seed, epoch)
        return [[first + at for at in batch] for batch in found]

    def batch(self, examples: MaskedPieces, rows: Sequence[int], device: torch.device) -> Batch:
        return masked_batch(examples, rows, self.hidden, self.setting.options.masked, self.setting.seed, device)

    def weight(self, batch: Batch) -> float:
        return float(max(1, len(batch["hidden_n"])))

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        logits_nv = model(batch["input_ids"], batch["attention_mask"], batch["places"]).float()
        smoothing = self.knobs.label_smoothing
        return functional.cross_entropy(logits_nv, batch["hidden_n"], label_smoothing=smoothing, reduction="sum")

    def score(self, model: nn.Module) -> Score:
        """Always the same tokens of the validation texts are hidden."""
        sums = hidden_losses(model, self.validation, self.hidden, self.setting.options.masked, self.setting.seed)
        loss_sum, num, num_right = sums.sum(dim=0).tolist()
        loss = loss_sum / max(num, 1)
        return Score(
            metric="perplexity",
            value=math.exp(min(loss, 50.0)),
            num_rows=len(sums),
            loss=loss,
            higher_is_better=False,
            also={"accuracy": num_right / max(num, 1)},
        )

    def save(self, model: nn.Module, folder: Path) -> None:
        save_masked(model, folder)
        copy_tokenizer(self.folder, folder)

    def facts(self) -> JSON:
        return {"max_tokens": self.knobs.max_tokens, "engine": "torch", "masked": self.setting.options.masked}

    def told(self) -> JSON:
        return {"num_tokens": len(self.train.corpus.ids_n), "vocabulary_size": self.hidden.num_tokens}


def hidden_of(folder: Path, tokenizer: Any) -> Hidden:
    """The tokens that stand for no word, by the tokenizer's own word.

    Raises:
        InputError: the tokenizer has no mask or no padding.
    """
    ids: dict[str, int] = {}
    for role, names in {"mask": ("[MASK]", "<mask>"), "pad": ("[PAD]", "<pad>")}.items():
        named = _named(folder, f"{role}_token")
        found = [tokenizer.token_to_id(name) for name in (*([named] if named else []), *names)]
        token_id = next((one for one in found if one is not None), None)
        if token_id is None:
            raise InputError(
                f"base: must have a tokenizer with a {role} token for a masked language model; this one has none",
                parameter="base",
                remedy="Give an encoder such as `starter`, or train `text-generation` on from a base that writes.",
            )
        ids[role] = int(token_id)
    before, after = around(tokenizer)
    return Hidden(
        mask_id=ids["mask"],
        pad_id=ids["pad"],
        before=before,
        after=after,
        num_tokens=tokenizer.get_vocab_size(),
    )


def pieces_of(corpus: Corpus, hidden: Hidden, size: int, *, joined: bool) -> MaskedPieces:
    """Pieces that with what is put around them are at most `size` tokens."""
    firsts, lengths = corpus.spans(size - len(hidden.before) - len(hidden.after), joined=joined)
    return MaskedPieces(corpus=corpus, firsts=firsts, lengths=lengths)


def masked_batch(
    pieces: MaskedPieces, rows: Sequence[int], hidden: Hidden, share: float, seed: int, device: torch.device
) -> Batch:
    """`input_ids` and `attention_mask` (b, t), `places` (b, t) of what is hidden, and `hidden_n` what it was.

    What is hidden depends on (seed, number of the piece) alone; at least one token of a piece is.
    """
    numbers = np.asarray(rows)
    at = numbers % len(pieces.firsts)
    lengths = pieces.lengths[at]
    inside_bt = pieces.corpus.taken(pieces.firsts[at], lengths, hidden.pad_id)
    width = inside_bt.shape[1]
    dice_b3t = uniform(seed, rows, 3 * width).reshape(len(rows), width, 3)  # a token's own, however long the others are
    words_bt = np.arange(width)[None, :] < lengths[:, None]
    chance_bt = np.where(words_bt, dice_b3t[:, :, 0], 2.0)
    chosen_bt = (chance_bt < share) | ((chance_bt == chance_bt.min(axis=1, keepdims=True)) & words_bt)
    other_bt = (dice_b3t[:, :, 2] * hidden.num_tokens).astype(np.int64)
    kind_bt = dice_b3t[:, :, 1]
    read_bt = np.where(chosen_bt & (kind_bt < REPLACED), hidden.mask_id, inside_bt)
    read_bt = np.where(chosen_bt & (kind_bt >= REPLACED) & (kind_bt < REPLACED + OTHER), other_bt, read_bt)
    ids_bt, mask_bt, places_bt = _put_around(read_bt, words_bt, chosen_bt, lengths, hidden)
    return {
        "input_ids": torch.from_numpy(ids_bt).to(device),
        "attention_mask": torch.from_numpy(mask_bt).to(device),
        "places": torch.from_numpy(places_bt).to(device),
        "hidden_n": torch.from_numpy(inside_bt[chosen_bt]).to(device),
    }


def hidden_losses(model: nn.Module, pieces: MaskedPieces, hidden: Hidden, share: float, seed: int) -> Tensor:
    """(p, 3) of each piece: the summed cross entropy of what is hidden, how many tokens that is, how many are right."""
    model.train(False)
    device = next(model.parameters()).device
    order = np.argsort(pieces.lengths, kind="stable").tolist()
    found = torch.zeros((len(order), 3), dtype=torch.float64)
    with torch.no_grad():
        for start in range(0, len(order), SCORED_PIECES):
            rows = order[start : start + SCORED_PIECES]
            batch = masked_batch(pieces, rows, hidden, share, seed, device)
            logits_nv = model(batch["input_ids"], batch["attention_mask"], batch["places"]).float()
            losses_n = functional.cross_entropy(logits_nv, batch["hidden_n"], reduction="none")
            right_n = logits_nv.argmax(dim=1) == batch["hidden_n"]
            values_n3 = torch.stack([losses_n, torch.ones_like(losses_n), right_n.to(losses_n.dtype)], dim=1)
            piece_n = torch.tensor(rows)[batch["places"].nonzero()[:, 0].cpu()]
            found.index_add_(0, piece_n, values_n3.double().cpu())
    return found


def _put_around(
    read_bt: npt.NDArray[np.int64],
    words_bt: npt.NDArray[np.bool_],
    chosen_bt: npt.NDArray[np.bool_],
    lengths: Places,
    hidden: Hidden,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    num, width = read_bt.shape
    first, last = len(hidden.before), len(hidden.after)
    ids_bt = np.full((num, first + width + last), hidden.pad_id, dtype=np.int64)
    ids_bt[:, :first] = hidden.before
    ids_bt[:, first : first + width] = np.where(words_bt, read_bt, hidden.pad_id)
    for at, token_id in enumerate(hidden.after):
        ids_bt[np.arange(num), first + lengths + at] = token_id
    mask_bt = np.arange(ids_bt.shape[1])[None, :] < (first + lengths + last)[:, None]
    places_bt = np.zeros_like(mask_bt)
    places_bt[:, first : first + width] = chosen_bt
    return ids_bt, mask_bt.astype(np.int64), places_bt


def _named(folder: Path, role: str) -> str | None:
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        path = folder / name
        given = json.loads(path.read_text(encoding="utf-8")).get(role) if path.is_file() else None
        word = given.get("content") if isinstance(given, dict) else given
        if isinstance(word, str):
            return word
    return None


def _size(setting: Setting, hidden: Hidden) -> int:
    limit, wanted = setting.beginning.max_tokens, setting.knobs.max_tokens
    if wanted > limit:
        raise InputError(
            f"max_tokens: must be at most {limit}, which is what {setting.beginning.base} reads; got {wanted}",
            parameter="max_tokens",
            remedy=f"Set train.max_tokens to {limit}.",
        )
    if wanted <= len(hidden.before) + len(hidden.after) + 1:
        raise DataError("max_tokens: must leave room for a word between the special tokens", parameter="max_tokens")
    return wanted
