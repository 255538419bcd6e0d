"""What the tasks share that put one linear layer over the mean state of an encoder. Imports PyTorch.

Shapes: b rows of a batch, l outputs (labels).
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.types import JSON, Dataset
from modelmint.training.batches import logits_of
from modelmint.training.learner import Batch
from modelmint.training.tasks.encoder_learner import EncoderLearner, TokenRows
from modelmint.training.tasks.pooled_model import HEAD_FILE, MeanPoolClassifier, inherit, save_classifier
from modelmint.training.weights import row_weights, told


class PooledLearner(EncoderLearner):
    """A task adds what a row's target is (`targets`, `tensor_of`), the loss of each row and the score.

    `outputs` names the columns of the logits; `targets` sets it when it reads the training rows.
    """

    texts: tuple[str, ...] = ("text",)
    target: str = "label"
    problem: str | None = None
    """What transformers calls the kind of task, in config.json; None is one label of several."""
    outputs: Sequence[str] = ()

    @abstractmethod
    def targets(self, cells: Sequence[Any], role: str) -> list[Any]:
        """(N,) the target of each row, from the cells of the column `target`; None leaves a row out.

        Raises:
            DataError: they cannot be trained on.
        """

    @abstractmethod
    def tensor_of(self, targets: Sequence[Any]) -> Tensor:
        """(b,) or (b, l) the targets of a batch."""

    @abstractmethod
    def row_losses(self, logits_bl: Tensor, targets: Tensor) -> Tensor:
        """(b,) the loss of each row."""

    def read_rows(self, dataset: Dataset, role: str) -> TokenRows:
        columns = self._columns(dataset, role)
        targets = self.targets(columns.pop(), role)
        kept = [at for at, target in enumerate(targets) if target is not None]
        weights = row_weights(dataset) if role == "train" else None
        return self.encoded(
            [[column[at] for at in kept] for column in columns],
            [targets[at] for at in kept],
            weights and [weights[at] for at in kept],
        )

    def encoded(
        self, texts: Sequence[Sequence[str]], targets: Sequence[Any], weights: Sequence[float] | None
    ) -> TokenRows:
        """Rows of the columns `texts` as token ids."""
        return TokenRows(token_ids=self.tokenize(texts[0]), targets=targets, weights=weights)

    def new_model(self) -> MeanPoolClassifier:
        encoder = self.encoder()
        known = encoder.config.id2label
        encoder.config.id2label = dict(enumerate(self.outputs))
        encoder.config.label2id = {name: at for at, name in enumerate(self.outputs)}
        encoder.config.problem_type = self.problem
        model = MeanPoolClassifier(encoder, len(self.outputs), self.knobs.head_dropout)
        if (self.folder / HEAD_FILE).exists():
            inherit(model, self.folder, {known[at]: at for at in range(len(known))}, self.outputs)
        return model

    def batch(self, examples: TokenRows, rows: Sequence[int], device: torch.device) -> Batch:
        targets = self.tensor_of([examples.targets[row] for row in rows])
        weight_b = torch.ones(len(rows))
        if examples.weights is not None:
            weight_b = torch.tensor([examples.weights[row] for row in rows])
        weight_b = self.weighed(weight_b, targets)
        return self.inputs(examples, rows, device) | {"labels": targets.to(device), "weights": weight_b.to(device)}

    def weighed(self, weight_b: Tensor, _targets: Tensor) -> Tensor:
        """(b,) the weights of the rows with those of their labels."""
        return weight_b

    def weight(self, batch: Batch) -> float:
        return float(batch["weights"].sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """The task's, weighted by the rows' weights where they have some, and by those of their labels."""
        logits_bl = model(**batch["inputs"]).float()
        return (self.row_losses(logits_bl, batch["labels"]) * batch["weights"]).sum()

    def logits(self, model: nn.Module, examples: TokenRows) -> Tensor:
        """(N, l) on the CPU."""
        return logits_of(model, examples.token_ids, self.vocabulary.pad_id)

    def save(self, model: nn.Module, folder: Path) -> None:
        self.vocabulary.widen(model.encoder)
        save_classifier(model, self.folder, folder)

    def facts(self) -> JSON:
        """With `answers`, which says how logits become answers (`serving.engines.answers`)."""
        return super().facts() | {
            "labels": list(self.outputs),
            "inputs": list(self.texts),
            "answers": {"by": "softmax"},
            "engine": "torch",
        }

    def told(self) -> JSON:
        return told(self.train.weights)

    def told_of_labels(self) -> JSON:
        """Which labels are new, and which are gone, since the model that was started from."""
        known = self.setting.beginning.about.get("labels", ())
        return {
            "new_labels": [label for label in self.outputs if label not in known] if known else [],
            "dropped_labels": [label for label in known if label not in self.outputs],
        }

    def _columns(self, dataset: Dataset, role: str) -> list[list[Any]]:
        """The columns of texts, then that of targets."""
        names = [*self.texts, self.target]
        table = tables.read(dataset, names)
        num_missing = sum(table.column(name).null_count for name in names)
        if num_missing:
            raise DataError(
                f"{role}: must have a {' and a '.join(names)} in each row; got {num_missing} cells without one",
                parameter=role,
                remedy="Run collect and clean first: they put such rows into quarantine.",
            )
        columns: list[list[Any]] = [table.column(name).to_pylist() for name in names]
        if role == "train" and columns[0] and not any(text.strip() for text in columns[0]):
            raise DataError(
                f"train: must hold texts; all {len(columns[0])} cells of {self.texts[0]} are empty",
                parameter="train",
                remedy="Look whether the right column was read as the text.",
            )
        return columns
