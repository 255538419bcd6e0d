"""One text is written from another, as translations, summaries and titles are: an encoder-decoder. Imports PyTorch.

The folder is a plain Hugging Face one: ``AutoModelForSeq2SeqLM`` and ``AutoTokenizer`` read it, and its
generation_config.json says how it writes (beams, length penalty, longest text), so that ``model.generate`` alone gives
the same texts.

Shapes: b rows of a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from tokenizers import Tokenizer
from torch import Tensor, nn

from modelmint.core import tables
from modelmint.core.errors import DataError, InputError
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Dataset
from modelmint.evaluation.metrics.translation import measure
from modelmint.training.batches import TokenIds, bucketed_batches
from modelmint.training.learner import BUCKET_BATCHES, Batch, Learner, Score, Setting
from modelmint.training.methods.tune import tuned
from modelmint.training.scratch import seq2seq as scratch
from modelmint.training.scratch.spec import TokenizerSpec
from modelmint.training.scratch.tokenizers import READER_WRITER, learn_tokenizer
from modelmint.training.seq2seq import (
    Seq2SeqModel,
    load_seq2seq,
    losses_of,
    pad_pair,
    save_seq2seq,
    special_ids,
)
from modelmint.training.weights import row_weights, told
from modelmint.training.writing import Writer, encoded

MAX_WRITTEN_ROWS = 200
"""Validation rows that are written at the end; beams cost more than losses."""


class Text2TextOptions(Spec):
    """How texts are written."""

    prefix: str = ""
    """Put before each source, here and when it is served: some bases, as T5, are told by it what to do."""
    max_target_tokens: int | None = Field(default=None, ge=4, le=131_072)
    """Tokens of a target that are learned, and the longest text that is written; null is `max_tokens`."""
    num_beams: int = Field(default=4, ge=1, le=64)
    """How many beginnings of a text are followed at once; 1 takes the likeliest token each time, and is faster."""
    length_penalty: float = Field(default=1.0, ge=-10, le=10)
    """A text's log probability is divided by its length to this power: more writes longer texts. Not with one beam."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Sources and targets as token ids, each with its end; `num_cut` sources and targets were longer than allowed."""

    sources: TokenIds
    targets: TokenIds
    written: Sequence[tuple[str, str]]
    weights: Sequence[float] | None
    num_cut: tuple[int, int]


