"""Metrics of numbers that are predicted: errors in their own unit, correlations, and the share of variance explained.

It knows numbers, never a model.

Shape legend: N rows, R resamples, S figures.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelmint.evaluation.significance import Figure, Floats
from modelmint.evaluation.sums import of_sums

METRICS = ("rmse", "mae", "r2", "pearson", "spearman")


def measure(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of rows with a column ``label`` of numbers and answers ``{"value", ...}``: `METRICS`, with 95 % intervals.

    `rmse` and `mae` are in the numbers' unit. `r2` is 1 less the squared error by that of the mean of the truth: 0 is no
    better than always saying the mean. A correlation with numbers that are all equal is 0, as is r2 where the truth is.
    Spearman's correlation is that of the ranks among all rows; its interval draws rows with these ranks.
    """
    asked = np.asarray(truth["label"], dtype=np.float64)
    given = np.asarray([answer["value"] for answer in answers], dtype=np.float64)
    scale = float(asked.std()) or 1.0
    in_unit = np.array([scale, scale, 1.0, 1.0, 1.0])
    # In deviations from the mean: the moments of numbers far from zero would lose their digits.
    terms = _terms((asked - asked.mean()) / scale, (given - asked.mean()) / scale)
    return of_sums(METRICS, terms, lambda sums: _figures(sums) * in_unit, seed=seed)


def _terms(asked: Floats, given: Floats) -> Floats:
    """(N, 13) what each row adds: a one, errors, and first and second moments of the numbers and of their ranks."""
    from scipy.stats import rankdata

    middle = (len(asked) + 1) / 2
    columns = [np.ones(len(asked)), (asked - given) ** 2, np.abs(asked - given)]
    for first, second in ((asked, given), (rankdata(asked) - middle, rankdata(given) - middle)):
        columns += [first, second, first**2, second**2, first * second]
    return np.stack(columns, axis=1)


def _figures(sums: Floats) -> Floats:
    """(R, S) from the sums (R, 13)."""
    num, squares, absolutes = sums[:, 0], sums[:, 1], sums[:, 2]
    variance = sums[:, 5] / num - (sums[:, 3] / num) ** 2
    r2 = 1 - _quotient(squares / num, variance, otherwise=1.0)
    return np.stack(
        [
            np.sqrt(squares / num),
            absolutes / num,
            r2,
            _correlation(num, sums[:, 3:8]),
            _correlation(num, sums[:, 8:13]),
        ],
        axis=1,
    )


def _correlation(num: Floats, sums: Floats) -> Floats:
    """Pearson's, from the sums of x, y, x squared, y squared, xy."""
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = (sums / num[:, None]).T
    both = np.maximum(mean_xx - mean_x**2, 0) * np.maximum(mean_yy - mean_y**2, 0)
    return np.clip(_quotient(mean_xy - mean_x * mean_y, np.sqrt(both), otherwise=0.0), -1, 1)


def _quotient(above: Floats, below: Floats, *, otherwise: float) -> Floats:
    found = np.full(above.shape, otherwise)
    np.divide(above, below, out=found, where=below > 1e-12)
    return found
