"""A smaller model that learns to write as a trained one does: a learner of the loop. Imports PyTorch.

What it learns stands in rows: answers that the trained model wrote, and those that the rows give. Of each token of them
it learns how likely the trained model holds every other.

Source: Hinton et al., Distilling the Knowledge in a Neural Network (2015); Kim and Rush, Sequence-Level Knowledge
Distillation (2016).

Shapes: b blocks of a batch, t tokens of the longest, n tokens that are taught, v tokens of the vocabulary.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core.types import JSON, Dataset
from modelmint.training.batches import bucketed_batches
from modelmint.training.causal import CausalModel
from modelmint.training.learner import BUCKET_BATCHES, Batch, Score, Setting
from modelmint.training.optimization import choose_precision
from modelmint.training.tasks.causal_learner import CausalLearner, LaidOut, can_pack
from modelmint.training.tasks.chat import score_answers
from modelmint.training.tasks.chat_rows import TaughtRow


@dataclass(frozen=True, kw_only=True, slots=True)
class WritingLesson:
    """What is learned, and of whom; both have the same tokens. `about` is what modelmint.json will say.

    The loss of `validation`, answers that the rows give, chooses the best epoch.
    """

    train: Sequence[TaughtRow]
    validation: Sequence[TaughtRow]
    teacher: CausalModel
    about: JSON
    temperature: float


class PupilWriter(CausalLearner[Sequence[TaughtRow]]):
    """Learns a `WritingLesson`."""

    def __init__(self, setting: Setting, lesson: WritingLesson) -> None:
        super().__init__(setting)
        self.lesson, self.train, self.validation = lesson, lesson.train, lesson.validation
        self._teacher_packs = can_pack(lesson.teacher, self.pad_id)
        self._is_short = choose_precision(self.knobs.precision) == "bf16"

    def read_rows(self, dataset: Dataset, role: str) -> Sequence[TaughtRow]:
        """The rows stand in the lesson: the teacher was asked of them before."""
        raise NotImplementedError

    @property
    def wants_packing(self) -> bool:
        return self._teacher_packs

    def lengths(self, examples: Sequence[TaughtRow]) -> Sequence[int]:
        return [len(row.ids) for row in examples]

    def batches(self, epoch: int) -> list[list[int]]:
        num_sorted = 1 if self.wants_packing else BUCKET_BATCHES
        return bucketed_batches(self.lengths(self.train), self.knobs.batch_size, num_sorted, self.setting.seed, epoch)

    def batch(self, examples: Sequence[TaughtRow], rows: Sequence[int], device: torch.device) -> Batch:
        return {"laid_out": self.laid_out([examples[row] for row in rows], device)}

    def weight(self, batch: Batch) -> float:
        laid: LaidOut = batch["laid_out"]
        return float(laid.taught_bt.sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """The sum over what is taught of the cross entropy, and of how far the pupil is from the teacher."""
        laid: LaidOut = batch["laid_out"]
        logits_nv = _taught(model(**laid.inputs), laid)
        device = laid.ids_bt.device.type
        with torch.no_grad(), torch.autocast(device, dtype=torch.bfloat16, enabled=self._is_short):
            taught_nv = _taught(self.lesson.teacher(**laid.inputs), laid)
        hard = functional.cross_entropy(logits_nv, laid.ids_bt[laid.taught_bt], reduction="sum")
        return hard + _apart(logits_nv, taught_nv, self.lesson.temperature)

    def score(self, model: nn.Module) -> Score:
        return score_answers(model, self.validation, self.pad_id)

    def save(self, model: nn.Module, folder: Path) -> None:
        super().save(model, folder)
        about = {**self.lesson.about, "stop_ids": self.tokens.stop_ids, "pad_id": self.pad_id}
        (folder / "modelmint.json").write_text(json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8")


def _taught(logits_btv: Tensor, laid: LaidOut) -> Tensor:
    """(n, v) what is said in the places that are taught, in fp32."""
    return logits_btv[:, :-1][laid.taught_bt].float()


def _apart(logits_nv: Tensor, taught_nv: Tensor, temperature: float) -> Tensor:
    """() the sum of how far what is said is from the teacher's, by Kullback and Leibler."""
    said_nv = functional.log_softmax(logits_nv / temperature, dim=1)
    target_nv = functional.log_softmax(taught_nv / temperature, dim=1)
    return functional.kl_div(said_nv, target_nv, reduction="sum", log_target=True) * temperature**2
