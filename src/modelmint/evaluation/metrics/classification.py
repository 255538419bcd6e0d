"""Metrics of classification: figures with intervals, the table by class, confusions, calibration.

It knows names of labels and probabilities, never a model.

Shape legend: R resamples, K distinct outcomes of a row, L labels.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from modelmint.evaluation.significance import (
    Counts,
    Figure,
    Floats,
    Statistic,
    bootstrap,
    distinct,
    exact_interval,
    indicator,
)
from modelmint.evaluation.sums import keep

METRICS = ("accuracy", "macro_f1")
NUM_BINS = 10
MAX_HEAT = 20
"""Labels that a picture of confusions has room for."""
TINY = 1e-12  # the probability given to a label that a model does not know; log loss stays finite


class ClassRow(TypedDict):
    """The figures of one label."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class Confusion(TypedDict):
    truth: str
    predicted: str
    count: int


class Bin(TypedDict):
    """Predictions whose score lies in [low, high): how sure they were, and how often right."""

    low: float
    high: float
    num_rows: int
    confidence: float
    accuracy: float


class Calibration(TypedDict):
    log_loss: float
    ece: float
    bins: list[Bin]


def measure(truth: Sequence[str], predicted: Sequence[str], *, seed: int) -> dict[str, Figure]:
    """Accuracy and macro-F1 with 95 % bootstrap intervals.

    Macro-F1 is the mean over the labels that occur as truth: the same labels for every model on the same rows. Where
    all rows are right or all are wrong, accuracy's interval is the exact binomial one: every resample is the same.
    """
    labels, (truth_ids, predicted_ids), counts = distinct(truth, predicted)
    found = bootstrap(_scores(truth_ids, predicted_ids, len(labels)), counts, seed=seed)
    figures = dict(zip(METRICS, found, strict=True))
    accuracy = figures["accuracy"]
    if accuracy["value"] in (0.0, 1.0):
        accuracy["low"], accuracy["high"] = exact_interval(round(accuracy["value"] * accuracy["n"]), accuracy["n"])
    return figures


