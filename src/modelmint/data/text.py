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


def tidy(text: str, *, mojibake: bool = False) -> str:
    """NFC, without control and zero-width characters, every run of white space one space, none at the ends.

    Args:
        mojibake: also mend text that was decoded with the wrong encoding ("cafÃ©"), as `ftfy` finds it.
    """
    if mojibake and not text.isascii():
        import ftfy

        text = str(ftfy.fix_encoding(text))
    visible = _INVISIBLE.sub("", text)
    if not visible.isascii():
        visible = unicodedata.normalize("NFC", _JOINER.sub("", visible))
    return " ".join(visible.split())


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
