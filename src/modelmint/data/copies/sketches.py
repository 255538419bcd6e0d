"""Sketches: what each text is first compared by, a few hundred bytes in place of the text.

A text of few letters, or one of a script without spaces between words, is sketched by its shingles of letters, a longer
one by those of its words, which are fewer; one in between by both, so that near-copies always share a kind.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelmint.data.copies.folding import Folded, Ints, fold, is_unspaced
from modelmint.data.copies.minhash import Banding, banding, bands, bits, minima
from modelmint.data.copies.shingles import Hashes, letter_shingles, word_shingles

MOST_LETTERS = 280
"""Texts of more letters have a sketch by words."""
UNSPACED_SHARE = 0.25
"""From this share on of letters of a script without spaces, a text is compared by its letters at any length."""
SLACK = 0.7
"""How much shorter a near-copy may be: the width of what is in between."""
WORDS_LOWER_BY = 0.1
"""By how much two texts are less similar in words than in letters, where single letters differ."""


@dataclass(frozen=True, kw_only=True)
class Sketching:
    """How texts are sketched: the same in every process and on every machine."""

    similarity: float
    seed: int

    @property
    def by_letters(self) -> tuple[Banding, float]:
        """How letters are cut into bands, and the similarity that they are cut for."""
        return banding(self.similarity), self.similarity

    @property
    def by_words(self) -> tuple[Banding, float]:
        """How words are."""
        least = max(self.similarity - WORDS_LOWER_BY, 0.2)
        return banding(least), least


@dataclass(frozen=True, kw_only=True)
class Sketches:
    """Of N rows."""

    fingerprint: npt.NDArray[np.uint64]
    """(N,) equal for texts that fold to the same."""
    num_letters: Ints
    """(N,) of the folded texts; 0 where there is no letter, so nothing to compare by."""
    spaced: npt.NDArray[np.bool_]
    """(N,) whether words are set apart by spaces."""
    letters: Hashes
    """(num_bands + 4, M) the bands of those rows that are sketched `by_letters`, and under them their bits."""
    words: Hashes
    """(num_bands + 4, M) those of the rows that are sketched `by_words`."""

    @property
    def by_letters(self) -> npt.NDArray[np.bool_]:
        return (self.num_letters > 0) & (~self.spaced | (self.num_letters <= MOST_LETTERS))

    @property
    def by_words(self) -> npt.NDArray[np.bool_]:
        return self.spaced & (self.num_letters > MOST_LETTERS * SLACK)


def sketch(parts: Sequence[Sequence[str]], how: Sketching) -> Sketches:
    """Sketch rows of one or more texts each.

    Args:
        parts: of each row the first text, of each row the second, and so on. The hashes of a band are taken from all
            parts in turn, so that rows meet where each part is like its counterpart.
    """
    folded = [fold(texts) for texts in parts]
    num_letters: Ints = np.sum([part.lengths for part in folded], axis=0, dtype=np.int64)
    unspaced: Ints = np.sum([_num_unspaced(part) for part in folded], axis=0, dtype=np.int64)
    print_ = np.zeros(len(num_letters), np.uint64)
    for part in folded:
        print_ = _mixed(print_ * np.uint64(31) + fingerprints(part))
    for place in np.flatnonzero(num_letters == 0).tolist():
        raw = "\x1f".join(texts[place] for texts in parts).encode("utf-8", "surrogatepass")
        print_[place] = int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest())
    made = Sketches(
        fingerprint=print_,
        num_letters=num_letters,
        spaced=(num_letters > 0) & (unspaced < UNSPACED_SHARE * num_letters),
        letters=np.empty(0, np.uint32),
        words=np.empty(0, np.uint32),
    )
    letters, words = np.flatnonzero(made.by_letters), np.flatnonzero(made.by_words)
    return Sketches(
        fingerprint=print_,
        num_letters=num_letters,
        spaced=made.spaced,
        letters=_bands([letter_shingles(part) for part in _taken(folded, letters)], how.by_letters[0], how.seed),
        words=_bands([word_shingles(part) for part in _taken(folded, words)], how.by_words[0], how.seed),
    )


def fingerprints(folded: Folded) -> npt.NDArray[np.uint64]:
    """(N,) 64-bit digests of the folded texts: a sum over letters of a hash of each with its place."""
    place = np.arange(len(folded.letters), dtype=np.uint64)
    place -= np.repeat(folded.ends[:-1].astype(np.uint64), folded.lengths)
    total = np.zeros(len(folded.letters) + 1, np.uint64)
    np.cumsum(_mixed(folded.letters + place * np.uint64(0x9E3779B97F4A7C15)), out=total[1:])
    return np.asarray(total[folded.ends[1:]] - total[folded.ends[:-1]])


def _bands(shingles: Sequence[tuple[Hashes, Ints]], cut: Banding, seed: int) -> Hashes:
    num_hashes, num_parts = cut.num_bands * cut.num_rows, len(shingles)
    each = -(-num_hashes // num_parts)
    drawn = [minima(hashes, ends, each, seed=seed + at) for at, (hashes, ends) in enumerate(shingles)]
    mixed = drawn[0] if num_parts == 1 else np.stack(drawn, axis=1).reshape(each * num_parts, -1)
    mixed = mixed[:num_hashes]
    return np.concatenate([bands(mixed, cut), bits(mixed).view(np.uint32).T])


def _taken(folded: Sequence[Folded], places: Ints) -> list[Folded]:
    return [part if len(places) == len(part.lengths) else part.take(places) for part in folded]


def _num_unspaced(folded: Folded) -> Ints:
    if folded.letters.dtype == np.uint8:
        return np.zeros(len(folded.lengths), np.int64)
    total = np.zeros(len(folded.letters) + 1, np.int64)
    np.cumsum(is_unspaced(folded.letters), out=total[1:])
    return np.asarray(total[folded.ends[1:]] - total[folded.ends[:-1]])


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finaliser."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
    return values ^ (values >> np.uint64(31))
