"""A smaller model that learns to answer as a trained one does: a learner of the loop, whose targets are its answers.

Where both are as wide, the mean states of its layers follow those of the teacher's that they stand for. Unlabelled
texts count as training rows do, since no label is read. Imports PyTorch.

Source: Hinton et al., Distilling the Knowledge in a Neural Network (2015); Sun et al., Patient Knowledge Distillation
for BERT Model Compression (2019), by the mean state in place of the first token's.

Shapes: b rows of a batch, t tokens of its longest row, d width of the encoder, c layers, l outputs (labels).
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from modelmint.compression.bodies import BodyOptions
from modelmint.compression.bodies.teacher import Columns, Taught, mean_states
from modelmint.core.types import JSON, Dataset
from modelmint.training.batches import logits_of, open_pair_tokenizer, pad_types
from modelmint.training.learner import Batch, Score, Setting
from modelmint.training.tasks.encoder_learner import EncoderLearner, TokenRows
from modelmint.training.tasks.pair_classification import PairRows
from modelmint.training.tasks.pooled_model import HEAD_FILE, MeanPoolClassifier, has_token_types, save_classifier


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """What is learned: the rows of the training and the validation, what the teacher says of them, and how.

    `outputs` names the columns of the logits and `problem` is what transformers calls the kind of task, both for
    config.json; `about` is what modelmint.json will say. `layers` are the pupil's whose states follow
    `Taught.states_ncd`; none where only the answers are learned. With `inherits` it has the teacher's last layer.
    """

    train: Columns
    validation: Columns
    taught: Taught
    taught_validation: Taught
    by: str
    about: JSON
    outputs: Sequence[str]
    problem: str | None
    layers: Sequence[int]
    inherits: bool
    options: BodyOptions


class Pupil(EncoderLearner):
    """Learns `Lesson`; the score is how often it answers as the teacher does on the validation rows."""

    def __init__(self, setting: Setting, lesson: Lesson) -> None:
        super().__init__(setting)
        self.lesson = lesson
        self.train = self._rows(lesson.train)
        self.validation = self._rows(lesson.validation)

    def read_rows(self, dataset: Dataset, role: str) -> TokenRows:
        """The rows stand in the lesson: the teacher was asked of them before."""
        raise NotImplementedError

    def new_model(self) -> "PupilModel":
        encoder, outputs = self.encoder(), self.lesson.outputs
        encoder.config.id2label = dict(enumerate(outputs))
        encoder.config.label2id = {name: at for at, name in enumerate(outputs)}
        encoder.config.problem_type = self.lesson.problem
        model = PupilModel(encoder, len(outputs), self.knobs.head_dropout)
        if self.lesson.inherits:
            head = load_file(self.folder / HEAD_FILE)
            model.classifier.load_state_dict({name.removeprefix("linear."): one.clone() for name, one in head.items()})
        return model

    def batch(self, examples: TokenRows, rows: Sequence[int], device: torch.device) -> Batch:
        batch = self.inputs(examples, rows, device)
        if isinstance(examples, PairRows) and examples.type_ids is not None:
            batch["inputs"]["token_type_ids"] = pad_types([examples.type_ids[row] for row in rows], device)
        taught = self.lesson.taught
        return batch | {"logits": taught.logits_nl[rows].to(device), "states": taught.states_ncd[rows].to(device)}

    def weight(self, batch: Batch) -> float:
        return float(len(batch["logits"]))

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """The sum over rows of how far the answers are from the teacher's, and the states."""
        options, layers = self.lesson.options, self.lesson.layers
        logits_bl, states_bcd = model(**batch["inputs"], layers=layers or (0,))
        loss_b = _apart(logits_bl.float(), batch["logits"], self.lesson.by, options.temperature)
        if layers and options.state_weight:
            alike_bc = functional.cosine_similarity(states_bcd.float(), batch["states"].float(), dim=2)
            loss_b = loss_b + options.state_weight * (1 - alike_bc).mean(dim=1)
        return loss_b.sum()

    def score(self, model: nn.Module) -> Score:
        types = self.validation.type_ids if isinstance(self.validation, PairRows) else None
        logits_nl = logits_of(_Answers(model), self.validation.token_ids, self.vocabulary.pad_id, type_ids=types)
        taught_nl = self.lesson.taught_validation.logits_nl
        value, num_rows = agreement(logits_nl, taught_nl, self.lesson.about), len(logits_nl)
        return Score(
            metric="agreement",
            value=value,
            num_rows=num_rows,
            loss=_apart(logits_nl, taught_nl, self.lesson.by, self.lesson.options.temperature).mean().item(),
            margin=math.sqrt(max(value * (1 - value), 0.0) / max(num_rows, 1)),
        )

    def save(self, model: nn.Module, folder: Path) -> None:
        self.vocabulary.widen(model.encoder)
        save_classifier(model, self.folder, folder)
        (folder / "modelmint.json").write_text(
            json.dumps(self.lesson.about, indent=2, ensure_ascii=False), encoding="utf-8"
        )

    def _rows(self, columns: Columns) -> TokenRows:
        if len(columns) == 1:
            return TokenRows(token_ids=self.tokenize(columns[0]), targets=())
        typed = has_token_types(self.encoder().config)
        ids, types = open_pair_tokenizer(self.folder, self.knobs.max_tokens, typed=typed)(*columns)
        return PairRows(token_ids=ids, targets=(), type_ids=types)


