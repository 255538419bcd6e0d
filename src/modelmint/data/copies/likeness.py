"""How alike two texts are: the Jaccard similarity of their distinct shingles, for many pairs at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from modelmint.data.copies.folding import Ints, ends_of, fold, spread
from modelmint.data.copies.shingles import Hashes, letter_shingles, sets

PAIR_HASHES = 1 << 20
"""About how many hashes are compared at a time."""

Floats = npt.NDArray[np.float64]


class ShingleSets:
    """The sets of shingles of N rows: on disk, where they are many, and their ends in memory."""

    def __init__(self, path: Path, num_threads: int = 1) -> None:
        self._path, self._file, self._lengths = path, path.open("wb"), list[npt.NDArray[np.int32]]()
        self._num_threads = num_threads
        self.ends: Ints = np.zeros(1, np.int64)
        self.hashes: Hashes = np.empty(0, np.uint32)

    def add(self, hashes: Hashes, lengths: Ints) -> None:
        """Append the sets of the next rows: all hashes, and how many each row has."""
        self._file.write(np.ascontiguousarray(hashes, np.uint32).tobytes())
        self._lengths.append(lengths.astype(np.int32))

    def close(self) -> None:
        """No more rows come: from here on sets can be compared."""
        self._file.close()
        self.ends = ends_of(np.concatenate([np.empty(0, np.int64), *self._lengths]))
        self._lengths = []
        if self.ends[-1]:
            self.hashes = np.memmap(self._path, np.uint32, "r")

    @property
    def sizes(self) -> Ints:
        return np.diff(self.ends)

    def jaccard(self, left: Ints, right: Ints, *, least: float = 0.0) -> Floats:
        """(M,) of each pair of rows; two rows without shingles are equal. Below `least` it may be given as 0."""
        size_left, size_right = self.sizes[left], self.sizes[right]
        alike = np.where((size_left == 0) & (size_right == 0), 1.0, 0.0)
        possible = np.minimum(size_left, size_right) >= least * np.maximum(size_left, size_right)
        wanted = np.flatnonzero(possible & (size_left > 0) & (size_right > 0))
        shares = list(_shares(wanted, (size_left + size_right)[wanted]))
        with ThreadPoolExecutor(self._num_threads) as pool:
            for some, both in zip(
                shares, pool.map(lambda one: self._shared(left[one], right[one]), shares), strict=True
            ):
                alike[some] = both / (size_left[some] + size_right[some] - both)
        return alike

    def _shared(self, left: Ints, right: Ints) -> Ints:
        """(M,) how many shingles each pair has in common."""
        one, other = self._matrix(left), self._matrix(right)
        shared: Ints = np.diff(one.multiply(other).indptr).astype(np.int64)
        return shared

    def _matrix(self, rows: Ints) -> "scipy.sparse.csr_matrix":  # type: ignore[name-defined]  # noqa: F821
        from scipy.sparse import csr_matrix

        starts, lengths = self.ends[rows], self.sizes[rows]
        columns = self.hashes[spread(starts, lengths)].astype(np.int64)
        made = csr_matrix(
            (np.ones(len(columns), np.bool_), columns, ends_of(lengths)), shape=(len(rows), 2**32), copy=False
        )
        # Of sets, so that none stands twice: scipy would add up such rows in arrays as wide as the matrix.
        made.has_canonical_format = True
        return made


def similarity(one: str, other: str) -> float:
    """Of two texts, by their shingles of letters."""
    hashes, ends = sets(*letter_shingles(fold([one, other])))
    left, right = set(hashes[: ends[1]].tolist()), set(hashes[ends[1] :].tolist())
    return len(left & right) / len(left | right) if left | right else float(one == other)


def _shares(places: Ints, sizes: Ints) -> Iterator[Ints]:
    """The places in shares of about `PAIR_HASHES` hashes."""
    share = np.cumsum(sizes) // PAIR_HASHES
    cuts = np.flatnonzero(np.diff(share)) + 1
    yield from (part for part in np.split(places, cuts) if len(part))
