"""Metrics of tables: how well labels are told apart and believed, how far numbers are off. It knows no model.

Shape legend: R resamples, N rows.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelmint.evaluation.metrics.classification import TINY, keep_accuracy
from modelmint.evaluation.metrics.classification import measure as measure_labels
from modelmint.evaluation.significance import CONFIDENCE, Figure, Floats
from modelmint.evaluation.sums import of_sums


def measure_classes(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of rows with a column ``label`` and answers ``{"label", "probabilities"}``: AUC where there are two labels, then
    accuracy, macro-F1 and log loss (natural logarithm).
    """
    labels = [str(label) for label in truth["label"]]
    chances = [max(float(answer["probabilities"].get(label, 0.0)), TINY) for label, answer in zip(labels, answers, strict=True)]  # fmt: skip
    losses = -np.log(np.array(chances))[:, None]
    told = [str(answer["label"]) for answer in answers]
    keep_accuracy(labels, told)
    figures = measure_labels(labels, told, seed=seed)
    figures |= of_sums(["log_loss"], np.column_stack([losses, np.ones(len(losses))]), _mean, seed=seed)
    known = list(answers[0]["probabilities"])
    if len(known) != 2 or not 0 < (num := sum(label == known[1] for label in labels)) < len(labels):
        return figures
    scores = np.array([answer["probabilities"][known[1]] for answer in answers])
    is_positive = np.array([label == known[1] for label in labels])
    return {"auc": auc_figure(is_positive, scores, num)} | figures


def measure_numbers(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of rows with a column ``label`` and answers ``{"value"}``: RMSE, MAE and R2."""
    wanted = np.array([float(one) for one in truth["label"]])
    errors = np.array([float(answer["value"]) for answer in answers]) - wanted
    centred = wanted - wanted.mean()  # the same R2, and sums that keep their digits
    numbers = np.column_stack([np.ones(len(wanted)), errors**2, np.abs(errors), centred, centred**2])
    return of_sums(["rmse", "mae", "r2"], numbers, _distances, seed=seed)


def auc(is_positive: Any, scores: Any) -> tuple[float, float]:
    """The area under the ROC curve and its standard error; equal scores count half.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988); by midranks after Sun and Xu (2014).
    """
    parts = placements(is_positive, scores)
    return float(parts[0].mean()), _error(parts)


def auc_difference(is_positive: Any, first: Any, second: Any) -> Figure:
    """The AUC of the first scores minus that of the second, on the same rows, with DeLong's interval."""
    from scipy.stats import norm

    one, other = placements(is_positive, first), placements(is_positive, second)
    value = float(one[0].mean() - other[0].mean())
    spread = norm.ppf((1 + CONFIDENCE) / 2) * _error([ours - theirs for ours, theirs in zip(one, other, strict=True)])
    low, high = (round(value + side * spread, 6) for side in (-1, 1))
    return Figure(value=round(value, 6), low=low, high=high, n=len(first))


def auc_figure(is_positive: Any, scores: Any, num_positive: int) -> Figure:
    """The AUC with its interval, drawn on the logit scale so that it stays within 0 and 1.

    Where all are told apart no error can be estimated: the interval is then that of the rarer label's rows all right.
    """
    from scipy.stats import norm

    area, error = auc(is_positive, scores)
    num_rows = len(scores)
    if area in (0.0, 1.0) or error == 0.0:
        rarer = min(num_positive, num_rows - num_positive)
        slack = 1 - ((1 - CONFIDENCE) / 2) ** (1 / rarer)
        low, high = max(0.0, area - slack), min(1.0, area + slack)
    else:
        spread = norm.ppf((1 + CONFIDENCE) / 2) * error / (area * (1 - area))
        middle = math.log(area / (1 - area))
        low, high = (1 / (1 + math.exp(-(middle + side * spread))) for side in (-1, 1))
    return Figure(value=round(area, 6), low=round(low, 6), high=round(high, 6), n=num_rows)


def placements(is_positive: Any, scores: Any) -> list[Floats]:
    """How large a share of the negatives each positive is above, and of the positives each negative is below."""
    from scipy.stats import rankdata

    positive, negative = scores[is_positive], scores[~is_positive]
    num_positive, num_negative = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    over_negatives = (ranks[:num_positive] - rankdata(positive)) / num_negative
    over_positives = 1 - (ranks[num_positive:] - rankdata(negative)) / num_positive
    return [over_negatives, over_positives]


def _error(parts: Sequence[Floats]) -> float:
    return math.sqrt(sum(float(part.var(ddof=1)) / len(part) if len(part) > 1 else 0.25 for part in parts))


def _mean(sums: Floats) -> Floats:
    return sums[:, :1] / sums[:, 1:]


def _distances(sums: Floats) -> Floats:
    num, squares, sizes, total, total_squares = sums.T
    spread = total_squares - total**2 / num
    r2 = 1 - np.divide(squares, spread, out=np.full(len(num), np.inf), where=spread > 0)
    return np.column_stack([np.sqrt(squares / num), sizes / num, np.where(np.isfinite(r2), r2, 0.0)])
