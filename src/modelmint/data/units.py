"""Units: rows that must stay together, because they share a text or a group; and how to cut a set of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.data.text import mix

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


def join(fingerprint: npt.NDArray[np.uint64], groups: Ints | None) -> Units:
    """Units of rows with equal fingerprints or equal groups (-1: none), through any chain of them."""
    distinct, text = np.unique(fingerprint, return_inverse=True)
    if groups is None or not (groups >= 0).any():
        return Units(of_row=text.astype(np.int64), key=distinct)
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    grouped = groups >= 0
    num = len(distinct) + int(groups.max()) + 1
    edges = (np.ones(int(grouped.sum()), np.int8), (text[grouped], len(distinct) + groups[grouped]))
    num_units, component = connected_components(coo_matrix(edges, shape=(num, num)), directed=False)
    of_row = component[text].astype(np.int64)
    key = np.full(num_units, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(key, of_row, fingerprint)
    return Units(of_row=of_row, key=key)


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
