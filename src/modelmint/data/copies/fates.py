"""What becomes of the rows of a cluster of near-copies."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from modelmint.data.copies.folding import Ints, Mask

KEEP, NEAR_DUPLICATE, NEAR_LEAK, NEAR_KNOWN, LABEL_CONFLICT = range(5)
REASONS = ("", "near_duplicate", "near_leak", "near_known", "label_conflict")
TEST, VALIDATION = 2, 1


@dataclass(frozen=True, kw_only=True)
class Copies:
    """N rows of the dataset, then M of what is known; the cluster of each, and what becomes of the N."""

    cluster: Ints
    """(N + M,) the place of the first row of a cluster."""
    size: Ints
    """(N + M,) how many rows the row's cluster has."""
    fate: npt.NDArray[np.int8]
    """(N,) a place in `REASONS`."""
    because: Ints
    """(N,) the place of the row that is the reason; its own where it is kept."""
    mixed: Mask
    """(N,) rows of training whose cluster has several labels."""
    straddling: Mask
    """(N,) validation rows that are near a test row of the dataset, and near no known one."""
    known: Mask
    """(N,) declared evaluation rows that are near a known one."""

    def counts(self) -> dict[str, int]:
        """Rows by reason."""
        found = np.bincount(self.fate, minlength=len(REASONS))
        return {name: int(found[code]) for code, name in enumerate(REASONS) if code and found[code]}

    @property
    def num_leaks(self) -> int:
        """Training rows near an evaluation row, validation rows near a test row, evaluation rows near a known one."""
        return int((self.fate == NEAR_LEAK).sum() + (self.straddling | self.known).sum())


def decide(
    cluster: Ints,
    split: npt.NDArray[np.int8],
    label: npt.NDArray[np.int32],
    num_letters: Ints,
    *,
    split_known: npt.NDArray[np.int8],
    keep: Literal["first", "longest"],
    conflicts: Literal["keep", "drop"],
) -> Copies:
    """Decide over all rows of clusters; only training rows are ever dropped.

    Args:
        cluster: (N + M,) the place of the first row of each row's cluster.
        split: (N,) 0 training, 1 validation, 2 test.
        label: (N,) rows of one cluster with different ones are no copies of each other.
        num_letters: (N + M,) by which the longest is found.
        split_known: (M,) of what is known; a training row near one of its evaluation rows leaks too.
    """
    num, places = len(split), np.arange(len(split), dtype=np.int64)
    ours = cluster[:num]
    size = np.bincount(cluster, minlength=len(cluster))[cluster]
    fate, because = np.full(num, KEEP, np.int8), places.copy()
    every = np.append(split, split_known)
    top, top_of_ours = np.zeros((2, len(cluster)), np.int8)
    np.maximum.at(top, cluster, every)
    np.maximum.at(top_of_ours, ours, split)
    first_known = _first(cluster, np.arange(len(cluster)) >= num)[ours]
    known, training = first_known < len(cluster), split == 0
    leak = training & (top[ours] > 0)
    fate[leak] = NEAR_LEAK
    because[leak] = _first(cluster, every == top[cluster])[ours[leak]]
    dropped = training & ~leak & known
    fate[dropped], because[dropped] = NEAR_KNOWN, first_known[dropped]
    left = training & (fate == KEEP)
    mixed = left & _mixed(ours, label, left)
    if conflicts == "drop":
        fate[mixed] = LABEL_CONFLICT
        because[mixed] = _other(ours, label, mixed)[mixed]
        left &= ~mixed
    kept = _kept(ours, label, left, num_letters[:num], longest=keep == "longest")
    repeated = left & (kept != places)
    fate[repeated], because[repeated] = NEAR_DUPLICATE, kept[repeated]
    return Copies(
        cluster=cluster,
        size=size,
        fate=fate,
        because=because,
        mixed=mixed,
        straddling=(split == VALIDATION) & (top_of_ours[ours] == TEST) & ~known,
        known=(split > 0) & known,
    )


def _kept(cluster: Ints, label: npt.NDArray[np.int32], left: Mask, num_letters: Ints, *, longest: bool) -> Ints:
    """(N,) the row that is kept of each row's cluster and label."""
    where = np.flatnonzero(left)
    by = (where, -num_letters[where]) if longest else (where,)
    order = where[np.lexsort((*by, label[where], cluster[where]))]
    new = np.append(True, (cluster[order][1:] != cluster[order][:-1]) | (label[order][1:] != label[order][:-1]))
    kept = np.arange(len(cluster), dtype=np.int64)
    kept[order] = order[np.maximum.accumulate(np.where(new[: len(order)], np.arange(len(order)), 0))]
    return kept


def _mixed(cluster: Ints, label: npt.NDArray[np.int32], among: Mask) -> Mask:
    """(N,) whether the rows `among` those of the row's cluster have several labels."""
    low = np.full(int(cluster.max(initial=-1)) + 1, np.iinfo(np.int32).max, np.int32)
    high = np.full_like(low, -1)
    np.minimum.at(low, cluster[among], label[among])
    np.maximum.at(high, cluster[among], label[among])
    return np.asarray((high > low)[cluster])


def _other(cluster: Ints, label: npt.NDArray[np.int32], among: Mask) -> Ints:
    """(N,) the first row `among` those of the row's cluster that has another label than it."""
    first = _first(cluster, among)
    unlike = among & (label != label[np.minimum(first[cluster], len(label) - 1)])
    return np.where(unlike, first[cluster], _first(cluster, unlike)[cluster])


def _first(cluster: Ints, among: Mask) -> Ints:
    """The first row `among` those of each cluster, by the cluster's number; the number of rows where there is none."""
    first = np.full(len(cluster), len(cluster), np.int64)
    where = np.flatnonzero(among)
    np.minimum.at(first, cluster[where], where)
    return first
