"""Blocking: which pairs of records are worth comparing. Those that share a word in a field that few records have."""

from collections.abc import Sequence

import numpy as np

from modelmint.data.copies.fields import Field
from modelmint.data.copies.folding import Ints
from modelmint.data.copies.meetings import Pairs

MAX_SHARING = 40
"""A word that more records have in a field brings no two of them together."""
PAIRS_A_ROW, MAX_PAIRS = 60, 20_000_000


def blocked(fields: Sequence[Field], *, fixed_from: int | None = None) -> Pairs:
    """The pairs of records, the first below the second, in order, each once.

    Args:
        fixed_from: records from this place on are not paired among themselves.
    """
    num = fields[0].num_rows
    groups = [_groups(field) for field in fields]
    most = _most(groups, min(PAIRS_A_ROW * num + 10_000, MAX_PAIRS))
    found = [np.empty(0, np.int64)]
    for rows, starts in groups:
        found.append(_pairs(rows, starts, most, num, fixed_from))
    packed = np.sort(np.concatenate(found))
    packed = packed[np.append(True, packed[1:] != packed[:-1])] if len(packed) else packed
    return packed // num, packed % num


def _groups(field: Field) -> Pairs:
    """The records of each word, one word after the other, and where each word's begin, with the end."""
    words, ends = field.words
    row = np.repeat(np.arange(field.num_rows), np.diff(ends))
    order = np.lexsort((row, words))
    new = np.flatnonzero(np.append(True, np.diff(words[order]) != 0)) if len(words) else np.empty(0, np.int64)
    return row[order], np.append(new, len(row))


def _most(groups: Sequence[Pairs], budget: int) -> int:
    """How many records may share a word, so that there are not too many pairs in all."""
    sizes = np.concatenate([np.diff(starts) for _, starts in groups])
    sizes = sizes[sizes <= MAX_SHARING]
    each = np.bincount(sizes, minlength=MAX_SHARING + 1) * np.arange(MAX_SHARING + 1) * np.arange(-1, MAX_SHARING) // 2
    return int(np.searchsorted(np.cumsum(each), budget, "right")) - 1


def _pairs(rows: Ints, starts: Ints, most: int, num: int, fixed_from: int | None) -> Ints:
    """All pairs in groups of at most `most`, as first * num + second."""
    size = np.repeat(np.diff(starts), np.diff(starts))
    rest = np.repeat(starts[1:], np.diff(starts)) - np.arange(len(rows))  # records of the group from here on
    small = size <= most
    found = [np.empty(0, np.int64)]
    for gap in range(1, most):
        at = np.flatnonzero(small & (rest > gap))
        if fixed_from is not None:
            at = at[rows[at] < fixed_from]
        found.append(rows[at] * num + rows[at + gap])
    return np.concatenate(found)
