"""Preferences: a causal language model learns which of two answers people chose. Imports PyTorch.

The reference, which is the base as it was, is asked once before the first step and then needed no more. The folder is
that of a chat model (`tasks/chat.py`).

Shapes: b pairs of a batch.
"""

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modelmint.core import tables
from modelmint.core.errors import InputError
from modelmint.core.hashing import digest, file_digest
from modelmint.core.spec import Spec
from modelmint.core.types import JSON, Dataset
from modelmint.training.causal import CausalModel
from modelmint.training.learner import Batch, Score, Setting
from modelmint.training.optimization import choose_precision
from modelmint.training.tasks.answer_pairs import AnswerPair, AnswerPairs
from modelmint.training.tasks.causal_learner import CausalLearner, LaidOut, losses_of, no_rows
from modelmint.training.tasks.chat_rows import TaughtRow
from modelmint.training.tasks.preference_losses import Losses, Sums, dpo, kto, orpo
from modelmint.training.weights import row_weights, told


@dataclass(frozen=True, kw_only=True, slots=True)
class PreferenceExamples:
    """Pairs that are trained on, in the order of their dataset."""

    pairs: Sequence[AnswerPair]
    weights: Sequence[float] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def side(self, name: str) -> list[TaughtRow]:
        """`chosen`, `rejected`, or the `stranger`: the answer of another pair to this one's prompt."""
        return [getattr(pair, name) for pair in self.pairs]


