"""MinHash signatures and their bands (Broder 1997; banding after Leskovec, Rajaraman and Ullman, 3.4).

Two texts whose shingles have a Jaccard similarity of s share a band of r hashes with a chance of s^r, and one of b bands
with 1 - (1 - s^r)^b.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelmint.data.copies.folding import Ints
from modelmint.data.copies.shingles import Hashes, blocks, squared

Bits = npt.NDArray[np.uint64]

NUM_HASHES = 128
RECALL = 0.985
"""The chance that two texts just as similar as asked for share a band."""


@dataclass(frozen=True, kw_only=True)
class Banding:
    """`num_bands` bands of `num_rows` hashes each."""

    num_bands: int
    num_rows: int

    def chance(self, similarity: float) -> float:
        """That two texts of this similarity share a band."""
        return float(1 - (1 - similarity**self.num_rows) ** self.num_bands)

    def most_apart(self, similarity: float) -> float:
        """By how many bits two sketches differ at most, four standard deviations above what is expected.

        One bit of each hash: it is the same with a chance of (1 + s) / 2 (Li and König 2010, b-bit minwise hashing).
        """
        num, differ = self.num_bands * self.num_rows, (1 - similarity) / 2
        return float(num * differ + 4 * (num * differ * (1 - differ)) ** 0.5)


def banding(similarity: float) -> Banding:
    """The longest bands (so the fewest chance meetings) by which `RECALL` is kept."""
    for num_rows in range(12, 1, -1):
        found = Banding(num_bands=NUM_HASHES // num_rows, num_rows=num_rows)
        if found.chance(similarity) >= RECALL:
            return found
    return Banding(num_bands=NUM_HASHES, num_rows=1)


def minima(hashes: Hashes, ends: Ints, num_hashes: int, *, seed: int) -> Hashes:
    """(num_hashes, N) the least of each text's shingles under as many hash functions; the largest number without any."""
    factor, offset = _functions(num_hashes, seed)
    lengths = np.diff(ends)
    order = np.argsort(lengths, kind="stable")
    out = np.full((num_hashes, len(lengths)), np.iinfo(np.uint32).max, np.uint32)
    for rows in blocks(lengths[order]):
        at = order[rows]
        across = np.ascontiguousarray(squared(hashes, ends[at], lengths[at]).T)
        work, least = np.empty_like(across), np.empty((num_hashes, len(at)), np.uint32)
        for index in range(num_hashes):
            np.multiply(across, factor[index], out=work)
            work ^= offset[index]
            np.minimum.reduce(work, axis=0, out=least[index])
        out[:, at] = least
    return out


def bands(minima: Hashes, banding: Banding) -> Hashes:
    """(num_bands, N) one hash of the `num_rows` minima of each band."""
    rows = minima[: banding.num_bands * banding.num_rows].reshape(banding.num_bands, banding.num_rows, -1)
    key = np.full((banding.num_bands, rows.shape[2]), 0x9E3779B1, np.uint32)
    for row in range(banding.num_rows):
        key ^= rows[:, row]
        key *= np.uint32(0x85EBCA77)
        key ^= key >> np.uint32(13)
    key *= np.uint32(0xC2B2AE3D)
    return np.asarray(key ^ (key >> np.uint32(16)))


def bits(minima: Hashes) -> Bits:
    """(N, 2) the lowest bit of each of at most 128 minima."""
    packed = np.zeros((16, minima.shape[1]), np.uint8)
    lowest = np.packbits(minima.astype(np.uint8) & np.uint8(1), axis=0)
    packed[: len(lowest)] = lowest
    return np.ascontiguousarray(packed.T).view(np.uint64)


def _functions(num_hashes: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Odd factors and offsets: each pair permutes the 32-bit numbers."""
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, 2**32, (2, num_hashes), dtype=np.uint32)
    return drawn[0] | np.uint32(1), drawn[1]
