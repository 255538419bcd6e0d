"""Tables to labels or numbers: logistic or ridge regression on scaled numbers and categories, or what is most frequent.

Shapes: n rows, k columns, j inputs, l labels.
"""

from typing import Any

import numpy as np

from modelmint.core import tables
from modelmint.core.coefficients import Inputs
from modelmint.core.columns import Columns
from modelmint.core.types import JSON
from modelmint.evaluation.baselines.cheap import MAX_BYTES, Asked, Cheap, believed, no_rows, same_for_all
from modelmint.evaluation.baselines.choices import NAMES
from modelmint.evaluation.baselines.texts import logistic
from modelmint.evaluation.predict import Predictions

MAX_ROWS = 50_000
STRENGTH = 0.1
RIDGE = 10.0
MAX_STEPS = 500


def labels_of_tables(kind: str, asked: Asked) -> Cheap:
    """The probability of each label a row."""
    cells, truth = _rows(asked)
    labels = np.asarray([str(label) for label in truth], dtype=object)
    if kind == "majority" or len(set(labels)) == 1:
        return Cheap(
            name=NAMES["majority"],
            num_rows=len(labels),
            answer=lambda: same_for_all(labels.tolist(), asked.test.num_rows),
        )
    columns, inputs, wide_nj = _inputs(cells)
    model = logistic(wide_nj, labels, seed=asked.seed, strength=STRENGTH, max_steps=MAX_STEPS)

    def answer() -> Predictions:
        rows, _ = inputs.of(columns.encode(asked.truth))
        return believed([str(name) for name in model.classes_], model.predict_proba(rows))

    return Cheap(name=NAMES["linear"], num_rows=len(labels), answer=answer)


def numbers_of_tables(kind: str, asked: Asked) -> Cheap:
    """``{"value"}`` a row."""
    from sklearn.linear_model import Ridge

    cells, truth = _rows(asked)
    numbers = np.asarray(truth, dtype=np.float64)
    if kind == "mean":
        same = {"value": float(numbers.mean())}
        return Cheap(name=NAMES["mean"], num_rows=len(numbers), answer=lambda: [same] * asked.test.num_rows)
    columns, inputs, wide_nj = _inputs(cells)
    model = Ridge(alpha=RIDGE).fit(wide_nj, numbers)

    def answer() -> list[JSON]:
        rows, _ = inputs.of(columns.encode(asked.truth))
        return [{"value": float(one)} for one in model.predict(rows)]

    return Cheap(name="ridge regression on the columns", num_rows=len(numbers), answer=answer)


def _rows(asked: Asked) -> tuple[dict[str, list[Any]], list[Any]]:
    """The cells by column, and what is predicted, of training rows that have it."""
    if not asked.train.num_rows:
        raise no_rows(["label"])
    sample = tables.read(tables.sample(asked.train, max_rows=MAX_ROWS, max_bytes=MAX_BYTES))
    kept = sample.filter(sample.column("label").is_valid())
    if not kept.num_rows:
        raise no_rows(["label"])
    names = [name for name in kept.column_names if name != "label" and not name.startswith("_")]
    return {name: kept.column(name).to_pylist() for name in names}, kept.column("label").to_pylist()


def _inputs(cells: dict[str, list[Any]]) -> tuple[Columns, Inputs, Any]:
    columns = Columns.fit(cells)
    numbers = columns.encode(cells)
    inputs = Inputs.fit(columns, numbers)
    return columns, inputs, inputs.of(numbers)[0]