class Text2Text(Learner[Pairs]):
    """Learns to write the column `target` from the column `text`: from a base, or from nothing."""

    Options = Text2TextOptions

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.options: Text2TextOptions = setting.options
        self.folder = setting.beginning.folder
        self._written: JSON = {}
        _check_lengths(setting, self.max_target_tokens)

    @property
    def max_target_tokens(self) -> int:
        return self.options.max_target_tokens or self.knobs.max_tokens

    def read(self, train: Dataset, validation: Dataset) -> None:
        rows, held_out = _rows(train, "train"), _rows(validation, "validation")
        if self.folder is None:
            self.tokenizer = learn_tokenizer(
                self.setting.spec.tokenizer or TokenizerSpec(), [*rows[0], *rows[1]], READER_WRITER
            )
            self.special = {"start": scratch.START, "end": scratch.END, "pad": scratch.PAD}
        else:
            self.tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
            self.special = special_ids(self.folder)
        self.train = self._encoded(rows, row_weights(train))
        self.validation = self._encoded(held_out, None)

    def build(self) -> nn.Module:
        spec, dropout = self.setting.spec, self.knobs.encoder_dropout
        if self.folder is None:
            network = scratch.new_seq2seq(
                spec.architecture,
                vocabulary_size=self.tokenizer.get_vocab_size(),
                max_tokens=max(self.knobs.max_tokens, self.max_target_tokens),
                dropout=dropout,
            )
        else:
            network = load_seq2seq(self.folder, dropout=dropout)
        if self.knobs.gradient_checkpointing:
            network.gradient_checkpointing_enable()
        if self.knobs.freeze_embeddings:
            network.get_input_embeddings().weight.requires_grad_(False)
        network = tuned(network, spec.method, kind="SEQ_2_SEQ_LM", num_steps=self.num_steps)
        return Seq2SeqModel(
            network,
            start_id=self.special["start"],
            pad_id=self.special["pad"],
            label_smoothing=self.knobs.label_smoothing,
        )

    def lengths(self, examples: Pairs) -> Sequence[int]:
        return [len(one) + len(other) for one, other in zip(examples.sources, examples.targets, strict=True)]

    def batch(self, examples: Pairs, rows: Sequence[int], device: torch.device) -> Batch:
        targets = [examples.targets[row] for row in rows]
        pair = pad_pair([examples.sources[row] for row in rows], targets, self.special["pad"], device)
        weights = [1.0 if examples.weights is None else examples.weights[row] for row in rows]
        num_tokens = sum(len(target) * weight for target, weight in zip(targets, weights, strict=True))
        return {"pair": pair, "weights": torch.tensor(weights, device=device), "num_tokens": num_tokens}

    def weight(self, batch: Batch) -> float:
        """Target tokens, each counting as its row does."""
        return float(batch["num_tokens"])

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        loss_b: Tensor = model(**batch["pair"])
        return (loss_b * batch["weights"]).sum()

    def score(self, model: nn.Module) -> Score:
        """The mean loss of a target token, without smoothing; equal up to one standard error over rows is as good."""
        lengths_b = torch.tensor([len(target) for target in self.validation.targets], dtype=torch.float64)
        losses_b = losses_of(model, self.validation.sources, self.validation.targets).double()
        mean = (losses_b.sum() / lengths_b.sum()).item()
        spread = (losses_b - mean * lengths_b).square().sum().sqrt() / lengths_b.sum()
        return Score(
            metric="loss",
            value=mean,
            num_rows=len(lengths_b),
            loss=mean,
            higher_is_better=False,
            margin=spread.item(),
        )

    def batches(self, epoch: int) -> list[list[int]]:
        """Pairs whose longer side is of like length together: the least padding over both sides."""
        pairs = zip(self.train.sources, self.train.targets, strict=True)
        sizes = [max(len(one), len(other)) * 1_000_000 + len(one) + len(other) for one, other in pairs]
        return bucketed_batches(sizes, self.knobs.batch_size, BUCKET_BATCHES, self.setting.seed, epoch)

    def save(self, model: nn.Module, folder: Path) -> None:
        save_seq2seq(model.encoder, self.tokenizer, self.folder, folder, writing=self._writing(model.encoder))
        writer = Writer(
            load_seq2seq(folder), self.tokenizer, prefix=self.options.prefix, max_tokens=self.knobs.max_tokens
        )
        self._written = _measured(writer, self.validation.written, self.setting.seed)

    def facts(self) -> JSON:
        return {
            "max_tokens": self.knobs.max_tokens,
            "max_target_tokens": self.max_target_tokens,
            "prefix": self.options.prefix,
            "engine": "torch",
        }

    def told(self) -> JSON:
        return {
            "num_cut": dict(zip(("sources", "targets"), self.train.num_cut, strict=True)),
            "vocabulary_size": self.tokenizer.get_vocab_size(),
            "validation_written": self._written,
            **told(self.train.weights),
        }

    def _encoded(self, rows: tuple[list[str], list[str]], weights: Sequence[float] | None) -> Pairs:
        sources, num_sources_cut = encoded(self.tokenizer, rows[0], self.options.prefix, self.knobs.max_tokens)
        targets, num_targets_cut = encoded(self.tokenizer, rows[1], "", self.max_target_tokens)
        end = self.special["end"]
        # Tokenizers of some bases put no end after a text; without it the model never learns to stop.
        targets = [ids if ids[-1:] == [end] else [*ids[: self.max_target_tokens - 1], end] for ids in targets]
        return Pairs(
            sources=sources,
            targets=targets,
            written=list(zip(*rows, strict=True))[:MAX_WRITTEN_ROWS],
            weights=weights,
            num_cut=(num_sources_cut, num_targets_cut),
        )

    def _writing(self, network: Any) -> dict[str, Any]:
        """What generation_config.json says: ours, and what the base knows of its own first tokens."""
        given = network.generation_config
        own = {name: value for name in _OF_THE_BASE if (value := getattr(given, name, None)) is not None}
        return {
            **own,
            "decoder_start_token_id": self.special["start"],
            "eos_token_id": self.special["end"],
            "pad_token_id": self.special["pad"],
            "max_length": self.max_target_tokens + 1,  # with the start token
            "num_beams": self.options.num_beams,
            "length_penalty": self.options.length_penalty if self.options.num_beams > 1 else 1.0,
        }


_OF_THE_BASE = ("bos_token_id", "forced_bos_token_id", "bad_words_ids")


def _measured(writer: Writer, rows: Sequence[tuple[str, str]], seed: int) -> JSON:
    """The figures of validation rows as they would be written."""
    if not rows:
        return {}
    answers = writer.predict({"text": [source for source, _ in rows]})
    return {**measure({"target": [target for _, target in rows]}, answers, seed=seed)}


def _rows(dataset: Dataset, role: str) -> tuple[list[str], list[str]]:
    table = tables.read(dataset, ["text", "target"])
    sources, targets = (table.column(name).to_pylist() for name in ("text", "target"))
    empty = [at for at, target in enumerate(targets) if not (target or "").strip() or not (sources[at] or "").strip()]
    if empty:
        name = "target" if not (targets[empty[0]] or "").strip() else "text"
        raise DataError(
            f"{role}: must have a text and a target in each row; {name} is empty in row "
            f"{tables.column(dataset, '_row')[empty[0]]} ({len(empty):,} such rows)",
            parameter=role,
            remedy="Run clean first, or filter such rows out: nothing can be learned from them.",
        )
    if role == "train" and not targets:
        raise DataError("train: must hold at least one row; got none", parameter="train")
    return sources, targets


def _check_lengths(setting: Setting, max_target_tokens: int) -> None:
    most, base = setting.beginning.max_tokens, setting.beginning.base
    for name, value in (("max_tokens", setting.knobs.max_tokens), ("options.max_target_tokens", max_target_tokens)):
        if value > most:
            raise InputError(
                f"{name}: must be at most {most}, which is what {base} reads; got {value}",
                parameter=name,
                remedy=f"Set train.{name} to {most}.",
            )
