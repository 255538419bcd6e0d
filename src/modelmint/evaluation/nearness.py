"""When two models find the same: the same nearest text, the same document first in a list.

Shapes: n texts or pairs, d width of a vector, c texts that may be found.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

NEAR = 0.01
"""Of two texts whose cosines with a third are no farther apart than this, either is its nearest; of two documents whose
scores are, either is first.
"""
CHUNK_NUMBERS = 8_000_000


def same_nearest(one_nd: Floats, other_nd: Floats, corpus: Sequence[int], *, near: float = NEAR) -> Bools:
    """(n,) whether the text that is nearest by `other` is nearest by `one` too, but for `near` in its cosine.

    Args:
        one_nd, other_nd: vectors of the same texts by two models, NaN where there is none.
        corpus: the places of the texts that may be found; none finds itself.
    """
    places = np.asarray(corpus, np.int64)
    known_n = np.isfinite(one_nd).all(axis=1) & np.isfinite(other_nd).all(axis=1)
    mine_nd, theirs_nd = unit(one_nd), unit(other_nd)
    same_n = np.zeros(len(one_nd), bool)
    step = max(1, CHUNK_NUMBERS // max(len(places), 1))
    for start in range(0, len(one_nd), step):
        asked = np.arange(start, min(start + step, len(one_nd)))
        itself = asked[:, None] == places[None, :]
        theirs_nc = np.where(itself, -np.inf, theirs_nd[asked] @ theirs_nd[places].T)
        mine_nc = np.where(itself, -np.inf, mine_nd[asked] @ mine_nd[places].T)
        found_n = theirs_nc.argmax(axis=1)
        same_n[asked] = np.take_along_axis(mine_nc, found_n[:, None], axis=1)[:, 0] >= mine_nc.max(axis=1) - near
    return same_n & known_n


def nearest(vectors_nd: Floats, corpus: Sequence[int]) -> npt.NDArray[np.int64]:
    """(n,) the place of the nearest text of those that may be found, which is not the text itself."""
    places, unit_nd = np.asarray(corpus, np.int64), unit(vectors_nd)
    found_n = np.zeros(len(vectors_nd), np.int64)
    step = max(1, CHUNK_NUMBERS // max(len(places), 1))
    for start in range(0, len(vectors_nd), step):
        asked = np.arange(start, min(start + step, len(vectors_nd)))
        scores_nc = np.where(asked[:, None] == places[None, :], -np.inf, unit_nd[asked] @ unit_nd[places].T)
        found_n[asked] = places[scores_nc.argmax(axis=1)]
    return found_n


def same_first(one_n: Floats, other_n: Floats, lists: Sequence[int]) -> Bools:
    """(n,) of each pair whether the first of its list by the scores of `other` is first by those of `one` too, but for `NEAR`."""
    same_n = np.zeros(len(one_n), bool)
    if not len(one_n):
        return same_n
    numbers = np.asarray(lists, np.int64)
    order = np.argsort(numbers, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
        mine, theirs = one_n[places], other_n[places]
        known = np.isfinite(mine).all() and np.isfinite(theirs).all()
        same_n[places] = bool(known and mine[theirs.argmax()] >= mine.max() - NEAR)
    return same_n


def unit(vectors_nd: Floats) -> Floats:
    """Vectors at length 1; a vector of zeros stays one, one that is not known becomes one."""
    known = np.nan_to_num(vectors_nd, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(known / np.maximum(np.linalg.norm(known, axis=1, keepdims=True), 1e-12))
