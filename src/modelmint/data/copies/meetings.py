"""Bands on disk, one file each, and the rows that meet in them: the same hash in the same band.

Chance meetings are many among a million texts: most are told by the bits of the two sketches, before any text is looked at.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
import numpy.typing as npt

from modelmint.data.copies.folding import Ints, Mask
from modelmint.data.copies.minhash import Bits
from modelmint.data.copies.shingles import Hashes

Pairs = tuple[Ints, Ints]
"""(M,) and (M,): places of rows, the first below the second."""

NEAR_IN_BAND = 3
"""In a band each row is paired with as many that follow it, and with the first: so a group of g rows gives at most 4 g
pairs, not g²/2, and one of up to 4 rows all of its pairs."""


class BandFiles:
    """The bands of one kind of sketch. Use it as a context; not thread-safe."""

    def __init__(self, folder: Path, num_bands: int) -> None:
        folder.mkdir(parents=True)
        self._paths = [folder / f"{index:02d}.bands" for index in range(num_bands)]
        self._stack, self._rows, self._bits = ExitStack(), list[npt.NDArray[np.uint32]](), list[Bits]()
        self._files: list[IO[bytes]] = [self._stack.enter_context(path.open("wb")) for path in self._paths]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, keys: Hashes, bits: Bits, rows: Ints) -> None:
        """Append the bands, shape (num_bands, M), and bits, shape (M, 2), of the rows at these places, shape (M,)."""
        for file, band in zip(self._files, keys, strict=True):
            file.write(np.ascontiguousarray(band).tobytes())
        self._bits.append(bits)
        self._rows.append(rows.astype(np.uint32))

    def meet(self, among: Mask, most_apart: float, *, fixed_from: int | None = None) -> Mask:
        """Find the pairs of each band, once; they lie on disk then in place of the bands.

        Args:
            among: (N,) the rows that are looked at.
            most_apart: a pair of whose bits more differ is no pair.
            fixed_from: rows from this place on are not paired among themselves.

        Returns:
            (N,) the rows that are in a pair.
        """
        self._stack.close()
        rows = np.concatenate([np.empty(0, np.uint32), *self._rows])
        bits = np.concatenate([np.empty((0, 2), np.uint64), *self._bits])
        wanted, met = np.flatnonzero(among[rows]), np.zeros(len(among), np.bool_)
        rows, bits = rows[wanted], bits[wanted]
        self._rows, self._bits = [], []
        for path in self._paths:
            left, right = _pairs(_met(np.fromfile(path, np.uint32)[wanted]))
            apart = np.bitwise_count(bits[left] ^ bits[right]).sum(axis=1, dtype=np.int64)
            near = apart <= most_apart
            if fixed_from is not None:
                near &= rows[left] < fixed_from
            left, right = rows[left[near]], rows[right[near]]
            met[left] = met[right] = True
            np.stack([left, right]).tofile(path)
        return met

    def pairs(self) -> Iterator[Pairs]:
        """The pairs of each band, after `meet`."""
        for path in self._paths:
            left, right = np.fromfile(path, np.uint32).astype(np.int64).reshape(2, -1)
            yield left, right


def _met(key: Hashes) -> npt.NDArray[np.uint64]:
    """(M,) hash and place of those whose hash is there twice, sorted. A table of counts first leaves out most others."""
    bits = min(24, max(8, len(key).bit_length() + 2))
    slot = key >> np.uint32(32 - bits)
    left = np.flatnonzero(np.bincount(slot, minlength=1 << bits).take(slot, mode="clip") > 1)
    packed = np.sort((key[left].astype(np.uint64) << np.uint64(32)) | left.astype(np.uint64))
    if len(packed) < 2:
        return packed[:0]
    same = (packed[1:] >> np.uint64(32)) == (packed[:-1] >> np.uint64(32))
    met: npt.NDArray[np.uint64] = packed[np.append(same, False) | np.append(False, same)]
    return met


def _pairs(packed: npt.NDArray[np.uint64]) -> Pairs:
    """Of places; a place is below another where its row is."""
    key, row = packed >> np.uint64(32), (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)
    if not len(row):
        return row, row
    begins = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    first = np.repeat(begins, np.diff(np.append(begins, len(row))))
    beyond = np.flatnonzero(np.arange(len(row)) - first > NEAR_IN_BAND)
    left, right = [row[first[beyond]]], [row[beyond]]
    for gap in range(1, NEAR_IN_BAND + 1):
        at = np.flatnonzero(key[gap:] == key[:-gap])
        left.append(row[at])
        right.append(row[at + gap])
    return np.concatenate(left), np.concatenate(right)
