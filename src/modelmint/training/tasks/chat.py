"""Chats: a causal language model learns what the assistant says. Imports PyTorch.

The folder is a plain Hugging Face one: weights, config, tokenizer and chat template, which
``AutoModelForCausalLM.from_pretrained`` and ``AutoTokenizer.apply_chat_template`` read.

Shapes: b blocks of a batch, t tokens of the longest, n tokens that the loss counts.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.core import tables
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Dataset
from modelmint.training.batches import bucketed_batches
from modelmint.training.learner import BUCKET_BATCHES, Batch, Score
from modelmint.training.tasks.causal_learner import CausalLearner, LaidOut, losses_of, no_rows
from modelmint.training.tasks.chat_rows import LossOn, Refused, Shorten, TaughtRow
from modelmint.training.weights import row_weights, told


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatExamples:
    """Chats that are trained on; `counts` tells of those that are not, and of what was cut."""

    rows: Sequence[TaughtRow]
    weights: Sequence[float] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


class Chat(CausalLearner[ChatExamples]):
    """The loss counts what `loss_on` says; chats that have none of it within `max_tokens` are left out and counted."""

    has_nothing = True

    class Options(Spec):
        """How chats are taught."""

        loss_on: LossOn = "answers"
        """What the loss counts: every answer of the assistant, its last one, or everything that is said."""
        packing: bool = True
        """Put several chats into one block of `max_tokens`; they do not see each other. Not done where the base cannot
        keep them apart, which is tried before the first step."""
        shorten: Shorten = "turns"
        """Chats longer than `max_tokens`: `turns` leaves out the oldest questions with their answers and keeps what the
        system says; `left` keeps the last `max_tokens` tokens, whatever they are."""

    def read_rows(self, dataset: Dataset, role: str) -> ChatExamples:
        options, counts = self.setting.options, Counter[str]()
        chats = _chats(dataset)
        kept: dict[int, TaughtRow] = {}
        why = "the assistant says nothing in them"
        for at, whole in enumerate(self.tokens.taught(chats, options.loss_on)):
            if isinstance(whole, Refused):
                counts["refused"] += 1
                why = whole.why
                continue
            row = self.tokens.shortened(
                whole, *chats[at], limit=self.max_tokens, loss_on=options.loss_on, how=options.shorten
            )
            _count(counts, row)
            if row.num_taught:
                kept[at] = row
            else:
                counts["nothing_to_learn"] += 1
        if not kept and role == "train":
            raise no_rows(role, len(chats), why)
        weights = row_weights(dataset) if role == "train" else None
        return ChatExamples(
            rows=list(kept.values()), weights=[weights[at] for at in kept] if weights else None, counts=dict(counts)
        )

    @property
    def wants_packing(self) -> bool:
        return bool(self.setting.options.packing)

    def lengths(self, examples: ChatExamples) -> Sequence[int]:
        return [len(row.ids) for row in examples.rows]

    def batches(self, epoch: int) -> list[list[int]]:
        """Packed, a step needs no chats of like length, and takes them as chance gives them."""
        num_sorted = 1 if self.wants_packing else BUCKET_BATCHES
        return bucketed_batches(self.lengths(self.train), self.knobs.batch_size, num_sorted, self.setting.seed, epoch)

    def batch(self, examples: ChatExamples, rows: Sequence[int], device: torch.device) -> Batch:
        laid = self.laid_out([examples.rows[row] for row in rows], device)
        weights = [examples.weights[row] if examples.weights else 1.0 for row in rows]
        return {"laid_out": laid, "weights": laid.of_rows(torch.tensor(weights))}

    def weight(self, batch: Batch) -> float:
        return float(batch["weights"].sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross entropy of the tokens that are taught, by the rows' weights where they have some."""
        laid: LaidOut = batch["laid_out"]
        loss_n = laid.losses(model(**laid.inputs), label_smoothing=self.knobs.label_smoothing)
        return (loss_n * batch["weights"]).sum()

    def score(self, model: nn.Module) -> Score:
        return score_answers(model, self.validation.rows, self.pad_id)

    def facts(self) -> JSON:
        return super().facts() | {"loss_on": self.setting.options.loss_on}

    def told(self) -> JSON:
        return {
            "packed": self.packs,
            "tokens": sum(self.lengths(self.train)),
            "taught_tokens": sum(row.num_taught for row in self.train.rows),
            "template": "own" if self.tokens.template.own else "chatml",
            "left_out_or_cut": {"train": dict(self.train.counts), "validation": dict(self.validation.counts)},
            **told(self.train.weights),
        }


def score_answers(model: nn.Module, rows: Sequence[TaughtRow], pad_id: int) -> Score:
    """The mean loss of a token that is taught, with its standard error over the rows."""
    sums = losses_of(model, rows, pad_id)
    counts = [row.num_taught for row in rows]
    mean = sum(sums) / sum(counts)
    spread = math.sqrt(sum((total - mean * num) ** 2 for total, num in zip(sums, counts, strict=True)))
    return Score(
        metric="answer_loss",
        value=mean,
        num_rows=len(rows),
        loss=mean,
        higher_is_better=False,
        margin=spread / sum(counts),
    )


def _chats(dataset: Dataset) -> list[tuple[list[Any], str | None]]:
    """Messages and tools, row by row."""
    names = [name for name in ("messages", "tools") if name in dataset.facts["columns"]]
    table = tables.read(dataset, names)
    chats = [messages or [] for messages in table.column("messages").to_pylist()]
    tools = table.column("tools").to_pylist() if "tools" in names else [None] * len(chats)
    return list(zip(chats, tools, strict=True))


def _count(counts: Counter[str], row: TaughtRow) -> None:
    if row.lost:
        counts["cut_by_turns" if row.turns else "cut_by_tokens"] += 1
        counts["tokens_cut"] += row.lost
        counts["taught_tokens_cut"] += row.lost_taught
