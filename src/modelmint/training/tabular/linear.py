"""Logistic and ridge regression on scaled numbers and categories; kept as coefficients in JSON.

Shapes: N rows, k columns, j inputs (a number and a mark where it is missing; one a category), l outputs.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from modelmint.training.tabular.columns import Columns, Floats
from modelmint.training.tabular.fitting import Fit, Rows, Target, mean_loss
from modelmint.training.tabular.spec import Linear

FILE = "linear.json"
MAX_DEVIATIONS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """How encoded columns become inputs: numbers less their mean by their deviation, a missing one the mean."""

    num_categories: tuple[int, ...]
    """A column; 0 for a number."""
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    @classmethod
    def fit(cls, columns: Columns, numbers: Floats) -> Self:
        """On the training rows."""
        means, deviations = [], []
        for at, column in enumerate(columns.columns):
            there = numbers[~np.isnan(numbers[:, at]), at] if column.kind == "number" else np.zeros(1)
            means.append(float(there.mean()) if len(there) else 0.0)
            deviations.append(float(there.std()) or 1.0 if len(there) else 1.0)
        return cls(
            num_categories=tuple(len(column.categories) for column in columns.columns),
            means=tuple(means),
            deviations=tuple(deviations),
        )

    def of(self, numbers: Floats) -> tuple[Floats, list[int]]:
        """(N, j) and the column that each input is of."""
        parts, owners = [], []
        for at, num in enumerate(self.num_categories):
            cells = numbers[:, at]
            missing = np.isnan(cells)
            if num:
                wide = (np.where(missing, -1, cells)[:, None] == np.arange(num)).astype(np.float64)
            else:
                scaled = np.where(missing, 0.0, (cells - self.means[at]) / self.deviations[at])
                wide = np.column_stack([np.clip(scaled, -MAX_DEVIATIONS, MAX_DEVIATIONS), missing.astype(np.float64)])
            parts.append(wide)
            owners += [at] * wide.shape[1]
        return np.concatenate(parts, axis=1), owners

    def to_json(self) -> dict[str, Any]:
        return {"num_categories": self.num_categories, "means": self.means, "deviations": self.deviations}


@dataclass(frozen=True, kw_only=True, slots=True)
class Coefficients:
    """``inputs @ weights_jl + bias_l``. `spreads_j` is the deviation of each input over the training rows."""

    inputs: Inputs
    weights_jl: Floats
    bias_l: Floats
    spreads_j: Floats

    def raw(self, numbers: Floats) -> Floats:
        wide, _ = self.inputs.of(numbers)
        return np.asarray(wide @ self.weights_jl + self.bias_l)

    def importance(self, columns: Columns) -> dict[str, float]:
        """How far each column's inputs move the answer, in shares."""
        _, owners = self.inputs.of(np.zeros((1, len(columns.columns))))
        moved_j = np.abs(self.weights_jl).mean(axis=1) * self.spreads_j
        moved = np.bincount(owners, weights=moved_j, minlength=len(columns.columns))
        return {one.name: float(by / max(moved.sum(), 1e-12)) for one, by in zip(columns.columns, moved, strict=True)}

    def save(self, folder: Path) -> None:
        arrays = {"weights": self.weights_jl, "bias": self.bias_l, "spreads": self.spreads_j}
        told = self.inputs.to_json() | {name: array.tolist() for name, array in arrays.items()}
        (folder / FILE).write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Of a saved folder."""
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        inputs = Inputs(**{name: tuple(told[name]) for name in ("num_categories", "means", "deviations")})
        return cls(
            inputs=inputs,
            weights_jl=np.array(told["weights"]),
            bias_l=np.array(told["bias"]),
            spreads_j=np.array(told["spreads"]),
        )


def fit_linear(
    spec: Linear,
    train: Rows,
    validation: Rows | None,
    target: Target,
    *,
    columns: Columns,
    told: Callable[[int, int, float], None],
) -> Fit:
    """One fit a strength; the best on the validation rows is kept, the middle one where there are too few of them.

    Args:
        told: (round, rounds, training loss) after each; what it raises ends the fit.
    """
    inputs = Inputs.fit(columns, train.numbers)
    wide_nj, _ = inputs.of(train.numbers)
    found, history = [], []
    for at, strength in enumerate(spec.strengths, start=1):
        weights_jl, bias_l = _solved(wide_nj, train, target, strength)
        model = Coefficients(inputs=inputs, weights_jl=weights_jl, bias_l=bias_l, spreads_j=wide_nj.std(axis=0))
        loss = mean_loss(model.raw(train.numbers), train.targets, target, train.weights)
        held_out = None
        if validation is not None:
            held_out = mean_loss(model.raw(validation.numbers), validation.targets, target)
        found.append(model)
        history.append((loss, held_out))
        told(at, len(spec.strengths), loss)
    losses = [one for _, one in history if one is not None]
    best = int(np.argmin(losses)) if losses else len(found) // 2
    return Fit(model=found[best], history=history, best_round=best + 1, num_parts=found[best].weights_jl.size)


def _solved(wide_nj: Floats, train: Rows, target: Target, strength: float) -> tuple[Floats, Floats]:
    from sklearn.linear_model import LogisticRegression, Ridge

    if not target.labels:
        ridge = Ridge(alpha=1 / strength).fit(wide_nj, train.targets, sample_weight=train.weights)
        return ridge.coef_.reshape(-1, 1), np.array([ridge.intercept_])
    logistic = LogisticRegression(C=strength, max_iter=2_000, tol=1e-5)
    logistic.fit(wide_nj, train.targets, sample_weight=train.weights)
    if target.num_outputs == 2:
        zeros = np.zeros((wide_nj.shape[1], 1))
        return np.concatenate([zeros, logistic.coef_.T], axis=1), np.array([0.0, logistic.intercept_[0]])
    return logistic.coef_.T, logistic.intercept_
