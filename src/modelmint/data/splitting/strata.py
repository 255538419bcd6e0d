"""What a split keeps in proportion: the labels of rows, whatever form they have."""

from collections import Counter

import numpy as np
import numpy.typing as npt

from modelmint.core.forms import Form, names_in
from modelmint.data.index import RowIndex

Labels = npt.NDArray[np.int32]

NUM_BINS = 10
MIN_ROWS = 5
"""Sets of tags that fewer rows have are one stratum together."""


def has_classes(form: Form) -> bool:
    """Whether a row has one label of a small set."""
    return form.predicts == "class"


def strata(form: Form, rows: RowIndex, targets: npt.NDArray[np.float64] | None) -> Labels:
    """(N,) a number a row: its label; its tenth of the `targets` (N,) of a regression, which may be NaN; for tokens
    which kinds of tag its sentence has; of several labels the rarest; one for all where rows have no label.
    """
    if targets is not None:
        return _binned(targets)
    if form.task == "token-classification":
        return _kinds(rows)
    if form.predicts == "classes":
        return _rarest(rows)
    return rows.label if has_classes(form) else np.zeros_like(rows.label)


def label_counts(form: Form, rows: RowIndex, where: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Rows of each label among those of a mask (N,); for tokens the rows in which a kind of tag occurs; else nothing."""
    if has_classes(form):
        return rows.counts(where)
    if form.predicts not in ("tags", "classes"):
        return {}
    named = _kinds_in if form.predicts == "tags" else names_in
    found: Counter[str] = Counter()
    for label, count in rows.counts(where).items():
        for name in named(label):
            found[name] += count
    return dict(sorted(found.items()))


def _binned(targets: npt.NDArray[np.float64]) -> Labels:
    known = np.isfinite(targets)
    bins = np.zeros(len(targets), np.int32)
    if known.any():
        edges = np.unique(np.quantile(targets[known], np.linspace(0, 1, NUM_BINS + 1)[1:-1]))
        bins[known] = 1 + np.searchsorted(edges, targets[known], side="right")
    return np.unique(bins, return_inverse=True)[1].astype(np.int32)


def _kinds(rows: RowIndex) -> Labels:
    names = [" ".join(_kinds_in(tags)) for tags in rows.label_names]
    place = {name: at for at, name in enumerate(sorted(set(names)))}
    recode = np.array([place[name] for name in names], np.int32)
    kinds = recode[rows.label]
    rare = np.bincount(kinds, minlength=len(place)) < MIN_ROWS
    return np.where(rare[kinds], np.int32(len(place)), kinds).astype(np.int32)


def _rarest(rows: RowIndex) -> Labels:
    """Each row by the rarest of its labels, so that rare labels are spread; rows without are a stratum of their own."""
    counts: Counter[str] = Counter()
    for label, count in rows.counts().items():
        counts.update(dict.fromkeys(names_in(label), count))
    names = [min(names_in(label), key=lambda name: (counts[name], name), default="") for label in rows.label_names]
    place = {name: at for at, name in enumerate(sorted(set(names)))}
    return np.array([place[name] for name in names], np.int32)[rows.label]


def _kinds_in(tags: str) -> list[str]:
    """The kinds of the tags of a sentence, without B- and I-."""
    return sorted({tag.partition("-")[2] or tag for tag in tags.split()})
