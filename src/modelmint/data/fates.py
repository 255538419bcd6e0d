"""What becomes of rows whose text is not theirs alone: kept, a duplicate, a leak or a conflict of labels."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modelmint.data.index import RowIndex

KEEP, DUPLICATE, LEAK, LABEL_CONFLICT = range(4)
REASONS = ("", "duplicate", "leak", "label_conflict")

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Fates:
    """For each of N rows what becomes of it, and the row that is the reason (itself when it is kept)."""

    fate: npt.NDArray[np.int8]
    because: Ints

    def counts(self) -> dict[str, int]:
        """Rows taken out by reason."""
        found = np.bincount(self.fate, minlength=len(REASONS))
        return {REASONS[code]: int(found[code]) for code in (DUPLICATE, LABEL_CONFLICT, LEAK) if found[code]}


def decide(
    rows: RowIndex,
    *,
    duplicates: Literal["drop", "keep"] = "drop",
    conflicts: Literal["drop", "majority", "keep"] = "drop",
) -> Fates:
    """Compare all rows.

    A row is a leak when an evaluation set above its own (test above validation above training) has its text. Duplicates
    and conflicts are looked for among training rows alone: an evaluation set stays as it was published.
    """
    num = len(rows)
    fate, because = np.full(num, KEEP, np.int8), np.arange(num, dtype=np.int64)
    if num == 0:
        return Fates(fate=fate, because=because)
    _, group = np.unique(rows.fingerprint, return_inverse=True)
    top = np.zeros(group.max() + 1, np.int8)
    np.maximum.at(top, group, rows.split)
    leak = rows.split < top[group]
    fate[leak], because[leak] = LEAK, _first(group, rows.split == top[group])[group[leak]]
    training = (rows.split == 0) & ~leak
    if conflicts != "keep":
        _mark_conflicts(rows, group, training, fate, because, majority=conflicts == "majority")
    if duplicates == "drop":
        left = training & (fate == KEEP)
        _, pair = np.unique(group.astype(np.int64) * len(rows.label_names) + rows.label, return_inverse=True)
        first = _first(pair, left)[pair]
        repeated = left & (first < np.arange(num))
        fate[repeated], because[repeated] = DUPLICATE, first[repeated]
    return Fates(fate=fate, because=because)


def conflicting(rows: RowIndex) -> tuple[npt.NDArray[np.bool_], Ints]:
    """Which rows have a text that another row has with another label; and each row's group of equal texts."""
    if len(rows) == 0:
        return np.zeros(0, np.bool_), np.zeros(0, np.int64)
    _, group = np.unique(rows.fingerprint, return_inverse=True)
    every = np.ones(len(rows), np.bool_)
    return _mixed(rows.label, group, every)[group], group.astype(np.int64)


def _mark_conflicts(rows: RowIndex, group: Any, training: Any, fate: Any, because: Any, *, majority: bool) -> None:
    """Mark training rows whose text has several labels; with `majority` those of a clear winner's label stay."""
    mixed = training & _mixed(rows.label, group, training)[group]
    if not mixed.any():
        return
    where = np.flatnonzero(mixed)
    first = _first(group, mixed)[group[where]]
    unlike = np.zeros_like(mixed)
    unlike[where] = rows.label[where] != rows.label[first]
    because[where] = np.where(unlike[where], first, _first(group, unlike)[group[where]])
    lost = mixed.copy()
    if majority:
        num_labels = len(rows.label_names)
        pairs, pair, votes = np.unique(
            group[where].astype(np.int64) * num_labels + rows.label[where], return_inverse=True, return_counts=True
        )
        best = np.zeros(group.max() + 1, np.int64)
        np.maximum.at(best, pairs // num_labels, votes)
        num_best = np.bincount(pairs[votes == best[pairs // num_labels]] // num_labels, minlength=len(best))
        wins = (votes == best[pairs // num_labels]) & (num_best[pairs // num_labels] == 1)
        lost[where[wins[pair]]] = False
    because[mixed & ~lost] = np.flatnonzero(mixed & ~lost)
    fate[lost] = LABEL_CONFLICT


def _mixed(label: Any, group: Any, among: Any) -> Any:
    """(G,) whether the rows `among` of a group have more than one label."""
    low = np.full(group.max() + 1, np.iinfo(np.int32).max, np.int32)
    high = np.full(group.max() + 1, -1, np.int32)
    np.minimum.at(low, group[among], label[among])
    np.maximum.at(high, group[among], label[among])
    return high > low


def _first(group: Any, among: Any) -> Ints:
    """(G,) the first row `among` those of each group; the number of rows where there is none."""
    first = np.full(group.max() + 1, len(group), np.int64)
    where = np.flatnonzero(among)
    np.minimum.at(first, group[where], where)
    return first
