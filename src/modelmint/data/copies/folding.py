"""Texts as arrays of letters, without case, marks of punctuation and doubled spaces; no loop over letters in Python."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Letters = npt.NDArray[np.uint8] | npt.NDArray[np.uint32]

SPACE = 0x20
_DROPPED, _UNKNOWN = 0xFFFFFFFF, 0xFFFFFFFE
_DROPPED_ASCII = 0xFF
_APOSTROPHES = "'`\u2019\u02bc"
_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x31F0, 0x31FF),
             (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Folded:
    """N texts, one after the other, one space before and after each; a text without letters is empty."""

    letters: Letters
    """Code points: uint8 where all are ASCII."""
    ends: Ints
    """(N + 1,) where each text begins, and the end."""

    @property
    def lengths(self) -> Ints:
        return np.diff(self.ends)

    def take(self, places: Ints) -> "Folded":
        """The texts at these places."""
        lengths = self.lengths[places]
        return Folded(letters=self.letters[spread(self.ends[places], lengths)], ends=ends_of(lengths))


def fold(texts: Sequence[str]) -> Folded:
    """Fold each text: compatibility forms and case away, punctuation as a space, apostrophes and invisible marks gone."""
    ends = ends_of(np.fromiter(map(len, texts), np.int64, len(texts)))
    joined = "".join(texts)
    letters: Letters
    if joined.isascii():
        letters, dropped = np.frombuffer(joined.encode().translate(_ascii()), np.uint8), _DROPPED_ASCII
    else:
        letters, dropped = _looked_up(np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)), _DROPPED
    keep = letters != dropped
    if not keep.all():
        letters, ends = _kept(letters, ends, keep)
    return _padded(*_single_spaced(letters, ends))


def is_unspaced(letters: Letters) -> npt.NDArray[np.bool_]:
    """Which letters are of a script that sets no spaces between words: Chinese, Japanese, Thai, Lao, Burmese, Khmer."""
    found = np.zeros(len(letters), np.bool_)
    if letters.dtype != np.uint8:
        for low, high in _UNSPACED:
            found |= (letters >= low) & (letters <= high)
    return found


def ends_of(lengths: Ints) -> Ints:
    """(N + 1,) where runs of these lengths begin when laid one after the other, and the end."""
    ends = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    return ends


def spread(starts: Ints, lengths: Ints) -> Ints:
    """The places of runs that begin at `starts`, one run after the other."""
    ends = ends_of(lengths)
    return np.arange(ends[-1]) + np.repeat(starts - ends[:-1], lengths)


def _single_spaced(letters: Letters, ends: Ints) -> tuple[Letters, Ints]:
    """Without spaces at the ends of a text, and with one in place of several."""
    space = letters == SPACE
    keep = ~space
    keep[1:] |= ~space[:-1]  # the first space after a letter stays
    starts = ends[:-1][np.diff(ends) > 0]
    keep[starts] = ~space[starts]
    letters, ends = _kept(letters, ends, keep)
    last = ends[1:][np.diff(ends) > 0] - 1
    last = last[letters[last] == SPACE]
    if not len(last):
        return letters, ends
    keep = np.ones(len(letters), np.bool_)
    keep[last] = False
    return _kept(letters, ends, keep)


def _padded(letters: Letters, ends: Ints) -> Folded:
    lengths = np.diff(ends)
    wide = np.where(lengths > 0, lengths + 2, 0)
    padded = ends_of(wide)
    out = np.full(padded[-1], SPACE, letters.dtype)
    inside = np.ones(len(out), np.bool_)
    full = lengths > 0
    inside[padded[:-1][full]] = inside[padded[1:][full] - 1] = False
    out[inside] = letters
    return Folded(letters=out, ends=padded)


def _kept(letters: Letters, ends: Ints, keep: npt.NDArray[np.bool_]) -> tuple[Letters, Ints]:
    gone = np.flatnonzero(~keep)
    places = np.flatnonzero(keep)
    return letters.take(places), ends - np.searchsorted(gone, ends)


def _looked_up(letters: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Each letter as it is folded; one that is not known yet is looked up once."""
    table = _table()
    found = table.take(letters, mode="clip")
    unknown = found == _UNKNOWN
    if unknown.any():
        for code in set(letters[unknown].tolist()):
            table[code] = _folded(code)
        found = table.take(letters, mode="clip")
    return found


@cache
def _table() -> npt.NDArray[np.uint32]:
    return np.full(0x110000, _UNKNOWN, np.uint32)


@cache
def _ascii() -> bytes:
    return bytes(min(_folded(code), _DROPPED_ASCII) for code in range(128)) + bytes(128)


def _folded(code: int) -> int:
    letter = chr(code)
    kind = unicodedata.category(letter)
    if letter in _APOSTROPHES or kind == "Cf":
        return _DROPPED
    if kind[0] in "PZC":
        return SPACE
    same = unicodedata.normalize("NFKC", letter).casefold()
    return ord(same) if len(same) == 1 else ord(letter.lower()[0])