class PupilModel(MeanPoolClassifier):
    """The model that is served, which tells the mean states of some layers as well."""

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        *,
        layers: Sequence[int] = (0,),
    ) -> tuple[Tensor, Tensor]:
        """Logits (b, l) and states (b, c, d)."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        states_bcd = mean_states(self.encoder, inputs, layers)
        return self.classifier(self.dropout(states_bcd[:, -1])), states_bcd


class _Answers(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """A pupil's logits alone."""

    def __init__(self, pupil: nn.Module) -> None:
        super().__init__()
        self.pupil = pupil

    def forward(self, **inputs: Tensor) -> Tensor:
        logits_bl: Tensor = self.pupil(**inputs)[0]
        return logits_bl


def agreement(logits_nl: Tensor, taught_nl: Tensor, about: JSON) -> float:
    """The share of rows that two models answer alike: the same label, the same labels, or a number within a tenth of
    the standard deviation of the rows that the model learned from.
    """
    how = about.get("answers", {"by": "softmax"})
    if not len(logits_nl):
        return 0.0
    if how["by"] == "softmax":
        alike_n = logits_nl.argmax(dim=1) == taught_nl.argmax(dim=1)
    elif how["by"] == "sigmoid":
        least_l = torch.tensor(how["thresholds"], dtype=torch.float64)
        alike_n = ((logits_nl.double().sigmoid() >= least_l) == (taught_nl.double().sigmoid() >= least_l)).all(dim=1)
    else:
        alike_n = (logits_nl - taught_nl).abs()[:, 0] <= NEAR
    return float(alike_n.double().mean())


NEAR = 0.1


def _apart(logits_bl: Tensor, taught_bl: Tensor, by: str, temperature: float) -> Tensor:
    """(b,) how far answers are from the teacher's."""
    if by == "softmax":
        target_bl = functional.softmax(taught_bl / temperature, dim=1)
        said_bl = functional.log_softmax(logits_bl / temperature, dim=1)
        return functional.kl_div(said_bl, target_bl, reduction="none").sum(dim=1) * temperature**2
    if by == "sigmoid":
        target_bl = (taught_bl / temperature).sigmoid()
        loss_bl = functional.binary_cross_entropy_with_logits(logits_bl / temperature, target_bl, reduction="none")
        return loss_bl.mean(dim=1) * temperature**2
    return ((logits_bl - taught_bl) ** 2).mean(dim=1)
