"""Which of the encodings from before Unicode a text is in: the one under which its letters are those that people write.

Nearly any bytes can be decoded by nearly any of them. What tells is how common the letters are that come out: an East
Asian standard has its everyday characters in rows of their own (GB 2312 rows 16 to 55, Big5 A4 to C6, JIS X 0208 rows 16
to 47), Japanese is half kana, Korean nearly all hangul, and Cyrillic stands in runs where accented letters stand alone.
"""

import codecs
import re
from collections.abc import Callable

_EVERYDAY = 0.9
_KANA_SHARE = 0.2
_PLAIN = re.compile("[\u2000-\u206f\u3000-\u303f\uff01-\uff65\ufe30-\ufe4f\u00b7]")
_KANA = re.compile("[\u3041-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_SMALL_CYRILLIC = re.compile("[\u0430-\u044f\u0451]")
_RUN = re.compile("[^\x00-\x7f]{2,}")
_LONG_RUN = re.compile("[^\x00-\x7f]{4,}")
_ALONE = re.compile(r"(?<![^\x00-\x7f])[^\x00-\x7f](?![^\x00-\x7f])")


def national_encoding(sample: bytes, *, whole: bool) -> str | None:
    """One of gb18030, big5, shift_jis, euc_jp, euc_kr (or Windows' larger form of it), cp1251 and cp1252.

    Args:
        whole: whether the sample ends where the file does, else its last letter may be cut.

    Returns:
        None where none of them decodes the sample.
    """
    scores: dict[str, float] = {}
    for name, wider, score in _EAST_ASIAN:
        found = next((one for one in (name, wider) if _decoded(sample, one, whole=whole) is not None), None)
        if found is not None:
            scores[found] = score([letter for letter in str(_decoded(sample, found, whole=whole)) if letter > "\x7f"])
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is not None and scores[best] >= _EVERYDAY:
        return best
    if scores.get("gb18030", 0.0) >= _EVERYDAY / 3 and _is_han(str(_decoded(sample, "gb18030", whole=whole))):
        return "gb18030"  # traditional characters or rare ones in the encoding of the mainland
    if (cyrillic := _decoded(sample, "cp1251", whole=whole)) is not None and _is_cyrillic(cyrillic):
        return "cp1251"
    western = _decoded(sample, "cp1252", whole=whole)
    return "cp1252" if western is not None and not _is_garbled(western) else None


def _decoded(sample: bytes, encoding: str, *, whole: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample, final=whole)
    except UnicodeDecodeError:
        return None


def _rows(letters: list[str], encoding: str, first: int, last: int) -> float:
    """The share of letters whose code in that standard begins with a byte from first to last; signs count as such."""
    common = 0
    for letter in letters:
        code = letter.encode(encoding, "ignore")
        common += (len(code) == 2 and first <= code[0] <= last) or _PLAIN.match(letter) is not None
    return common / max(len(letters), 1)


def _japanese(letters: list[str]) -> float:
    kana = sum(_KANA.match(letter) is not None for letter in letters)
    if kana < _KANA_SHARE * len(letters):
        return 0.0
    return (kana + _rows([one for one in letters if not _KANA.match(one)], "euc_jp", 0xB0, 0xCF) * (len(letters) - kana)) / max(len(letters), 1)  # fmt: skip


def _korean(letters: list[str]) -> float:
    return sum(bool(_HANGUL.match(one) or _PLAIN.match(one)) for one in letters) / max(len(letters), 1)


_EAST_ASIAN: tuple[tuple[str, str, Callable[[list[str]], float]], ...] = (
    ("shift_jis", "cp932", _japanese),
    ("euc_jp", "euc_jisx0213", _japanese),
    ("euc_kr", "cp949", _korean),
    ("big5", "cp950", lambda letters: _rows(letters, "big5", 0xA4, 0xC6)),
    ("gb18030", "gb18030", lambda letters: _rows(letters, "gb2312", 0xB0, 0xD7)),
)
"""Name, Windows' larger form, and how everyday its letters are; of equals the first is taken."""


def _is_han(text: str) -> bool:
    """Whether nearly all letters are Chinese and stand together: two accents in a word read as one Chinese character."""
    foreign = [letter for letter in text if letter > "\x7f"]
    common = sum("\u4e00" <= letter <= "\u9fff" or _PLAIN.match(letter) is not None for letter in foreign)
    return common * 10 >= len(foreign) * 8 and len(_ALONE.findall(text)) * 2 < len(foreign)


def _is_garbled(text: str) -> bool:
    """Whether most letters beyond ASCII stand in runs, which no western language writes."""
    return sum(map(len, _LONG_RUN.findall(text))) * 2 > sum(letter > "\x7f" for letter in text)


def _is_cyrillic(text: str) -> bool:
    foreign = sum(letter > "\x7f" for letter in text)
    in_runs = sum(map(len, _RUN.findall(text)))
    return in_runs * 10 >= foreign * 7 and len(_SMALL_CYRILLIC.findall(text)) * 10 >= foreign * 7
