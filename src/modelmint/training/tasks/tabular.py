"""A label or a number from the columns of a table: boosted trees, linear, or a small network. Imports PyTorch.

The folder holds `model.txt` (LightGBM's own text), `linear.json`, or `model.safetensors`; `modelmint.json` says what the
columns hold.

Shapes: N rows, b rows of a batch, k columns, l labels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from modelmint.core import tables
from modelmint.core.clock import monotonic_s
from modelmint.core.coefficients import Inputs
from modelmint.core.columns import Columns, Floats
from modelmint.core.errors import DataError, InputError
from modelmint.core.types import JSON, Dataset
from modelmint.training.knobs import NAMES
from modelmint.training.labels import label_names
from modelmint.training.learner import Batch, Learner, Score, Setting
from modelmint.training.optimization import class_weights
from modelmint.training.tabular.boosting import expected_rounds, fit_trees
from modelmint.training.tabular.fitting import Fit, Rows, Target, mean_loss, probabilities
from modelmint.training.tabular.linear import fit_linear
from modelmint.training.tabular.network import WEIGHTS, TableNetwork
from modelmint.training.tabular.spec import Boosting, Linear, Network, TableOptions
from modelmint.training.tasks.table_model import Whole, network_outputs, shuffled_importance
from modelmint.training.weights import row_weights, told

MIN_VALIDATION_ROWS = 50
MAX_POINTS = 100
WHOLE_READS = frozenset({"class_weights"})


class TableLearner(Learner[Rows]):
    """`boosting` and `linear` fit their model themselves (`fit_whole`), `network` goes through the loop."""

    Options = TableOptions
    head = "nothing."
    classifies = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.how = setting.options.model
        if setting.beginning.is_warm:
            raise InputError(
                "start: must be left out for tables, which are learned anew from all rows",
                parameter="start",
                remedy="Give the earlier rows and the new ones together as the training set.",
            )
        if isinstance(self.how, Network):
            return
        self.rounds = self.how.num_rounds if isinstance(self.how, Boosting) else len(self.how.strengths)
        strange = [name for name in set(NAMES) - WHOLE_READS if getattr(setting.spec, name) is not None]
        if strange:
            raise InputError(
                f"{min(strange)}: must be left out with model {self.how.name}, which has no use for it",
                parameter=min(strange),
                remedy="What it can be told stands in train.options.model; the knobs of the loop are the network's.",
            )

    def read(self, train: Dataset, validation: Dataset) -> None:
        cells = _cells(train)
        targets = _targets(train, "train", number=not self.classifies)
        self.target = Target(labels=tuple(label_names(targets)) if self.classifies else ())
        if not self.classifies and len(set(targets)) < 2:
            raise DataError(
                f"train: must hold at least two different numbers; got {len(targets)} rows of {len(set(targets))}",
                parameter="train",
                remedy="Look whether the right column was read as the label.",
            )
        self.columns = Columns.fit(cells)
        self._inputs = Inputs.fit(self.columns, numbers := self.columns.encode(cells))
        self.train = Rows(numbers=numbers, targets=self._ids(targets), weights=self._weights(train, targets))
        held_out = _targets(validation, "validation", number=not self.classifies)
        kept = [at for at, one in enumerate(held_out) if not self.classifies or one in self.target.labels]
        self._num_without_class = len(held_out) - len(kept)
        others = {name: [column[at] for at in kept] for name, column in _cells(validation, self.columns).items()}
        self.validation = Rows(numbers=self.columns.encode(others), targets=self._ids([held_out[at] for at in kept]))
        self._found: JSON = {}

    def lengths(self, examples: Rows) -> Sequence[int]:
        return np.ones(len(examples), dtype=np.int64).tolist()

    def fit_whole(self, say: Callable[[int, int, str], None], check: Callable[[], None]) -> tuple[nn.Module, JSON]:
        began_s, history = monotonic_s(), list[JSON]()

        def follow(done: int, most: int, loss: float) -> None:
            check()
            say(done, most, f"round {done} of at most {most}, loss {loss:.4f}")

        fit = self._fit(follow)
        every = max(1, math.ceil(len(fit.history) / MAX_POINTS))
        for at, (loss, held_out) in enumerate(fit.history, start=1):
            if at % every == 0 or at in (1, fit.best_round, len(fit.history)):
                rounded = None if held_out is None else round(held_out, 6)
                history.append({"epoch": at, "train_loss": round(loss, 6), "validation_loss": rounded})
        self._found = {self._parts: fit.num_parts} | self._look(fit.model.importance(self.columns), fit.model.raw)
        return Whole(fit.model), {
            "epoch": len(fit.history),
            "step": len(fit.history),
            "best_epoch": fit.best_round,
            "history": history,
            "num_seen": len(self.train) * len(fit.history),
            "train_seconds": monotonic_s() - began_s,
        }

    def expected_rounds(self, num_validation_rows: int) -> int:
        if isinstance(self.how, Boosting):
            return expected_rounds(
                self.how,
                self.train,
                num_validation_rows if num_validation_rows >= MIN_VALIDATION_ROWS else 0,
                self.target,
                categories=self.columns.category_places,
                num_threads=torch.get_num_threads(),
            )
        return self.rounds

    def build(self) -> nn.Module:
        return TableNetwork(self.how, self._inputs, self.target.num_outputs, self.knobs.head_dropout)

    def batch(self, examples: Rows, rows: Sequence[int], device: torch.device) -> Batch:
        weight_b = torch.ones(len(rows))
        if examples.weights is not None:
            weight_b = torch.from_numpy(examples.weights[rows]).float()
        targets_b = torch.from_numpy(examples.targets[rows])
        cells_bk = torch.from_numpy(examples.numbers[rows]).float()
        return {"cells": cells_bk.to(device), "targets": targets_b.to(device), "weights": weight_b.to(device)}

    def weight(self, batch: Batch) -> float:
        return float(batch["weights"].sum())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross entropy, or half the squared error in deviations of the target; weighted."""
        outputs = model(batch["cells"]).float()
        if not self.classifies:
            wanted = (batch["targets"].float() - self._middle) / self._spread
            return (batch["weights"] * (outputs[:, 0] - wanted) ** 2 / 2).sum()
        loss_b = functional.cross_entropy(
            outputs, batch["targets"], label_smoothing=self.knobs.label_smoothing, reduction="none"
        )
        return (loss_b * batch["weights"]).sum()

    def score(self, model: nn.Module) -> Score:
        raw_nl = self._raw_of(model, self.validation.numbers)
        loss = mean_loss(raw_nl, self.validation.targets, self.target)
        metric = "log_loss" if self.classifies else "rmse"
        return Score(metric=metric, value=loss, num_rows=len(self.validation), loss=loss, higher_is_better=False)

    def save(self, model: nn.Module, folder: Path) -> None:
        if isinstance(model, Whole):
            model.fitted.save(folder)
            return
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / WEIGHTS)
        rows = self.validation if len(self.validation) else self.train
        shares = shuffled_importance(
            lambda cells: self._raw_of(model, cells), self.columns, rows, self.target, seed=self.setting.seed
        )
        self._found = self._look(shares, lambda cells: self._raw_of(model, cells))

    def facts(self) -> JSON:
        numbers = {"by": "identity", "mean": self._middle, "scale": self._spread}
        return {
            "model": self.how.model_dump(mode="json"),
            "columns": self.columns.to_json(),
            "left_out_columns": dict(self.columns.left_out),
            **({"labels": list(self.target.labels)} if self.classifies else {"answers": numbers}),
            **({"scales": self._inputs.to_json()} if isinstance(self.how, Network) else {}),
            "engine": "lightgbm" if isinstance(self.how, Boosting) else self.how.name,
        }

    def told(self) -> JSON:
        return {
            "num_validation_rows_without_class": self._num_without_class,
            "columns": [{"name": one.name, "kind": one.kind, "num_categories": len(one.categories)} for one in self.columns.columns],
            "left_out_columns": dict(self.columns.left_out),
            **({"class_weights": self.knobs.class_weights} if self.rounds else {}),
            **self._found,
            **told(None if self.train.weights is None else self.train.weights.tolist()),
        }  # fmt: skip

    @property
    def _middle(self) -> float:
        return 0.0 if self.classifies else round(float(self.train.targets.mean()), 9)

    @property
    def _spread(self) -> float:
        return 1.0 if self.classifies else max(round(float(self.train.targets.std()), 9), 1e-9)

    @property
    def _parts(self) -> str:
        return "num_trees" if isinstance(self.how, Boosting) else "num_coefficients"

    def _fit(self, follow: Callable[[int, int, float], None]) -> Fit:
        validation = self.validation if len(self.validation) >= MIN_VALIDATION_ROWS else None
        if isinstance(self.how, Linear):
            return fit_linear(self.how, self.train, validation, self.target, columns=self.columns, told=follow)
        return fit_trees(
            self.how,
            self.train,
            validation,
            self.target,
            categories=self.columns.category_places,
            seed=self.setting.seed,
            num_threads=torch.get_num_threads(),
            told=follow,
        )

    def _look(self, shares: Mapping[str, float], raw: Callable[[Floats], Floats]) -> JSON:
        """What the report says of a fitted model: what it goes by, and how sure it may be believed."""
        ranked = sorted(shares.items(), key=lambda one: (-one[1], one[0]))
        found: JSON = {"importance": [{"column": name, "share": round(share, 6)} for name, share in ranked]}
        if self.classifies and len(self.validation):
            from modelmint.evaluation.metrics.classification import calibration

            chances = probabilities(raw(self.validation.numbers)).astype(np.float32)
            truth = [self.target.labels[label_id] for label_id in self.validation.targets]
            found["calibration"] = calibration(truth, self.target.labels, chances)
        return found

    def _raw_of(self, model: nn.Module, numbers: Floats) -> Floats:
        if isinstance(model, Whole):
            return model.fitted.raw(numbers)
        raw_nl = network_outputs(model, numbers)
        return raw_nl if self.classifies else raw_nl * self._spread + self._middle

    def _ids(self, targets: Sequence[Any]) -> Any:
        if not self.classifies:
            return np.array(targets, dtype=np.float64)
        number = {label: label_id for label_id, label in enumerate(self.target.labels)}
        return np.array([number[one] for one in targets], dtype=np.int64)

    def _weights(self, train: Dataset, targets: Sequence[Any]) -> Any:
        given = row_weights(train)
        weights = None if given is None else np.array(given, dtype=np.float64)
        if self.knobs.class_weights == "balanced":
            ids = self._ids(targets)
            factors = class_weights(ids.tolist(), len(self.target.labels)).numpy().astype(np.float64)
            weights = factors[ids] if weights is None else factors[ids] * weights
        return weights


class TableRegression(TableLearner):
    """The label is a number."""

    classifies = False


def _cells(dataset: Dataset, wanted: Columns | None = None) -> dict[str, list[Any]]:
    names = [name for name in tables.column_names(dataset) if name != "label" and not name.startswith("_")]
    if wanted is not None:
        names = [column.name for column in wanted.columns if column.name in names]
    table = tables.read(dataset, names)
    return {name: table.column(name).to_pylist() for name in names}


def _targets(dataset: Dataset, role: str, *, number: bool) -> list[Any]:
    targets = tables.column(dataset, "label")
    bad = [one for one in targets if one is None or (number and not _is_finite(one))]
    if bad:
        raise DataError(
            f"{role}: must have a {'finite number' if number else 'label'} as label in each row; got {len(bad)} rows "
            f"with {bad[0]!r}",
            parameter=role,
            remedy="Run collect and clean first: they put such rows into quarantine.",
        )
    return targets


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
