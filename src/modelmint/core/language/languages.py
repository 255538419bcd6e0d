"""Which language a text is in: by its script where that is enough, else by py3langid; honest about short texts.

A script that one language alone is written in decides by itself (Hangul, Thai, Greek; Han with kana is Japanese). For
the others the naive Bayes model of py3langid (Lui and Baldwin 2011, retrained by Barbaresi on 140 languages; NumPy
arrays that are loaded without pickle) is run on many texts at once, over the languages of the script.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from modelmint.core.language.scripts import Scripts, chinese_script

UNKNOWN = "und"
"""BCP 47 for a text whose language cannot be told: too short, or of several."""
MIN_CONFIDENCE = 0.5
"""At this, of texts of 10 letters 97% were right, of 20 letters 99% (Multi30k, English and German)."""
CHUNK = 1024
MAX_CHARS = 2000
"""How much of a text is looked at."""

_NO_WORDS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\S+|[@#]\w+|<[^<>]{1,200}>|\[[A-Z_]+(?::\w+)?\]|[\d_]+")


def language_of(text: str) -> tuple[str, float]:
    """The language of one text as a BCP 47 tag, and how sure it is, 0 to 1; `UNKNOWN` below `MIN_CONFIDENCE`.

    Chinese is ``zh-Hans`` or ``zh-Hant`` where the characters tell, else ``zh``. Many texts: `languages_of`.
    """
    return languages_of([text])[0]


def languages_of(texts: Sequence[str]) -> list[tuple[str, float]]:
    """`language_of` for N texts, some 10 times as fast a text."""
    found: list[tuple[str, float]] = []
    for start in range(0, len(texts), CHUNK):
        found += _chunk(texts[start : start + CHUNK])
    return found


def detect(texts: Iterable[str]) -> dict[str, float]:
    """The share of each primary language (``en``, ``zh``, `UNKNOWN`), the largest first; empty for no texts."""
    counts: Counter[str] = Counter()
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == CHUNK:
            counts.update(primary(tag) for tag, _ in _chunk(chunk))
            chunk = []
    counts.update(primary(tag) for tag, _ in _chunk(chunk))
    total = counts.total()
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {name: round(count / total, 4) for name, count in ranked}


def primary(tag: str) -> str:
    """The language of a tag without script and region: ``zh`` of ``zh-Hans-CN``."""
    return tag.partition("-")[0].lower()


def is_one_of(tag: str, wanted: Iterable[str]) -> bool:
    """Whether a tag falls under one of those wanted: ``zh-Hans`` under ``zh``, and ``zh`` under ``zh-Hans``."""
    mine = tag.lower().split("-")
    return any(mine[: len(parts)] == parts[: len(mine)] for parts in (one.lower().split("-") for one in wanted))


def _chunk(texts: Sequence[str]) -> list[tuple[str, float]]:
    """By script; what a script leaves open goes to the model, all texts of one script at once."""
    found: list[tuple[str, float]] = [(UNKNOWN, 0.0)] * len(texts)
    open_texts: dict[str, list[tuple[int, str, float]]] = {}
    for at, text in enumerate(texts):
        words = _NO_WORDS.sub(" ", text[:MAX_CHARS])
        scripts = Scripts.of(words)
        if scripts.main in _OF_SCRIPT:
            found[at] = (_OF_SCRIPT[scripts.main], scripts.share)
        elif scripts.main == "Han":
            found[at] = (chinese_script(words), scripts.share)
        elif scripts.main:
            open_texts.setdefault(scripts.main, []).append((at, words, scripts.share))
    for script, waiting in open_texts.items():
        from modelmint.core.language.model import classify

        told = classify([words for _, words, _ in waiting], script)
        for (at, _, share), (tag, confidence) in zip(waiting, told, strict=True):
            found[at] = (tag, confidence * share)
    return [(tag, round(sure, 4)) if sure >= MIN_CONFIDENCE else (UNKNOWN, round(sure, 4)) for tag, sure in found]


_OF_SCRIPT = {
    "Kana": "ja", "Hangul": "ko", "Greek": "el", "Armenian": "hy", "Georgian": "ka", "Hebrew": "he", "Thai": "th",
    "Lao": "lo", "Khmer": "km", "Burmese": "my", "Tibetan": "bo", "Sinhala": "si", "Tamil": "ta", "Telugu": "te",
    "Kannada": "kn", "Malayalam": "ml", "Gujarati": "gu", "Gurmukhi": "pa", "Odia": "or", "Ethiopic": "am",
}  # fmt: skip
"""Scripts that (nearly) one language is written in."""
