"""Small changes to a text that leave its meaning: words dropped and swapped, typing errors, punctuation.

After EDA (Wei and Zou 2019), without its synonyms, which need a dictionary and change meanings, and AEDA (Karimi et al.
2021), which inserts punctuation. Chinese is changed by characters.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

from pydantic import Field

from modelmint.core.spec import Spec

SENTENCE_MARKS = ",;:.!?"
HAN_MARKS = "，；：。！？"
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ffff]")
_KEPT = re.compile(r"[<\[{@#]|://|\d|n['’]t$", re.IGNORECASE)
_NEGATIONS = frozenset(["no", "not", "never", "none", "nor", "neither", "without", "cannot", "hardly", "barely"])
_HAN_NEGATIONS = frozenset("不没無无非未别勿莫否")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEIGHBOURS = {
    letter: "".join(
        other
        for down in (-1, 0, 1)
        if 0 <= line + down < 3
        for other in _ROWS[line + down][max(0, at - 1) : at + 2]
        if other != letter
    )
    for line, row in enumerate(_ROWS)
    for at, letter in enumerate(row)
}
"""Keys beside each other on a QWERTY keyboard."""


class TextEdits(Spec):
    """How copies of texts are changed. Each copy is changed in one of these ways, which the seed draws."""

    delete: float = Field(default=0.1, ge=0, le=0.5)
    """The share of the words (Chinese: characters) that are dropped; 0 never drops one."""
    swap: float = Field(default=0.1, ge=0, le=0.5)
    """The share of the words that change places with another; Chinese characters with their neighbour."""
    typos: float = Field(default=0.03, ge=0, le=0.5)
    """The share of the letters that are mistyped: a neighbour on the keyboard, left out, doubled or turned round with
    the next. Not for Chinese.
    """
    case: float = Field(default=0.0, ge=0, le=1)
    """The share of the words that are written in capitals or without any; says nothing to a base that ignores case."""
    punctuation: float = Field(default=0.1, ge=0, le=0.5)
    """The share of the gaps between words in which a mark is put; so many marks that are there are left out instead
    half of the time.
    """
    min_words: int = Field(default=4, ge=2)
    """Texts with fewer words (Chinese: characters) are left alone."""


Edit = Callable[[list[str], float, Random], list[str]]


def edit_text(text: str, edits: TextEdits, dice: Random) -> tuple[str, str] | None:
    """A changed text and the name of the change; None where nothing can be changed.

    Negations, numbers, addresses and placeholders such as ``<PHONE>`` are not dropped, moved or mistyped.
    """
    chinese = len(_HAN.findall(text)) * 3 > len(text.replace(" ", ""))
    pieces = list(text) if chinese else re.split(r"(\s+)", text)
    words = pieces if chinese else pieces[0::2]
    if sum(bool(word.strip()) for word in words) < edits.min_words:
        return None
    known = _HAN_EDITS if chinese else _WORD_EDITS
    names = [name for name in known if getattr(edits, name) > 0]
    for name in dice.sample(names, len(names)):
        changed = "".join(known[name](list(pieces), getattr(edits, name), dice)).strip()
        if changed and changed != text:
            return changed, name
    return None


def edit_tokens(
    tokens: Sequence[str], tags: Sequence[str], edits: TextEdits, dice: Random
) -> tuple[list[str], list[str], str] | None:
    """Changed tokens with their tags, and the name of the change: only tokens that belong to no entity are touched."""
    free = [at for at, tag in enumerate(tags) if tag == "O" and _is_free(tokens[at])]
    if len(tokens) < edits.min_words or not free:
        return None
    names = [name for name in ("delete", "swap", "typos") if getattr(edits, name) > 0]
    for name in dice.sample(names, len(names)):
        rate, new, kept = getattr(edits, name), list(tokens), list(range(len(tokens)))
        if name == "delete":
            # Between two entities a token stays: without it they could be read as one.
            loose = [at for at in free if "O" in (*tags[max(0, at - 1) : at], *tags[at + 1 : at + 2])]
            gone = set(dice.sample(loose, min(_some(rate, len(free)), len(loose), len(tokens) - 1)))
            kept = [at for at in kept if at not in gone]
        elif name == "swap" and len(free) > 1:
            for _ in range(_some(rate, len(free))):
                first, second = dice.sample(free, 2)
                new[first], new[second] = new[second], new[first]
        elif name == "typos":
            new = _mistyped(new, rate, dice, free)
        changed = [new[at] for at in kept]
        if changed != list(tokens):
            return changed, [tags[at] for at in kept], name
    return None


def _delete(pieces: list[str], rate: float, dice: Random) -> list[str]:
    places = [at for at in range(0, len(pieces), 2) if pieces[at] and _is_free(pieces[at])]
    gone = set(dice.sample(places, min(_some(rate, len(places)), max(len(places) - 1, 0))))
    gone |= {at - 1 if at == len(pieces) - 1 else at + 1 for at in gone}
    return [piece for at, piece in enumerate(pieces) if at not in gone]


def _swap(pieces: list[str], rate: float, dice: Random) -> list[str]:
    places = [at for at in range(0, len(pieces), 2) if pieces[at] and _is_free(pieces[at])]
    for _ in range(_some(rate, len(places)) if len(places) > 1 else 0):
        first, second = dice.sample(places, 2)
        pieces[first], pieces[second] = pieces[second], pieces[first]
    return pieces


def _typos(pieces: list[str], rate: float, dice: Random) -> list[str]:
    return _mistyped(pieces, rate, dice, [at for at in range(0, len(pieces), 2) if _is_free(pieces[at])])


def _mistyped(words: list[str], rate: float, dice: Random, free: Sequence[int]) -> list[str]:
    """Words with typing errors; a word of fewer than four letters, and every first letter, stays as it is."""
    places = [(at, place) for at in free if len(words[at]) > 3 for place in range(1, len(words[at]) - 1)]
    places = [(at, place) for at, place in places if words[at][place].isalpha()]
    wrong: dict[int, int] = dict(dice.sample(places, min(_some(rate, len(places)), len(places))))  # one in a word
    for at, place in sorted(wrong.items()):
        words[at] = _mistype(words[at], place, dice)
    return words


def _mistype(word: str, place: int, dice: Random) -> str:
    before, letter, after = word[:place], word[place], word[place + 1 :]
    near = NEIGHBOURS.get(letter.lower(), "")
    kind = dice.choice(["drop", "double", *(["near"] if near else []), *(["turn"] if after[0] != letter else [])])
    if kind == "near":
        other = dice.choice(near)
        return before + (other.upper() if letter.isupper() else other) + after
    return before + {"drop": "", "double": letter * 2, "turn": after[:1] + letter}[kind] + after[kind == "turn" :]


def _case(pieces: list[str], rate: float, dice: Random) -> list[str]:
    places = [at for at in range(0, len(pieces), 2) if pieces[at] and _is_free(pieces[at])]
    for at in dice.sample(places, min(_some(rate, len(places)), len(places))):
        pieces[at] = pieces[at].lower() if pieces[at] != pieces[at].lower() else pieces[at].upper()
    return pieces


def _punctuation(pieces: list[str], rate: float, dice: Random) -> list[str]:
    places = [at for at in range(0, len(pieces), 2) if pieces[at]]
    marked = [at for at in places if pieces[at][-1] in SENTENCE_MARKS and len(pieces[at]) > 1]
    if marked and dice.random() < 0.5:
        for at in dice.sample(marked, min(_some(rate, len(places)), len(marked))):
            pieces[at] = pieces[at].rstrip(SENTENCE_MARKS) or pieces[at]
        return pieces
    bare = [at for at in places if pieces[at][-1].isalnum()]
    for at in dice.sample(bare, min(_some(rate, len(places)), len(bare))):
        pieces[at] += dice.choice(SENTENCE_MARKS)
    return pieces


def _delete_han(signs: list[str], rate: float, dice: Random) -> list[str]:
    places = [at for at, sign in enumerate(signs) if _HAN.match(sign) and sign not in _HAN_NEGATIONS]
    gone = set(dice.sample(places, min(_some(rate, len(places)), max(len(places) - 1, 0))))
    return [sign for at, sign in enumerate(signs) if at not in gone]


def _swap_han(signs: list[str], rate: float, dice: Random) -> list[str]:
    """Neighbours: a reader hardly notices, while characters far apart would make other words."""
    places = [at for at in range(len(signs) - 1) if all(_is_movable(sign) for sign in signs[at : at + 2])]
    for at in dice.sample(places, min(_some(rate, len(places)), len(places))):
        signs[at], signs[at + 1] = signs[at + 1], signs[at]
    return signs


def _punctuation_han(signs: list[str], rate: float, dice: Random) -> list[str]:
    marks = [at for at, sign in enumerate(signs) if sign in HAN_MARKS]
    if marks and dice.random() < 0.5:
        gone = set(dice.sample(marks, min(_some(rate, len(signs)), len(marks))))
        return [sign for at, sign in enumerate(signs) if at not in gone]
    gaps = [at for at in range(len(signs) - 1) if _HAN.match(signs[at]) and _HAN.match(signs[at + 1])]
    for at in dice.sample(gaps, min(_some(rate, len(gaps)), len(gaps))):
        signs[at] += dice.choice(HAN_MARKS)
    return signs


def _is_free(word: str) -> bool:
    return not _KEPT.search(word) and word.strip(SENTENCE_MARKS).lower() not in _NEGATIONS


def _is_movable(sign: str) -> bool:
    return bool(_HAN.match(sign)) and sign not in _HAN_NEGATIONS


def _some(rate: float, num: int) -> int:
    """So many of `num`, at least one where there are any."""
    return max(1, round(rate * num)) if num else 0


_WORD_EDITS: dict[str, Edit] = {
    "delete": _delete,
    "swap": _swap,
    "typos": _typos,
    "case": _case,
    "punctuation": _punctuation,
}
_HAN_EDITS: dict[str, Edit] = {"delete": _delete_han, "swap": _swap_han, "punctuation": _punctuation_han}
