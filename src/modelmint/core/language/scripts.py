"""Which script a text is written in, and simplified or traditional for Chinese."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

_RANGES = {
    "Cyrillic": "\u0400-\u052f\u1c80-\u1c8f",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Armenian": "\u0530-\u058f",
    "Hebrew": "\u0590-\u05ff",
    "Arabic": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    "Devanagari": "\u0900-\u0963\u0966-\u097f",
    "Bengali": "\u0980-\u09ff",
    "Gurmukhi": "\u0a00-\u0a7f",
    "Gujarati": "\u0a80-\u0aff",
    "Odia": "\u0b00-\u0b7f",
    "Tamil": "\u0b80-\u0bff",
    "Telugu": "\u0c00-\u0c7f",
    "Kannada": "\u0c80-\u0cff",
    "Malayalam": "\u0d00-\u0d7f",
    "Sinhala": "\u0d80-\u0dff",
    "Thai": "\u0e00-\u0e7f",
    "Lao": "\u0e80-\u0eff",
    "Tibetan": "\u0f00-\u0fff",
    "Burmese": "\u1000-\u109f",
    "Georgian": "\u10a0-\u10ff",
    "Ethiopic": "\u1200-\u139f",
    "Khmer": "\u1780-\u17ff",
    "Hangul": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "Kana": "\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9d",
}
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters, as a class of a regular expression."""

MAX_CHARS = 500
"""How much of a text tells simplified from traditional."""

_HAN = re.compile(f"[{HAN}]")
_LATIN = re.compile("[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff]")
_PATTERNS = {name: re.compile(f"[{ranges}]") for name, ranges in _RANGES.items()}
_OTHER = re.compile(f"[{''.join(_RANGES.values())}]")
_WIDE = {"Han": 3.0, "Kana": 2.0, "Hangul": 2.0}
"""A Chinese character says as much as some three letters."""
_MIN_KANA = 0.1  # of Han and kana: Japanese headlines have more, Chinese brand names have less


@dataclass(frozen=True, slots=True)
class Scripts:
    """The script with the most letters (a Chinese character counts as three), and its share of all letters."""

    main: str
    """Empty where there is no letter."""
    share: float

    @classmethod
    def of(cls, text: str) -> Self:
        num_latin = len(_LATIN.findall(text))
        if text.isascii():
            return cls("Latin" if num_latin else "", 1.0 if num_latin else 0.0)
        weights = {"Latin": float(num_latin), "Han": _WIDE["Han"] * len(_HAN.findall(text))}
        for name, pattern in _PATTERNS.items() if _OTHER.search(text) else ():
            if number := len(pattern.findall(text)):
                weights[name] = number * _WIDE.get(name, 1.0)
        if weights.get("Kana", 0.0) > _MIN_KANA * (weights["Han"] + weights.get("Kana", 0.0)):
            weights["Kana"] += weights.pop("Han")
        total = sum(weights.values())
        if not total:
            return cls("", 0.0)
        main = max(weights, key=lambda name: (weights[name], name))
        return cls(main, weights[main] / total)


def chinese_script(text: str) -> str:
    """``zh-Hans``, ``zh-Hant``, or ``zh`` where the characters are common to both (or of both alike)."""
    simplified = traditional = 0
    for letter in set(_HAN.findall(text[:MAX_CHARS])):
        kind = _kind(letter)
        simplified += kind > 0
        traditional += kind < 0
    if simplified == traditional:
        return "zh"
    return "zh-Hans" if simplified > traditional else "zh-Hant"


@lru_cache(maxsize=30_000)
def _kind(letter: str) -> int:
    """1 where GB 2312 has a character and Big5 has not, -1 the other way: the standards of the two scripts."""
    return _has("gb2312", letter) - _has("big5", letter)


def _has(encoding: str, letter: str) -> bool:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
