"""A linear model of a table: columns scaled to inputs, and the coefficients of these; kept in JSON.

Shapes: N rows, k columns, j inputs (a number and a mark where it is missing; one a category), l outputs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from modelmint.core.columns import Columns, Floats

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
            there = numbers[~np.isnan(numbers[:, at]), at] if column.kind != "category" else np.zeros(1)
            means.append(float(there.mean()) if len(there) else 0.0)
            deviations.append(float(there.std()) or 1.0 if len(there) else 1.0)
        return cls(
            num_categories=tuple(len(column.categories) for column in columns.columns),
            means=tuple(means),
            deviations=tuple(deviations),
        )

    def of(self, numbers: Floats) -> tuple[Floats, list[int]]:
        """(N, j) and the column that each input is of."""
        nums_k = np.array(self.num_categories)
        widths_k = np.where(nums_k == 0, 2, nums_k)
        first_k = np.cumsum(widths_k) - widths_k
        wide_nj = np.zeros((len(numbers), int(widths_k.sum())))
        of_numbers, of_categories = np.flatnonzero(nums_k == 0), np.flatnonzero(nums_k)
        cells = numbers[:, of_numbers]
        missing = np.isnan(cells)
        with np.errstate(over="ignore"):  # what is too large is cut
            scaled = (cells - np.array(self.means)[of_numbers]) / np.array(self.deviations)[of_numbers]
        wide_nj[:, first_k[of_numbers]] = np.clip(np.where(missing, 0.0, scaled), -MAX_DEVIATIONS, MAX_DEVIATIONS)
        wide_nj[:, first_k[of_numbers] + 1] = missing
        places = numbers[:, of_categories]
        at_row, at_column = np.nonzero(~np.isnan(places))
        inputs = first_k[of_categories][at_column] + places[at_row, at_column].astype(np.int64)
        wide_nj[at_row, inputs] = 1.0
        return wide_nj, np.repeat(np.arange(len(nums_k)), widths_k).tolist()

    def to_json(self) -> dict[str, Any]:
        return {"num_categories": self.num_categories, "means": self.means, "deviations": self.deviations}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return cls(**{name: tuple(value[name]) for name in ("num_categories", "means", "deviations")})


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
    def load(cls, path: Path) -> Self:
        """Of a saved file."""
        told = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            inputs=Inputs.from_json(told),
            weights_jl=np.array(told["weights"]),
            bias_l=np.array(told["bias"]),
            spreads_j=np.array(told["spreads"]),
        )