class Preference(CausalLearner[PreferenceExamples]):
    """`reference` has the base's log-probabilities, by role and side."""

    class Options(Spec):
        """How preferences are learned."""

        loss: Literal["dpo", "kto", "orpo"] = "dpo"
        """`dpo` widens the margin between the two against the base; `kto` judges each answer alone, good or bad; `orpo`
        learns the chosen answer and the margin at once, without a reference."""
        beta: float = Field(default=0.1, gt=0, le=100)
        """How much moving away from the base costs (`dpo`, `kto`); how much the odds count beside the chosen answer
        (`orpo`, the paper's lambda)."""
        desirable_weight: float = Field(default=1.0, gt=0, le=1000)
        """Of `kto`: what a chosen answer counts."""
        undesirable_weight: float = Field(default=1.0, gt=0, le=1000)
        """Of `kto`: what a rejected answer counts."""

        @model_validator(mode="after")
        def _weights_are_of_kto(self) -> Self:
            if self.loss != "kto" and (self.desirable_weight, self.undesirable_weight) != (1.0, 1.0):
                raise ValueError(f"desirable_weight and undesirable_weight are of kto; loss is {self.loss}")
            return self

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        options, smoothing = setting.options, setting.knobs.label_smoothing
        if smoothing and options.loss != "dpo":
            raise InputError(
                f"label_smoothing: must be 0 with {options.loss}, which has no use for it; got {smoothing}",
                parameter="label_smoothing",
                remedy="Take train.label_smoothing out, or set train.options.loss to dpo.",
            )
        if smoothing >= 0.5:
            raise InputError(
                f"label_smoothing: must be below 0.5, the share of pairs that are the wrong way round; got {smoothing}",
                parameter="label_smoothing",
                remedy="Set train.label_smoothing to 0.1 or less.",
            )
        self.reference: dict[str, dict[str, Tensor]] = {}
        self._digests: list[str] = []

    def read_rows(self, dataset: Dataset, role: str) -> PreferenceExamples:
        self._digests.append(dataset.digest)
        counts = Counter[str]()
        table = tables.read(dataset, ["prompt", "chosen", "rejected"])
        columns = {name: [cell or [] for cell in table.column(name).to_pylist()] for name in table.column_names}
        found = AnswerPairs(self.tokens, self.max_tokens).read(columns, counts)
        if not found and role == "train":
            raise no_rows(role, table.num_rows, ", ".join(f"{num} {why}" for why, num in counts.items()) or "no rows")
        weights = row_weights(dataset) if role == "train" else None
        return PreferenceExamples(
            pairs=list(found.values()), weights=[weights[at] for at in found] if weights else None, counts=dict(counts)
        )

    def before_tuning(self, model: CausalModel) -> None:
        """Ask the reference, or read what it said before the run was interrupted."""
        sides = {"dpo": ("chosen", "rejected"), "kto": ("chosen", "rejected", "stranger"), "orpo": ()}
        asked = sides[self.setting.options.loss]
        examples = {"train": self.train, "validation": self.validation}

        def ask() -> dict[str, Tensor]:
            return {
                f"{role}.{side}": self._log_probabilities(model, one.side(side))
                for role, one in examples.items()
                for side in asked
                if one.pairs
            }

        said = _kept(self._reference_file(), ask) if asked else {}
        for joined, sums in said.items():
            role, _, side = joined.partition(".")
            self.reference.setdefault(role, {})[side] = sums

    def lengths(self, examples: PreferenceExamples) -> Sequence[int]:
        return [max(len(pair.chosen.ids), len(pair.rejected.ids)) for pair in examples.pairs]

    def batch(self, examples: PreferenceExamples, rows: Sequence[int], device: torch.device) -> Batch:
        pairs = [examples.pairs[row] for row in rows]
        both = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
        weights = [examples.weights[row] if examples.weights else 1.0 for row in rows]
        batch: Batch = {"both": self.laid_out(both, device), "weights": torch.tensor(weights).to(device)}
        batch["lengths"] = torch.tensor([row.num_taught for row in both]).to(device)
        if self.setting.options.loss == "kto":
            batch["strangers"] = self.laid_out([pair.stranger for pair in pairs], device)
        batch["reference"] = {
            side: sums[list(rows)].to(device) for side, sums in self.reference.get("train", {}).items()
        }
        return batch

    def weight(self, batch: Batch) -> float:
        return float(batch["weights"].sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Of `options.loss`. What `kto` calls the drift is the mean over a micro-batch."""
        both: LaidOut = batch["both"]
        chosen_b, rejected_b = both.sums(-both.losses(model(**both.inputs))).chunk(2)
        drift_b = None
        if "strangers" in batch:
            strangers: LaidOut = batch["strangers"]
            with torch.no_grad():
                drift_b = strangers.sums(-strangers.losses(model(**strangers.inputs)))
        lengths_b = batch["lengths"].chunk(2)
        losses = self._losses(Sums(chosen_b=chosen_b, rejected_b=rejected_b), drift_b, batch["reference"], lengths_b)
        return (losses.loss_b * batch["weights"]).sum()

    def score(self, model: nn.Module) -> Score:
        pairs, num = self.validation, len(self.validation.pairs)
        said = {side: self._log_probabilities(model, pairs.side(side)) for side in ("chosen", "rejected")}
        drift_b = self._log_probabilities(model, pairs.side("stranger")) if self.setting.options.loss == "kto" else None
        lengths_b = [torch.tensor([row.num_taught for row in pairs.side(side)]) for side in ("chosen", "rejected")]
        sums = Sums(chosen_b=said["chosen"], rejected_b=said["rejected"])
        losses = self._losses(sums, drift_b, self.reference.get("validation", {}), lengths_b)
        accuracy = float(((losses.margin_b.sign() + 1) / 2).mean())
        return Score(
            metric="reward_accuracy",
            value=accuracy,
            num_rows=num,
            loss=float(losses.loss_b.mean()),
            margin=math.sqrt(accuracy * (1 - accuracy) / num),
            also={
                "reward_margin": float(losses.margin_b.mean()),
                "chosen_reward": float(losses.chosen_reward_b.mean()),
                "rejected_reward": float(losses.rejected_reward_b.mean()),
            },
        )

    def facts(self) -> JSON:
        return super().facts() | {"loss": self.setting.options.loss}

    def told(self) -> JSON:
        counts = {"train": dict(self.train.counts), "validation": dict(self.validation.counts)}
        template = "own" if self.tokens.template.own else "chatml"
        return {"template": template, "left_out_or_cut": counts, **told(self.train.weights)}

    def _losses(
        self, sums: Sums, drift_b: Tensor | None, reference: Mapping[str, Tensor], lengths_b: Sequence[Tensor]
    ) -> Losses:
        options = self.setting.options
        if options.loss == "orpo":
            return orpo(sums.chosen_b / lengths_b[0], sums.rejected_b / lengths_b[1], beta=options.beta)
        known = Sums(chosen_b=reference["chosen"], rejected_b=reference["rejected"])
        if drift_b is None:
            return dpo(sums, known, beta=options.beta, label_smoothing=self.knobs.label_smoothing)
        return kto(
            sums,
            known,
            drift_b - reference["stranger"],
            beta=options.beta,
            desirable_weight=options.desirable_weight,
            undesirable_weight=options.undesirable_weight,
        )

    def _log_probabilities(self, model: nn.Module, rows: Sequence[TaughtRow]) -> Tensor:
        """(N,) of what is taught in each row, in the precision of the training, on the CPU."""
        precision = choose_precision(self.knobs.precision)
        kind = next(model.parameters()).device.type
        lower = torch.float16 if precision == "fp16" else torch.bfloat16
        with torch.autocast(kind, dtype=lower, enabled=precision != "fp32"):
            return -torch.tensor(losses_of(model, rows, self.pad_id), dtype=torch.float32)

    def _reference_file(self) -> Path | None:
        if self.setting.kept is None:
            return None
        spec, beginning = self.setting.spec, self.setting.beginning
        machine = [torch.__version__, torch.get_num_threads(), choose_precision(self.knobs.precision)]
        what = [beginning.digest, self._digests, spec.identity(), self.max_tokens, machine, torch.cuda.is_available()]
        return self.setting.kept / f"reference-{digest(what)[:32]}.safetensors"


def _kept(path: Path | None, ask: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """What `ask` gives; read from the file where it is there and is what was written."""
    if path is not None and (before := _whole(path)) is not None:
        return before
    said = ask()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        save_file(said, partial)
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        path.with_suffix(".sha256").write_text(file_digest(partial), encoding="ascii")
        partial.replace(path)
    return said


def _whole(path: Path) -> dict[str, Tensor] | None:
    try:
        if path.with_suffix(".sha256").read_text(encoding="ascii", errors="replace") != file_digest(path):
            return None
        return {name: tensor.clone() for name, tensor in load_file(path).items()}
    except (OSError, SafetensorError):
        return None


__all__ = ["Preference", "PreferenceExamples"]
