"""A field of a table as it is compared: words by which records meet, pieces of letters by which they are alike."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from modelmint.data.copies.folding import Folded, Ints, fold
from modelmint.data.copies.shingles import Hashes, letter_shingles, pair_shingles, sets, word_hashes
from modelmint.data.copies.sketches import fingerprints

EDGES = (0.25, 0.45, 0.65, 0.85)
"""Cosine similarities at which a field agrees at the next higher level; the highest level is the same text."""
NUM_LEVELS = len(EDGES) + 2
SHORT_LETTERS = 16
"""Fields that are shorter on average are compared by pairs of letters, longer ones by four in a row."""
COMPARED_AT_ONCE = 200_000
LEAST_DISTINCT = 0.1
LEAST_NAMES = 2
"""A table of records has at least so many fields that are names; one of measured values has none."""


class Field:
    """One column of N records; what is empty or has no letter is missing."""

    def __init__(self, name: str, texts: Sequence[str]) -> None:
        self.name = name
        self._folded: Folded = fold(texts)
        self._print = fingerprints(self._folded)

    @property
    def num_rows(self) -> int:
        return len(self._print)

    @property
    def lengths(self) -> Ints:
        return self._folded.lengths

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        missing: npt.NDArray[np.bool_] = self._folded.lengths == 0
        return missing

    @cached_property
    def words(self) -> tuple[Hashes, Ints]:
        """The distinct words of each record, and (N + 1,) where each record's begin."""
        return sets(*word_hashes(self._folded))

    @cached_property
    def shares(self) -> npt.NDArray[np.float64]:
        """(N,) the share of records that have the record's very text."""
        _, same, counts = np.unique(self._print, return_inverse=True, return_counts=True)
        return np.asarray(counts[same] / len(same))

    def levels(self, left: Ints, right: Ints, check: Callable[[], None] = lambda: None) -> npt.NDArray[np.int8]:
        """(M,) at which level each pair agrees, from 0 to `NUM_LEVELS` - 1; -1 where one is missing."""
        found = np.empty(len(left), np.int8)
        for start in range(0, len(left), COMPARED_AT_ONCE):
            check()
            one, other = (side[start : start + COMPARED_AT_ONCE] for side in (left, right))
            alike = np.asarray(self._pieces[one].multiply(self._pieces[other]).sum(axis=1)).ravel()
            level = np.searchsorted(EDGES, alike, "right").astype(np.int8)
            level[self._print[one] == self._print[other]] = NUM_LEVELS - 1
            level[self.missing[one] | self.missing[other]] = -1
            found[start : start + COMPARED_AT_ONCE] = level
        return found

    @cached_property
    def _pieces(self) -> "scipy.sparse.csr_matrix":  # type: ignore[name-defined]  # noqa: F821
        """(N, pieces) each record's pieces weighed by their rarity, of length 1: products are cosines."""
        from scipy.sparse import csr_matrix

        lengths = self._folded.lengths[~self.missing]
        short = not len(lengths) or lengths.mean() - 2 <= SHORT_LETTERS
        hashes, ends = sets(*(pair_shingles if short else letter_shingles)(self._folded))
        distinct, place = np.unique(hashes, return_inverse=True)
        weight = np.log((self.num_rows + 1) / np.bincount(place, minlength=len(distinct)))[place]
        square = np.append(0.0, np.cumsum(weight**2))
        length = np.sqrt(np.maximum(square[ends[1:]] - square[ends[:-1]], 1e-12))
        weight = weight / np.repeat(length, np.diff(ends))
        return csr_matrix((weight, place, ends), shape=(self.num_rows, max(len(distinct), 1)))

    @cached_property
    def distinct(self) -> float:
        """The share of different texts among those that are there."""
        there = self._print[~self.missing]
        return len(np.unique(there)) / max(len(there), 1)

    @property
    def is_name(self) -> bool:
        """Whether it holds words of letters that differ from record to record: a name, a title, an address."""
        letters = self._folded.letters
        alphabetic = (letters >= ord("a")) & ((letters <= ord("z")) | (letters > 0x7F))
        words = (self._folded.lengths > 0).sum()
        return bool(words) and self.distinct >= LEAST_DISTINCT and alphabetic.mean() > 0.5

    @property
    def is_constant(self) -> bool:
        there = self._print[~self.missing]
        return not len(there) or bool((there == there[0]).all())

    @property
    def is_key(self) -> bool:
        """Whether it is one word a record, never twice: it tells nothing of copies."""
        one_word = np.diff(self.words[1]) <= 1
        return self.distinct > 0.999 and bool(one_word.mean() > 0.99) and not self.is_name


def telling(fields: Sequence[Field]) -> list[Field]:
    """The fields that records are compared by: all but keys and constants, if two of them are names or the like."""
    names = [field for field in fields if field.is_name]
    several = [field for field in fields if not field.is_key and not field.is_constant]
    return several if len(names) >= LEAST_NAMES else []
