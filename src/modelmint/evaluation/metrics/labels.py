"""Metrics of rows that have any number of labels each.

It knows names of labels, never a model.

Shape legend: N rows, R resamples, L labels.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from modelmint.evaluation.metrics.classification import ClassRow
from modelmint.evaluation.significance import Counts, Figure, Floats, bootstrap
from modelmint.evaluation.sums import keep

ADDING = ("micro_f1", "subset_accuracy", "jaccard", "mean_labels")
"""Those that follow from sums over rows."""
METRICS = ("micro_f1", "macro_f1", "subset_accuracy", "jaccard", "mean_labels")


def measure(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of rows with a column ``labels`` and answers ``{"labels", ...}``, both lists of names, with 95 % intervals.

    Returns:
        `micro_f1` over all labels of all rows together; `macro_f1`, the mean over the labels that occur as truth;
        `subset_accuracy`, the share of rows whose labels are all right and none too many; `jaccard`, the mean over rows of
        the shared labels by all of both (1 where both have none); `mean_labels`, how many are given a row.
    """
    asked = [set(labels) for labels in truth["labels"]]
    given = [set(answer["labels"]) for answer in answers]
    names = sorted(set().union(*asked, *given))
    parts = [_hot(rows, names) for rows in (_shared(asked, given), asked, given)]
    rows = np.stack([_exact(asked, given), _jaccard(asked, given)], axis=1)

    sizes = np.array([[2 * len(one & other), len(one) + len(other), len(other), 1] for one, other in zip(asked, given, strict=True)])  # fmt: skip
    keep(ADDING, np.hstack([rows, sizes.astype(np.float64)]), _of_rows)

    def statistic(counts: Counts) -> Floats:
        num_right, num_true, num_given = (np.asarray(counts @ part, dtype=np.float64) for part in parts)  # (R, L) each
        both = num_true + num_given
        each = np.divide(2 * num_right, both, out=np.full(both.shape, np.nan), where=num_true > 0)
        num_rows = counts.sum(axis=1)
        means = counts @ rows / num_rows[:, None]
        micro = _ratio(2 * num_right.sum(axis=1), both.sum(axis=1))
        return np.stack([micro, _mean(each), means[:, 0], means[:, 1], num_given.sum(axis=1) / num_rows], axis=1)

    found = bootstrap(statistic, np.ones(len(asked), dtype=np.int64), seed=seed, names=METRICS)
    return dict(zip(METRICS, found, strict=True))


def per_label(truth: Sequence[Iterable[str]], given: Sequence[Iterable[str]]) -> list[ClassRow]:
    """One row a label that occurs as truth or was given, by name."""
    asked_sets, given_sets = [set(labels) for labels in truth], [set(labels) for labels in given]
    names = sorted(set().union(*asked_sets, *given_sets))
    right, true, claimed = (
        np.asarray(_hot(rows, names).sum(axis=0)).ravel().tolist()
        for rows in (_shared(asked_sets, given_sets), asked_sets, given_sets)
    )
    return [
        ClassRow(
            label=name,
            precision=round(one / claims, 6) if claims else 0.0,
            recall=round(one / support, 6) if support else 0.0,
            f1=round(2 * one / (claims + support), 6),
            support=int(support),
        )
        for name, one, support, claims in zip(names, right, true, claimed, strict=True)
    ]


def _of_rows(sums: Floats) -> Floats:
    """Sums (R, 6) of exact rows, Jaccard, twice the shared labels, labels of both, labels given, rows -> `ADDING` (R, 4)."""
    num_rows = np.maximum(sums[:, 5], 1)
    return np.stack(
        [_ratio(sums[:, 2], sums[:, 3]), sums[:, 0] / num_rows, sums[:, 1] / num_rows, sums[:, 4] / num_rows], axis=1
    )


def _shared(asked: Sequence[set[str]], given: Sequence[set[str]]) -> list[set[str]]:
    return [one & other for one, other in zip(asked, given, strict=True)]


def _exact(asked: Sequence[set[str]], given: Sequence[set[str]]) -> Floats:
    return np.asarray([one == other for one, other in zip(asked, given, strict=True)], dtype=np.float64)


def _jaccard(asked: Sequence[set[str]], given: Sequence[set[str]]) -> Floats:
    return np.asarray(
        [len(one & other) / len(one | other) if one | other else 1.0 for one, other in zip(asked, given, strict=True)]
    )


def _hot(rows: Sequence[set[str]], names: Sequence[str]) -> Any:
    """Sparse (N, L): 1 where the row has that label."""
    from scipy.sparse import csr_array

    place = {name: at for at, name in enumerate(names)}
    columns = [place[label] for labels in rows for label in sorted(labels)]
    ends = np.concatenate([[0], np.cumsum([len(labels) for labels in rows])])
    return csr_array((np.ones(len(columns), dtype=np.int64), columns, ends), shape=(len(rows), len(names)))


def _mean(each: Floats) -> Floats:
    """(R,) over the labels that a resample has; 0 where it has none."""
    num_known = np.maximum((~np.isnan(each)).sum(axis=1), 1)
    return np.asarray(np.nansum(each, axis=1) / num_known, dtype=np.float64)


def _ratio(above: Floats, below: Floats) -> Floats:
    found = np.ones(above.shape)
    np.divide(above, below, out=found, where=below > 0)
    return found
