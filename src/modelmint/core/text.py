"""What makes two texts the same: the tidy form that is stored, and the key by which duplicates and leaks are found."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff9-\ufffb]"
)
# Joiners shape Persian, Indic scripts and emoji: they go only where a neighbour is ASCII, Chinese or nothing.
_JOINER = re.compile(
    "(?<![^\x00-\x7f\u3000-\u9fff\uff00-\uffef])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f\u3000-\u9fff\uff00-\uffef])"
)

# All that ftfy's own, far slower, sign of mojibake can match: two such characters side by side, or one that it knows alone.
_MAY_BE_MOJIBAKE = re.compile("[\x80-\x9fŒœÂÃ]|[\x80-\u2fff\uf8ff\ufb00-\ufb06\ufffd]{2}")
_LINE_BREAK = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
_NO_BREAK_SPACE = re.compile("[\u00a0\u2000-\u200a\u202f\u205f]")
_MANY_BLANK_LINES = re.compile("\n{4,}")


def tidy(text: str, *, mojibake: bool = False) -> str:
    """NFC, without control and zero-width characters, every run of white space one space, none at the ends.

    Args:
        mojibake: also mend text that was decoded with the wrong encoding ("cafÃ©"), as `ftfy` finds it.
    """
    visible = without_invisible(mend_encoding(text) if mojibake else text)
    return one_line(visible if visible.isascii() else unicodedata.normalize("NFC", visible))


def mend_encoding(text: str) -> str:
    """Text that was decoded with the wrong encoding ("cafÃ©"), as `ftfy` finds and mends it."""
    if text.isascii() or not _MAY_BE_MOJIBAKE.search(text):
        return text
    import ftfy

    return str(ftfy.fix_encoding(text))


def without_invisible(text: str) -> str:
    """Without control, zero-width and direction characters; joiners stay where they shape letters or emoji."""
    # What is taken out is of the categories Cc and Cf, which are not printable.
    if text.isprintable() or ("\n" in text and text.replace("\n", " ").isprintable()):
        return text
    visible = _INVISIBLE.sub("", text)
    return visible if visible.isascii() else _JOINER.sub("", visible)


def one_line(text: str) -> str:
    """Every run of white space one space, none at the ends."""
    return " ".join(text.split())


def tidy_lines(text: str) -> str:
    """Line breaks and indentation kept, for code, verse and chats: ``\\n`` alone ends a line, no space ends one, at most
    two blank lines stand together, none at the ends.
    """
    lines = _LINE_BREAK.sub("\n", text)
    if not lines.isascii():
        lines = _NO_BREAK_SPACE.sub(" ", lines)
    return _MANY_BLANK_LINES.sub("\n\n\n", _without_trailing_space(lines)).strip("\n")


def _without_trailing_space(text: str) -> str:
    return "\n".join([line.rstrip(" \t\u3000") for line in text.split("\n")])


def same_text_key(text: str, *, casefold: bool = True) -> str:
    """Texts with an equal key count as the same: tidy, compatibility forms (full-width letters) and case folded."""
    tidied = tidy(text)
    if not tidied.isascii():
        tidied = " ".join(unicodedata.normalize("NFKC", tidied).split())
    return tidied.casefold() if casefold else tidied


def fingerprints(texts: Iterable[str], *, casefold: bool = True) -> npt.NDArray[np.uint64]:
    """64-bit digests of the texts' keys, shape (N,).

    Two different texts share one with a chance of N²/2^65: below one in a thousand for 100 million texts.
    """
    digests = b"".join(
        hashlib.blake2b(same_text_key(text, casefold=casefold).encode("utf-8", "replace"), digest_size=8).digest()
        for text in texts
    )
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def mix(values: npt.NDArray[Any], seed: int) -> npt.NDArray[np.uint64]:
    """Pseudo-random 64-bit numbers, each a function of its value and the seed alone (SplitMix64's finaliser)."""
    state = values.astype(np.uint64) ^ np.uint64(
        int.from_bytes(hashlib.blake2b(str(seed).encode(), digest_size=8).digest())
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(state ^ (state >> np.uint64(31)), dtype=np.uint64)
