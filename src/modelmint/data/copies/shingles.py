"""Shingles: the overlapping pieces by which two texts are compared, as 32-bit hashes (Broder 1997).

Of letters: four in a row of the folded text, spaces counted, or two where one of the first two is of a script without
spaces between words (Chinese, Japanese, Thai). Of words: two in a row.
"""

import numpy as np
import numpy.typing as npt

from modelmint.data.copies.folding import SPACE, Folded, Ints, ends_of, is_unspaced, spread

Hashes = npt.NDArray[np.uint32]

NUM_LETTERS, NUM_UNSPACED = 4, 2
BLOCK = 1 << 16
"""About how many shingles are worked on at a time: they stay in the processor's cache."""


def letter_shingles(folded: Folded) -> tuple[Hashes, Ints]:
    """The shingles of letters of each text.

    Returns:
        The hashes of all texts, and (N + 1,) where each begins: as many as it has letters, some of them twice.
    """
    letters, num = folded.letters.astype(np.uint32), len(folded.letters)
    if num == 0:
        return letters, folded.ends
    pair = _mixed(letters, 0x9E3779B1)
    pair[:-1] += letters[1:]
    pair = _mixed(pair, 0x85EBCA77)
    four = pair.copy()
    four[:-2] += letters[2:]
    four = _mixed(four, 0xC2B2AE3D)
    four[:-3] += letters[3:]
    four = _mixed(four, 0x27D4EB2F)
    unspaced = is_unspaced(folded.letters)
    if unspaced.any():
        unspaced[:-1] |= unspaced[1:].copy()
        four = np.where(unspaced, pair, four)
    _close(four, folded, unspaced)
    return four, folded.ends


def pair_shingles(folded: Folded) -> tuple[Hashes, Ints]:
    """Two letters in a row, for short fields, as `letter_shingles`."""
    letters = folded.letters.astype(np.uint32)
    if not len(letters):
        return letters, folded.ends
    pair = _mixed(letters, 0x9E3779B1)
    pair[:-1] += letters[1:]
    pair = _mixed(pair, 0x85EBCA77)
    full = folded.lengths > 0
    pair[folded.ends[1:][full] - 1] = pair[folded.ends[:-1][full]]
    return pair, folded.ends


def word_shingles(folded: Folded) -> tuple[Hashes, Ints]:
    """Two words in a row, as `letter_shingles`; a text of one word has that word."""
    word, ends = word_hashes(folded)
    if not len(word):
        return word, ends
    two = _mixed(word, 0x27D4EB2F)
    two[:-1] += word[1:]
    two = _mixed(two, 0x165667B1)
    counts = np.diff(ends)
    two[ends[1:][counts > 0] - 1] = two[ends[:-1][counts > 0]]
    single = ends[:-1][counts == 1]
    two[single] = word[single]
    return two, ends


def word_hashes(folded: Folded) -> tuple[Hashes, Ints]:
    """The words of each text, and (N + 1,) where each text's begin."""
    letters, num = folded.letters, len(folded.letters)
    if num == 0:
        return np.empty(0, np.uint32), folded.ends
    space = np.flatnonzero(letters == SPACE)
    last = np.zeros(num, np.bool_)
    last[folded.ends[1:][folded.lengths > 0] - 1] = True
    begins = space[~last[space]]  # a word begins after each space but the last one of its text
    place = np.arange(num) - np.repeat(begins, np.diff(np.append(begins, num)))
    part = _mixed(letters.astype(np.uint32) + place.astype(np.uint32) * np.uint32(0x9E3779B1), 0x85EBCA77)
    part = _mixed(part, 0xC2B2AE3D)
    part[space] = 0
    return np.add.reduceat(part, begins, dtype=np.uint32), np.searchsorted(begins, folded.ends)


def sets(hashes: Hashes, ends: Ints) -> tuple[Hashes, Ints]:
    """The distinct hashes of each text in rising order, and (N + 1,) where each text begins."""
    lengths = np.diff(ends)
    order = np.argsort(lengths, kind="stable")
    distinct = np.zeros(len(lengths), np.int64)
    parts = []
    for rows in blocks(lengths[order]):
        at = order[rows]
        square = np.sort(squared(hashes, ends[at], lengths[at]), axis=1)
        new = np.ones(square.shape, np.bool_)
        new[:, 1:] = square[:, 1:] != square[:, :-1]
        distinct[at] = new.sum(axis=1)
        parts.append(square[new])
    flat = np.concatenate(parts) if parts else np.empty(0, np.uint32)
    where = np.empty(len(lengths), np.int64)
    where[order] = ends_of(distinct[order])[:-1]
    return flat[spread(where, distinct)], ends_of(distinct)


def squared(hashes: Hashes, starts: Ints, lengths: Ints) -> Hashes:
    """(N, L) the runs that begin at `starts` as rows of one length; the last hash of a run is repeated."""
    across = np.arange(int(lengths.max(initial=0)))
    return hashes.take(starts[:, None] + np.minimum(across, lengths[:, None] - 1), mode="clip")


def blocks(lengths: Ints) -> list[slice]:
    """Slices of rows, given in the order of their lengths, of about `BLOCK` hashes each; without the empty rows."""
    first, found = int(np.searchsorted(lengths, 1)), []
    while first < len(lengths):
        step = max(1, BLOCK // int(lengths[first]))
        step = max(1, min(step, BLOCK // int(lengths[min(first + step, len(lengths)) - 1])))
        found.append(slice(first, min(first + step, len(lengths))))
        first += step
    return found


def _close(hashes: Hashes, folded: Folded, unspaced: npt.NDArray[np.bool_]) -> None:
    """Give the pieces that would reach into the next text the hash of their own text's first one."""
    full = folded.lengths > 0
    starts, ends = folded.ends[:-1][full], folded.ends[1:][full]
    for back in range(1, NUM_LETTERS):
        place = ends - back
        over = (place >= starts) & ~(unspaced[np.maximum(place, 0)] & (back >= NUM_UNSPACED))
        hashes[place[over]] = hashes[starts[over]]


def _mixed(values: Hashes, factor: int) -> Hashes:
    mixed = values * np.uint32(factor)
    mixed ^= mixed >> np.uint32(15)
    return mixed
