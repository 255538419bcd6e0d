"""Answers cut from a text: where in a context the answer to a question begins and ends. Imports PyTorch.

A context longer than the base reads is cut into windows that overlap, each read with the whole question. A window
without the answer points at the first token, which stands for "not here"; so do rows without an answer, where there
are some. The folder is that of `AutoModelForQuestionAnswering`.

Shapes: b windows of a batch, t tokens of its longest one.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Dataset
from modelmint.core.windows import PassageWindows
from modelmint.evaluation.metrics.answers import best, f1, right_answers
from modelmint.training.headed import (
    HEAD,
    Headed,
    head_weights,
    inherit_labels,
    new_headed,
    save_headed,
)
from modelmint.training.learner import Batch, Score, Setting
from modelmint.training.tasks.encoder_learner import EncoderLearner, TokenRows
from modelmint.training.tasks.reader import KIND, answers, has_types, inputs_of, span_logits
from modelmint.training.weights import row_weights, told


class Options(Spec):
    """What only the training of answers knows."""

    overlap: int = Field(default=96, ge=0, le=4096)
    """Tokens that two windows of a long context share: an answer no longer than that stands whole in one of them."""
    max_question_tokens: int = Field(default=64, ge=1, le=1024)
    """Tokens of a question that are read; never more than half of `max_tokens`."""
    max_answer_tokens: int = Field(default=30, ge=1, le=1024)
    """Longer answers are not given."""


class QuestionAnswering(EncoderLearner):
    """Rows whose answer does not stand in their context are left out and counted."""

    Options = Options
    head = HEAD

    def __init__(self, setting: Setting) -> None:
        self._told: JSON = {}
        self._has_types = False
        super().__init__(setting)

    def open(self, folder: Path) -> None:
        super().open(folder)
        options = self.setting.options
        self._windows = PassageWindows(
            folder,
            self.knobs.max_tokens,
            overlap=options.overlap,
            max_question_tokens=options.max_question_tokens,
        )

    def read_rows(self, dataset: Dataset, role: str) -> TokenRows:
        rows = _rows(dataset, role)
        starts = [_start(*cells) for cells in zip(rows["context"], rows["answer"], rows["answer_start"], strict=True)]
        kept = [at for at, start in enumerate(starts) if start is not None]
        if role == "train":
            self._can_be_none = any(starts[at] == -1 for at in kept)
            if all(starts[at] == -1 for at in kept):
                raise DataError(
                    f"train: must hold answers that stand in their contexts; none of {len(starts):,} rows has one",
                    parameter="train",
                    remedy="Look whether the right columns were read as context and answer.",
                )
        else:
            self._validation = {name: [column[at] for at in kept] for name, column in rows.items()}
        passages = self._windows.of([rows["question"][at] for at in kept], [rows["context"][at] for at in kept])
        spans = [starts[at] or 0 for at in kept]
        targets = [(one, one.span(spans[one.row], rows["answer"][kept[one.row]])) for one in passages]
        found = {one.row for one, (first, _) in targets if first}
        self._told |= {
            f"num_{role}_windows": len(passages),
            f"num_{role}_answers_not_in_context": len(starts) - len(kept),
            f"num_{role}_answers_cut_by_a_window": sum(start != -1 for start in spans) - len(found),
            f"num_{role}_rows_without_answer": sum(start == -1 for start in spans),
        }
        weights = row_weights(dataset) if role == "train" else None
        return TokenRows(
            token_ids=[one.token_ids for one in passages],
            targets=targets,
            weights=[weights[kept[one.row]] for one in passages] if weights else None,
        )

    def new_model(self) -> Headed:
        encoder = self.encoder()
        encoder.config.num_labels = 2
        model = new_headed(encoder, KIND, dropout=self.knobs.head_dropout)
        inherit_labels(model, head_weights(self.folder, model.head), {0: "start", 1: "end"}, ("start", "end"))
        self._has_types = has_types(encoder.config)
        return model

    def batch(self, examples: TokenRows, rows: Sequence[int], device: torch.device) -> Batch:
        ids, passages = [examples.token_ids[row] for row in rows], [examples.targets[row][0] for row in rows]
        places_b2 = torch.tensor([examples.targets[row][1] for row in rows])
        weights_b = torch.tensor([1.0 if examples.weights is None else examples.weights[row] for row in rows])
        return {
            "inputs": inputs_of(ids, passages, self.vocabulary.pad_id, device, has_types=self._has_types),
            "places": places_b2.to(device),
            "weights": weights_b.to(device),
        }

    def weight(self, batch: Batch) -> float:
        return float(batch["weights"].sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """The mean of the cross entropies of beginning and end over the tokens of a window."""
        logits_bt2 = _masked(model(**batch["inputs"]).float(), batch["inputs"]["attention_mask"])
        loss_b2 = functional.cross_entropy(logits_bt2, batch["places"], reduction="none")
        return (loss_b2.mean(dim=1) * batch["weights"]).sum()

    def score(self, model: nn.Module) -> Score:
        """F1 of words, with the loss over windows."""
        passages = [one for one, _ in self.validation.targets]
        logits = span_logits(
            model, self.validation.token_ids, passages, self.vocabulary.pad_id, has_types=self._has_types
        )
        found = answers(
            logits,
            passages,
            self._validation["context"],
            max_answer_tokens=self.setting.options.max_answer_tokens,
            can_be_none=self._can_be_none,
        )
        right = right_answers(self._validation)
        f1s = np.array([best(f1, one["answer"], several) for one, several in zip(found, right, strict=True)])
        losses = [
            float(functional.cross_entropy(torch.from_numpy(one).T, torch.tensor(places)))
            for one, (_, places) in zip(logits, self.validation.targets, strict=True)
        ]
        return Score(
            metric="f1",
            value=float(f1s.mean()),
            num_rows=len(found),
            loss=float(np.mean(losses)),
            margin=float(f1s.std()) / math.sqrt(len(f1s)),
        )

    def num_rows(self) -> tuple[int, int]:
        return super().num_rows()[0], len(self._validation["answer"]) if self.validation.token_ids else 0

    def save(self, model: nn.Module, folder: Path) -> None:
        self.vocabulary.widen(model.encoder)
        save_headed(model, KIND, self.folder, folder)

    def facts(self) -> JSON:
        options = self.setting.options.model_dump(mode="json")
        return super().facts() | {**options, "can_be_none": self._can_be_none, "engine": "torch"}

    def told(self) -> JSON:
        return {**self._told, **told(self.train.weights)}


def _masked(logits_bt2: Tensor, mask_bt: Tensor) -> Tensor:
    return logits_bt2.masked_fill(mask_bt.unsqueeze(-1) == 0, -torch.inf)


def _start(context: str, answer: str, said: int | None) -> int | None:
    """Where the answer begins; -1 where the row has none, None where it does not stand in the context."""
    if not answer:
        return -1
    if said is not None and said >= 0 and context[said : said + len(answer)] == answer:
        return said
    found = context.find(answer)
    return found if found >= 0 else None


def _rows(dataset: Dataset, role: str) -> dict[str, list[Any]]:
    there = tables.column_names(dataset)
    names: list[str] = [name for name in ("question", "context", "answer", "answer_start", "answers") if name in there]
    table = tables.read(dataset, names)
    rows = {name: table.column(name).to_pylist() for name in names}
    num_missing = sum(not row for name in ("question", "context") for row in rows[name])
    if num_missing or not rows["question"]:
        if role == "validation" and not rows["question"]:
            return rows | {"answer_start": []}
        given = f"{num_missing} cells without one" if num_missing else "no rows"
        raise DataError(
            f"{role}: must have a question and a context in each row; got {given}",
            parameter=role,
            remedy="Run collect and clean first: they put such rows into quarantine.",
        )
    answer = [one or "" for one in rows["answer"]]
    return rows | {"answer": answer, "answer_start": rows.get("answer_start") or [None] * len(answer)}
