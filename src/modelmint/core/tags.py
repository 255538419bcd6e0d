"""Tags of words: which may follow which, the entities that they make, and the answer for a row of words.

A tag ``I-X`` that goes on from no entity of type X begins one, as in the scorer of CoNLL-2003 (Tjong Kim Sang and De
Meulder, 2003; conlleval). It stands here because training, figures and serving must read tags alike.

Shapes: w words, l tags.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from modelmint.core.types import JSON

Floats: TypeAlias = npt.NDArray[np.float32]

OUTSIDE = "O"
_FIRST_IDEOGRAPH = "\u2e80"
_IDEOGRAPH = "[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]"
_LETTER = rf"(?:(?!{_IDEOGRAPH})\w)"
_WORD = re.compile(
    rf"{_IDEOGRAPH}|(?:[A-Za-z]\.){{2,}}|\d+(?:[.,:]\d+)*(?!{_LETTER})|{_LETTER}+(?:-{_LETTER}+)*|'s\b|[^\w\s]"
)
_TO_BIO = {"B": "B", "I": "I", "M": "I", "E": "I", "L": "I", "S": "B", "U": "B"}
"""BIOES, BMES and BILOU say the ends of entities as well."""


class Entity(NamedTuple):
    """Words `start` to `end` (exclusive) are one of this type."""

    type: str
    start: int
    end: int


def tagged(words: Sequence[str], scores_wl: Floats, tags: Sequence[str], *, are_entities: bool) -> JSON:
    """``{"tags": [...], "entities": [{"type", "start", "end", "text", "score"}]}`` of a row of words.

    `start` and `end` (exclusive) count words; `text` joins them, by spaces where they are no Chinese; `score` is the
    least probability of its tags.

    Args:
        scores_wl: logarithms of probabilities.
    """
    given, sure_w = decode(scores_wl, tags, are_entities=are_entities)
    return {
        "tags": given,
        "entities": [
            {
                "type": one.type,
                "start": one.start,
                "end": one.end,
                "text": _joined(words[one.start : one.end]),
                "score": round(float(sure_w[one.start : one.end].min()), 6),
            }
            for one in (entities(given) if are_entities else ())
        ],
    }


def unread(num_words: int, num_tags: int) -> Floats:
    """(w, l) the scores of words of which the model read no token: the first tag, `O`, for sure."""
    scores_wl = np.full((num_words, num_tags), -30.0, np.float32)
    scores_wl[:, 0] = 0.0
    return scores_wl


def in_letters(text: str, found: Sequence[JSON]) -> list[JSON]:
    """The same entities with `start` and `end` (exclusive) in letters of the text that their words are of."""
    places = [place for _, place in words_in(text)]
    return [
        {**one, "start": start, "end": end, "text": text[start:end]}
        for one in found
        for start, end in [(places[one["start"]][0], places[one["end"] - 1][1])]
    ]


def sureness(scores_wl: Floats, names: Sequence[str], given: Sequence[str]) -> Floats:
    """(w,) how probable each word's given tag is."""
    numbers = {name: at for at, name in enumerate(names)}
    return np.exp(scores_wl[np.arange(len(given)), [numbers[tag] for tag in given]])


def words_in(text: str) -> list[tuple[str, tuple[int, int]]]:
    """The words of a text, each with where it stands (the end exclusive): signs and ideographs each by themselves.

    Who cuts texts otherwise gives the words.
    """
    return [(found.group(), found.span()) for found in _WORD.finditer(text)]


def decode(scores_wl: Floats, tags: Sequence[str], *, are_entities: bool) -> tuple[list[str], Floats]:
    """The most probable tags that BIO allows, and how probable each is (w,). Source: Viterbi (1967)."""
    if not len(scores_wl):
        return [], np.zeros(0, np.float32)
    path = scores_wl.argmax(axis=1)
    allowed_ll, first_l = _allowed(tuple(tags))
    if are_entities and not (first_l[path[0]] and allowed_ll[path[:-1], path[1:]].all()):
        path = _viterbi(scores_wl, allowed_ll, first_l)
    return [tags[at] for at in path], np.exp(scores_wl[np.arange(len(path)), path])


def _viterbi(scores_wl: Floats, allowed_ll: npt.NDArray[np.bool_], first_l: npt.NDArray[np.bool_]) -> Any:
    penalty_ll = np.where(allowed_ll, 0.0, -1e6)
    total_l = scores_wl[0] + np.where(first_l, 0.0, -1e6)
    came_from: list[Any] = []
    for score_l in scores_wl[1:]:
        both_ll = total_l[:, None] + penalty_ll
        came_from.append(both_ll.argmax(axis=0))
        total_l = both_ll.max(axis=0) + score_l
    path = [int(total_l.argmax())]
    for back_l in reversed(came_from):
        path.append(int(back_l[path[-1]]))
    return np.array(path[::-1])


@lru_cache(maxsize=16)
def _allowed(tags: tuple[str, ...]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which tag may follow which (l, l), and which may begin (l,): I-X only after B-X or I-X."""
    follows = [
        [not two.startswith("I-") or (one[:2] in ("B-", "I-") and one[2:] == two[2:]) for two in tags] for one in tags
    ]
    return np.array(follows), np.array([not tag.startswith("I-") for tag in tags])


def _joined(words: Sequence[str]) -> str:
    return ("" if all(word >= _FIRST_IDEOGRAPH for word in words) else " ").join(words)


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of one row, in its order."""
    mended, _ = repaired(tags)
    found: list[Entity] = []
    for at, tag in enumerate(mended):
        if tag.startswith("B-"):
            found.append(Entity(tag[2:], at, at + 1))
        elif tag.startswith("I-"):
            found[-1] = found[-1]._replace(end=at + 1)
    return found


def repaired(tags: Sequence[str]) -> tuple[list[str], int]:
    """The tags as BIO, and how many ``I-X`` begin an entity that none began: they are ``B-X`` now.

    BIOES, BMES and BILOU are told by their letters and read as BIO, which says the same. What follows an ``E-``,
    ``L-``, ``S-`` or ``U-`` goes on from nothing.
    """
    mended: list[str] = []
    num_broken, open_type = 0, ""
    for tag in tags:
        letter, kind = _parts(tag)
        if not kind:
            mended.append(OUTSIDE if tag in (OUTSIDE, "") else tag)
            open_type = ""
            continue
        goes_on = _TO_BIO[letter] == "I"
        if goes_on and kind != open_type:
            num_broken, goes_on = num_broken + 1, False
        mended.append(f"{'I' if goes_on else 'B'}-{kind}")
        open_type = "" if letter in "ELSU" else kind
    return mended, num_broken


def has_entities(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the tags are those of entities: some have a prefix, and all that have none are ``O``."""
    tags = {tag for row in rows for tag in row}
    return any(_parts(tag)[1] for tag in tags) and all(_parts(tag)[1] or tag in (OUTSIDE, "") for tag in tags)


def _parts(tag: str) -> tuple[str, str]:
    letter, mark, kind = tag[:1], tag[1:2], tag[2:]
    return (letter, kind) if letter in _TO_BIO and mark in ("-", "_") and kind else ("", "")
