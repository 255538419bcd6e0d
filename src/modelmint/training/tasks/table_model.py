"""Trained models of tables: the reference. Imports PyTorch.

Shapes: N rows, l labels.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from modelmint.core.coefficients import FILE as COEFFICIENTS
from modelmint.core.coefficients import Coefficients, Inputs
from modelmint.core.columns import Columns, Floats
from modelmint.core.errors import InputError
from modelmint.training.tabular.boosting import Trees
from modelmint.training.tabular.fitting import Model, Rows, Target, mean_loss, probabilities
from modelmint.training.tabular.network import WEIGHTS, TableNetwork
from modelmint.training.tabular.spec import Network
from modelmint.training.tasks.table import read_about

BATCH = 4_096


class TablePredictor:
    """A trained model of a table. One thread at a time may call it. `labels` is empty where it gives a number."""

    def __init__(self, raw: Callable[[Floats], Floats], columns: Columns, labels: Sequence[str]) -> None:
        self.columns, self.labels = columns, tuple(labels)
        self._raw = raw

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """``{"label", "score", "probabilities"}`` a row, or ``{"value"}``. Unknown categories count as missing.

        Raises:
            InputError: a column that was learned from is not there.
        """
        raw_nl = self._raw(self.columns.encode(rows))
        if say is not None:
            say(len(raw_nl), len(raw_nl), "predicting")
        if not self.labels:
            return [{"value": float(value)} for value in raw_nl[:, 0]]
        return [
            {
                "label": self.labels[at],
                "score": float(row[at]),
                "probabilities": {label: float(chance) for label, chance in zip(self.labels, row, strict=True)},
            }
            for row in probabilities(raw_nl)
            for at in [int(row.argmax())]
        ]


def load_table(folder: Path) -> TablePredictor:
    """The model in a model artifact's folder.

    Raises:
        InputError: the folder is not that of a trained model of a table.
    """
    about = read_about(folder)
    if "columns" not in about:
        raise InputError(f"model: must be one of a table; got one for {about['task']}", parameter="model")
    columns, labels = Columns.from_json(about["columns"]), about.get("labels", [])
    if about["model"]["name"] == "boosting":
        return TablePredictor(Trees.load(folder, len(labels) or 1).raw, columns, labels)
    if about["model"]["name"] == "linear":
        return TablePredictor(Coefficients.load(folder / COEFFICIENTS).raw, columns, labels)
    network = read_network(folder)
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    numbers = about.get("answers", {"mean": 0.0, "scale": 1.0})
    spread, middle = float(numbers["scale"]), float(numbers["mean"])
    return TablePredictor(lambda cells: network_outputs(network, cells) * spread + middle, columns, labels)


def read_network(folder: Path) -> TableNetwork:
    """The network in a model artifact's folder, on the CPU; of a number it gives deviations from the mean."""
    about = read_about(folder)
    inputs, num_outputs = Inputs.from_json(about["scales"]), len(about.get("labels", [])) or 1
    network = TableNetwork(Network(**about["model"]), inputs, num_outputs)
    network.load_state_dict(load_file(folder / WEIGHTS))
    return network


def network_outputs(model: nn.Module, numbers: Floats) -> Floats:
    """(N, l) on the CPU."""
    model.train(False)
    device = next(model.parameters()).device
    parts = []
    with torch.no_grad():
        for start in range(0, len(numbers), BATCH):
            cells = torch.from_numpy(numbers[start : start + BATCH]).float().to(device)
            parts.append(model(cells).double().cpu().numpy())
    return np.concatenate(parts)


class Whole(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """A model that no loop trained: it has no weights of PyTorch."""

    def __init__(self, fitted: Model) -> None:
        super().__init__()
        self.fitted = fitted


def shuffled_importance(
    raw: Callable[[Floats], Floats], columns: Columns, rows: Rows, target: Target, *, seed: int
) -> dict[str, float]:
    """Columns matter as much as the loss rises when their cells are shuffled, in shares.

    Source: Breiman, Random Forests (2001), section 10.
    """
    random = np.random.default_rng(seed)
    before = mean_loss(raw(rows.numbers), rows.targets, target)
    risen = []
    for at in range(len(columns.columns)):
        shuffled = rows.numbers.copy()
        shuffled[:, at] = random.permutation(shuffled[:, at])
        risen.append(max(0.0, mean_loss(raw(shuffled), rows.targets, target) - before))
    total = max(sum(risen), 1e-12)
    return {one.name: by / total for one, by in zip(columns.columns, risen, strict=True)}
