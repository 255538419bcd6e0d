"""What each training row counts for in the loss: the column `_weight`, where the rows have it."""

import math
from collections.abc import Sequence

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.types import JSON, Dataset

COLUMN = "_weight"


def row_weights(dataset: Dataset) -> list[float] | None:
    """(N,) the weight of each row, or None where the dataset has no such column: then all rows count the same.

    Raises:
        DataError: a weight is missing, or is no finite number above zero.
    """
    if COLUMN not in dataset.facts["columns"]:
        return None
    weights = tables.column(dataset, COLUMN)
    wrong = [at for at, weight in enumerate(weights) if not _is_weight(weight)]
    if wrong:
        raise DataError(
            f"{COLUMN}: must be a finite number above 0 in each row; got {weights[wrong[0]]!r} in row "
            f"{tables.column(dataset, '_row')[wrong[0]]} ({len(wrong):,} such rows)",
            parameter="train",
            remedy="Let `augment: {balance: weights}` write the column, or leave out the rows that should not count.",
        )
    return [float(weight) for weight in weights]


def told(weights: Sequence[float] | None) -> JSON:
    """What a training report says of the weights; nothing where there were none."""
    if not weights:
        return {}
    return {"row_weights": {"min": round(min(weights), 6), "max": round(max(weights), 6)}}


def _is_weight(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
