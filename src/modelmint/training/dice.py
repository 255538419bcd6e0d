"""Random numbers of a row in an epoch, the same whatever stands beside it in its batch.

Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators (2014): SplitMix64.

Shapes: b rows, k numbers a row.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform(seed: int, numbers: Sequence[int], count: int) -> npt.NDArray[np.float32]:
    """(b, k) evenly from 0 to 1; `numbers` name the rows, and the epochs they are in."""
    with np.errstate(over="ignore"):
        rows_b = _mixed(np.asarray(numbers, dtype=np.uint64) + _mixed(np.uint64(seed % 2**64) + _GOLDEN))
        bits_bk = _mixed(rows_b[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)
    return np.asarray((bits_bk >> np.uint64(40)).astype(np.float32) / np.float32(2**24))


def _mixed(bits: npt.NDArray[np.uint64] | np.uint64) -> npt.NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return np.asarray(bits ^ (bits >> np.uint64(31)))
