"""Units: rows that must stay together, since they share a text, group or cluster; and how to cut and deal sets of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.core.text import mix

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Units:
    """The unit of each of N rows."""

    of_row: Ints
    """(N,) a number below `num`."""
    key: npt.NDArray[np.uint64]
    """(num,) what a unit is drawn by: its smallest fingerprint, whatever the order of the rows."""

    @property
    def num(self) -> int:
        return len(self.key)

    def highest(self, values: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """(N,) for each row the highest value in its unit."""
        top = np.full(self.num, np.iinfo(np.int8).min, np.int8)
        np.maximum.at(top, self.of_row, values)
        return np.asarray(top[self.of_row])


def join(fingerprint: npt.NDArray[np.uint64], *keys: Ints | None) -> Units:
    """Units of rows with equal fingerprints or an equal key, through any chain of them.

    Args:
        keys: (N,) each, a number a row for its group, its cluster of near-copies and the like; -1 is none.
    """
    distinct, text = np.unique(fingerprint, return_inverse=True)
    given = [key for key in keys if key is not None and (key >= 0).any()]
    if not given:
        return Units(of_row=text.astype(np.int64), key=distinct)
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    starts, ends, num = [], [], len(distinct)
    for key in given:
        starts.append(text[key >= 0])
        ends.append(num + key[key >= 0])
        num += int(key.max()) + 1
    start, end = np.concatenate(starts), np.concatenate(ends)
    graph = coo_matrix((np.ones(len(start), np.int8), (start, end)), shape=(num, num))
    num_units, component = connected_components(graph, directed=False)
    of_row = component[text].astype(np.int64)
    smallest = np.full(num_units, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, of_row, fingerprint)
    return Units(of_row=of_row, key=smallest)


def cut(units: Units, label: npt.NDArray[np.int32], free: Mask, num_wanted: int, *, seed: int) -> Mask:
    """Choose about `num_wanted` of the free rows, whole units at a time, each label's share of them.

    Units are drawn within their commonest label in a random order that the seed and their texts give. Each label keeps
    at least one unit back; a unit that is larger than its label's share is drawn last.

    Returns:
        (N,) the rows chosen.
    """
    chosen = np.zeros(len(label), np.bool_)
    if num_wanted <= 0 or not free.any():
        return chosen
    num_labels = int(label.max()) + 1
    size = np.bincount(units.of_row[free], minlength=units.num)
    stratum = _commonest(units, label, free, num_labels)
    quota = _quotas(np.bincount(stratum[stratum >= 0], size[stratum >= 0], num_labels), num_wanted)
    drawn = np.flatnonzero(stratum >= 0)
    oversize = size[drawn] > quota[stratum[drawn]]
    order = drawn[np.lexsort((units.key[drawn], mix(units.key[drawn], seed), oversize, stratum[drawn]))]
    ends = np.flatnonzero(np.diff(stratum[order], append=-1))  # the last unit of each label: kept back
    total = np.cumsum(size[order])
    before_label = np.repeat(np.concatenate([[0], total[ends[:-1]]]), np.diff(ends, prepend=-1))
    before = total - size[order] - before_label
    taken = before + (size[order] + 1) // 2 <= quota[stratum[order]]
    taken[ends] = False
    wanted = np.zeros(units.num, np.bool_)
    wanted[order[taken]] = True
    chosen[free] = wanted[units.of_row[free]]
    return chosen


def deal(units: Units, label: npt.NDArray[np.int32], num_folds: int, *, seed: int) -> npt.NDArray[np.int16]:
    """Deal all rows into folds of nearly equal size, whole units at a time, each with its share of every label.

    Label by label (a unit's is its commonest): units of several rows go, the largest first, to the fold that has the
    fewest rows of that label; single rows then fill the folds up to one level. What is left over goes to the fold with
    the fewest rows of all. Equals are ordered by the seed and their texts, so the order of the rows does not matter.

    Returns:
        (N,) the fold of each row, 0 to `num_folds` - 1.
    """
    num_labels = int(label.max()) + 1
    size = np.bincount(units.of_row, minlength=units.num)
    stratum = _commonest(units, label, np.ones(len(label), np.bool_), num_labels)
    order = np.lexsort((units.key, mix(units.key, seed), -size, stratum))
    fold, total = np.zeros(units.num, np.int16), np.zeros(num_folds, np.int64)
    for members in np.split(order, np.flatnonzero(np.diff(stratum[order])) + 1):
        here, sizes = np.zeros(num_folds, np.int64), size[members]
        num_large = int((sizes > 1).sum())
        for unit, num_rows in zip(members[:num_large].tolist(), sizes[:num_large].tolist(), strict=True):
            least = int(np.lexsort((total, here))[0])
            fold[unit] = least
            here[least] += num_rows
            total[least] += num_rows
        poured = _levelled(here, total, len(members) - num_large)
        fold[members[num_large:]] = np.repeat(np.arange(num_folds), poured)
        total += poured
    return np.asarray(fold[units.of_row])


def _levelled(here: Ints, total: Ints, num: int) -> Ints:
    """(F,) how many of `num` single rows each fold gets so that its rows of a label, `here`, become as equal as can be."""
    order = np.lexsort((total, here))
    heights = here[order]
    room = heights * np.arange(1, len(heights) + 1) - np.cumsum(heights)  # rows that lift all before to this height
    num_lifted = int(np.searchsorted(room, num, side="right"))
    level, over = divmod(num + int(heights[:num_lifted].sum()), num_lifted)
    poured = np.zeros(len(here), np.int64)
    lifted = order[:num_lifted]
    poured[lifted] = level - here[lifted]
    poured[lifted[np.argsort(total[lifted] + poured[lifted], kind="stable")[:over]]] += 1
    return poured


def _commonest(units: Units, label: npt.NDArray[np.int32], free: Mask, num_labels: int) -> Ints:
    """(num,) the commonest label of each unit's free rows, the first by name among equals; -1 where it has none."""
    pairs, votes = np.unique(units.of_row[free] * num_labels + label[free], return_counts=True)
    order = np.lexsort((-(pairs % num_labels), votes))  # the last one written wins: most votes, then the first label
    commonest = np.full(units.num, -1, np.int64)
    commonest[pairs[order] // num_labels] = pairs[order] % num_labels
    return commonest


def _quotas(num_rows: npt.NDArray[Any], num_wanted: int) -> Ints:
    """(L,) how many rows each label gives, in proportion, by largest remainder; together at most `num_wanted`."""
    exact = num_rows * min(num_wanted / max(num_rows.sum(), 1), 1)
    quota: Ints = np.floor(exact).astype(np.int64)
    left = min(num_wanted, int(num_rows.sum())) - int(quota.sum())
    order = np.lexsort((np.arange(len(exact)), -(exact - quota)))
    quota[order[:left]] += 1
    return quota