def measure_answers(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of rows with a column ``label`` and answers ``{"label", ...}``."""
    labels, told = [str(label) for label in truth["label"]], [str(answer["label"]) for answer in answers]
    keep_accuracy(labels, told)
    return measure(labels, told, seed=seed)


def keep_accuracy(truth: Sequence[str], predicted: Sequence[str]) -> None:
    """Give which rows are right to who asks for sums."""
    right = np.array([[float(one == other), 1.0] for one, other in zip(truth, predicted, strict=True)])
    keep(("accuracy",), right.reshape(-1, 2), lambda sums: sums[:, :1] / sums[:, 1:])


def compare(truth: Sequence[str], first: Sequence[str], second: Sequence[str], *, seed: int) -> dict[str, Figure]:
    """First minus second in each metric, with paired 95 % bootstrap intervals: both are drawn on the same rows."""
    labels, (truth_ids, first_ids, second_ids), counts = distinct(truth, first, second)
    of_first, of_second = _scores(truth_ids, first_ids, len(labels)), _scores(truth_ids, second_ids, len(labels))
    figures = bootstrap(lambda drawn: of_first(drawn) - of_second(drawn), counts, seed=seed, names=METRICS)
    return dict(zip(METRICS, figures, strict=True))


def accuracy(truth: Sequence[str], predicted: Sequence[str | None]) -> float:
    """The share of rows predicted right; None, an answer that is missing, is wrong."""
    return sum(one == other for one, other in zip(truth, predicted, strict=True)) / len(truth)


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """The mean F1 of the labels that occur as truth; scikit-learn's default adds those that were only predicted."""
    from sklearn.metrics import f1_score

    return float(f1_score(truth, predicted, labels=sorted(set(truth)), average="macro", zero_division=0))


def per_class(truth: Sequence[str], predicted: Sequence[str]) -> list[ClassRow]:
    """One row a label that occurs as truth or as prediction, by name."""
    from sklearn.metrics import precision_recall_fscore_support

    labels = sorted({*truth, *predicted})
    columns = precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    return [
        ClassRow(
            label=label,
            precision=round(float(precision), 6),
            recall=round(float(recall), 6),
            f1=round(float(f1), 6),
            support=int(support),
        )
        for label, precision, recall, f1, support in zip(labels, *columns, strict=True)
    ]


def confusions(truth: Sequence[str], predicted: Sequence[str], *, limit: int = 20) -> list[Confusion]:
    """The most frequent wrong pairs; ties by name."""
    pairs = Counter((one, other) for one, other in zip(truth, predicted, strict=True) if one != other)
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return [Confusion(truth=one, predicted=other, count=count) for (one, other), count in ranked[:limit]]


class Heat(TypedDict):
    """A table of rows by right label and given label; the labels that are most mixed up, the worst first."""

    labels: list[str]
    counts: list[list[int]]
    """One row a right label; the last column and the last row are all other labels together, where there are any."""
    num_others: int


def heat(truth: Sequence[str], predicted: Sequence[str], *, limit: int = MAX_HEAT) -> Heat:
    """All labels, or the `limit` of them with most wrong rows, in the order of their names where all fit."""
    wrong: Counter[str] = Counter()
    for one, other in zip(truth, predicted, strict=True):
        if one != other:
            wrong.update((one, other))
    labels = sorted({*truth, *predicted})
    if len(labels) > limit:
        labels = sorted(labels, key=lambda name: (-wrong[name], name))[:limit]
    place = {label: at for at, label in enumerate(labels)}
    width, num_others = len(labels), len({*truth, *predicted}) - len(labels)
    counts = np.zeros((width + bool(num_others),) * 2, np.int64)
    for one, other in zip(truth, predicted, strict=True):
        counts[place.get(one, width), place.get(other, width)] += 1
    return Heat(labels=labels, counts=counts.tolist(), num_others=num_others)


def calibration(truth: Sequence[str], labels: Sequence[str], probabilities: npt.NDArray[np.float32]) -> Calibration:
    """Does a score of 0.8 mean right in 8 of 10?

    Args:
        labels: names of the columns of `probabilities` (rows, labels).

    Returns:
        Log loss (natural logarithm; a label the model does not know counts as probability 1e-12), the expected
        calibration error over `NUM_BINS` bins of equal width, and those bins.

    Source: Guo et al., On Calibration of Modern Neural Networks (2017).
    """
    column = {label: at for at, label in enumerate(labels)}
    chosen = np.asarray([column.get(label, -1) for label in truth])
    given = np.where(chosen >= 0, probabilities[np.arange(len(truth)), chosen], 0.0).astype(np.float64)
    scores = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == chosen
    bins = [_bin(place, scores, correct) for place in range(NUM_BINS)]
    ece = sum(one["num_rows"] * abs(one["confidence"] - one["accuracy"]) for one in bins) / len(truth)
    log_loss = float(-np.log(np.clip(given, TINY, 1.0)).mean())
    return Calibration(log_loss=round(log_loss, 6), ece=round(ece, 6), bins=bins)


def _scores(truth_ids: npt.NDArray[np.int64], predicted_ids: npt.NDArray[np.int64], num_labels: int) -> Statistic:
    """Counts of outcomes (R, K) -> accuracy and macro-F1 (R, 2)."""
    right = indicator(truth_ids, num_labels, keep=truth_ids == predicted_ids)
    true, claimed = indicator(truth_ids, num_labels), indicator(predicted_ids, num_labels)

    def statistic(counts: Counts) -> Floats:
        num_right, num_true, num_claimed = right @ counts.T, true @ counts.T, claimed @ counts.T  # (L, R) each
        nothing = np.full(num_right.shape, np.nan)
        f1 = np.divide(2.0 * num_right, num_true + num_claimed, out=nothing, where=num_true > 0)
        return np.stack([num_right.sum(axis=0) / counts.sum(axis=1), np.nanmean(f1, axis=0)], axis=1)

    return statistic


def _bin(place: int, scores: Floats, correct: npt.NDArray[np.bool_]) -> Bin:
    inside = np.minimum((scores * NUM_BINS).astype(int), NUM_BINS - 1) == place
    num_rows = int(inside.sum())
    return Bin(
        low=place / NUM_BINS,
        high=(place + 1) / NUM_BINS,
        num_rows=num_rows,
        confidence=round(float(scores[inside].mean()), 6) if num_rows else 0.0,
        accuracy=round(float(correct[inside].mean()), 6) if num_rows else 0.0,
    )
