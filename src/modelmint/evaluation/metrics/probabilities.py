"""Metrics of what a classifier believes: AUC, log loss, calibration, and telling rows apart whose label it never learnt.

It knows names of labels and probabilities, never a model.

Shape legend: N rows, L labels, R resamples, B bins.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modelmint.evaluation.metrics.classification import NUM_BINS, TINY
from modelmint.evaluation.metrics.tables import auc_figure, placements
from modelmint.evaluation.significance import CONFIDENCE, Counts, Figure, Floats, bootstrap
from modelmint.evaluation.sums import of_sums

OUT_OF_SCOPE = ("out_of_scope_auroc", "out_of_scope_fpr")
RECALL = 0.95
MIN_EACH = 2
"""Rows in scope and out of it, for figures of telling them apart."""

Chances = npt.NDArray[np.float32]


def measure_chances(
    truth: Sequence[str], labels: Sequence[str], probabilities_nl: Chances, *, seed: int
) -> dict[str, Figure]:
    """Of probabilities (N, L) whose columns are `labels`.

    Returns:
        ``auc``, of more than two labels the mean of each against the rest (those that occur, and not alone);
        ``log_loss`` (natural logarithm; a label that the model does not know has probability 1e-12); ``ece``, the
        expected calibration error over bins of equal width (Guo et al. 2017), whose interval leans upwards, since
        resampled bins are noisier; and where rows have labels that the model does not know, `out_of_scope`.
    """
    column = {label: at for at, label in enumerate(labels)}
    chosen = np.array([column.get(label, -1) for label in truth])
    sure = probabilities_nl.max(axis=1).astype(np.float64)
    given = np.where(chosen >= 0, probabilities_nl[np.arange(len(truth)), chosen], 0.0).astype(np.float64)
    loss = np.column_stack([-np.log(np.clip(given, TINY, 1.0)), np.ones(len(truth))])
    figures = of_sums(("log_loss",), loss, lambda sums: sums[:, :1] / sums[:, 1:], seed=seed)
    figures |= ece(sure, probabilities_nl.argmax(axis=1) == chosen, seed=seed)
    figures |= out_of_scope(sure, chosen >= 0, seed=seed)
    area = auc(chosen, probabilities_nl)
    return figures if area is None else {"auc": area} | figures


def ece(sure: Floats, right: npt.NDArray[np.bool_], *, seed: int) -> dict[str, Figure]:
    """The expected calibration error of N scores and whether each was right."""
    bins = np.minimum((sure * NUM_BINS).astype(int), NUM_BINS - 1)
    hot = np.eye(NUM_BINS)[bins]
    numbers = np.hstack([hot * (sure - right)[:, None], np.ones((len(sure), 1))])
    return of_sums(("ece",), numbers, lambda sums: np.abs(sums[:, :-1]).sum(axis=1, keepdims=True) / sums[:, -1:], seed=seed)  # fmt: skip


def out_of_scope(sure: Floats, is_known: npt.NDArray[np.bool_], *, seed: int) -> dict[str, Figure]:
    """How well the highest probability tells rows apart whose label the model knows from those it does not.

    Returns:
        ``out_of_scope_auroc``; and ``out_of_scope_fpr``, the share of rows out of scope that are let through by the
        threshold which lets 95 % of those in scope through. Nothing where there are fewer than two rows of a side.

    Source: Hendrycks and Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution Examples (2017).
    """
    if min(is_known.sum(), (~is_known).sum()) < MIN_EACH:
        return {}
    order = np.argsort(-sure, kind="stable")
    inside = is_known[order]
    last = np.searchsorted(-sure[order], -sure[order], side="right") - 1  # equal scores pass together

    def let_through(counts: Counts) -> Floats:
        known = np.cumsum(counts[:, order] * inside, axis=1)
        strange = np.cumsum(counts[:, order] * ~inside, axis=1)
        at = last[(known >= RECALL * known[:, -1:] - 1e-9).argmax(axis=1)]
        return np.asarray(strange[np.arange(len(at)), at] / np.maximum(strange[:, -1], 1))[:, None]

    area = auc_figure(is_known, sure, int(is_known.sum()))
    rate = bootstrap(let_through, np.ones(len(sure), np.int64), seed=seed, num_resamples=500)[0]
    rate["n"] = int((~is_known).sum())
    return dict(zip(OUT_OF_SCOPE, (area, rate), strict=True))


def auc(chosen: npt.NDArray[np.int64], probabilities_nl: Chances) -> Figure | None:
    """Of two labels that of the second; of more the mean over those that occur. Its spread is DeLong's, row by row."""
    num_rows, num_labels = probabilities_nl.shape
    if num_labels == 2:
        num_second = int((chosen == 1).sum())
        return auc_figure(chosen == 1, probabilities_nl[:, 1], num_second) if 0 < num_second < num_rows else None
    areas: list[float] = []
    influence_n = np.zeros(num_rows)
    for label in range(num_labels):
        hit = chosen == label
        if not 0 < hit.sum() < num_rows:
            continue
        above, below = placements(hit, probabilities_nl[:, label])
        areas.append(float(above.mean()))
        influence_n[hit] += (above - areas[-1]) / len(above)
        influence_n[~hit] += (below - areas[-1]) / len(below)
    if not areas:
        return None
    return _on_logits(float(np.mean(areas)), math.sqrt(float((influence_n**2).sum())) / len(areas), num_rows)


def _on_logits(area: float, error: float, num_rows: int) -> Figure:
    """An area with its interval, which stays within 0 and 1."""
    from scipy.stats import norm

    if area in (0.0, 1.0):
        return Figure(value=area, low=area, high=area, n=num_rows)
    middle, spread = math.log(area / (1 - area)), norm.ppf((1 + CONFIDENCE) / 2) * error / (area * (1 - area))
    low, high = (1 / (1 + math.exp(-(middle + side * spread))) for side in (-1, 1))
    return Figure(value=round(area, 6), low=round(low, 6), high=round(high, 6), n=num_rows)
