"""Metrics of tagged words: entities found whole, by the definition of CoNLL-2003, and BIO tags that are mended.

An entity is right when its type, its first word and its last word are. A tag ``I-X`` that goes on from no entity of
type X begins one, as in the shared task's own scorer (Tjong Kim Sang and De Meulder, 2003; conlleval).

Shapes: N rows, K numbers a row.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from modelmint.evaluation.significance import Figure, Floats
from modelmint.evaluation.sums import of_sums

OUTSIDE = "O"
_TO_BIO = {"B": "B", "I": "I", "M": "I", "E": "I", "L": "I", "S": "B", "U": "B"}
"""BIOES, BMES and BILOU say the ends of entities as well."""


class Entity(NamedTuple):
    """Words `start` to `end` (exclusive) are one of this type."""

    type: str
    start: int
    end: int


Entities: TypeAlias = Sequence[set[Entity]]


def measure(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of rows with a column ``tags`` and answers ``{"tags": [...]}``, one tag a word.

    Returns:
        ``f1``, ``precision``, ``recall`` over all entities, ``f1:X`` of each type X of the truth, and ``accuracy`` of
        single words; where the truth has no BIO tags (parts of speech, say), ``accuracy`` and ``row_accuracy``.
    """
    true = [list(tags or ()) for tags in truth["tags"]]
    told = [list(answer["tags"]) for answer in answers]
    words = np.array([[_num_equal(one, other), len(one)] for one, other in zip(true, told, strict=True)], float)
    if not has_entities(true):
        right = np.array([[float(one == other), 1.0] for one, other in zip(true, told, strict=True)])
        return of_sums(("accuracy", "row_accuracy"), np.hstack([words, right]), _shares, seed=seed)
    found, claimed = [set(entities(tags)) for tags in true], [set(entities(tags)) for tags in told]
    types = sorted({entity.type for row in found for entity in row})
    names = ("f1", "precision", "recall", *(f"f1:{name}" for name in types), "accuracy")
    numbers = np.hstack([counts(found, claimed, types), words])
    return of_sums(names, numbers, _combined, seed=seed)


def counts(truth: Entities, found: Entities, types: Sequence[str] = ()) -> Floats:
    """(N, 3 + 3 x types) per row entities that are right, found and true: of all types, then of each."""
    return np.array(
        [
            [
                number
                for chosen in (None, *types)
                for number in (
                    sum(chosen in (None, one.type) for one in true & told),
                    sum(chosen in (None, one.type) for one in told),
                    sum(chosen in (None, one.type) for one in true),
                )
            ]
            for true, told in zip(truth, found, strict=True)
        ],
        float,
    ).reshape(len(truth), 3 + 3 * len(types))


def f1_of(counts_3: Floats) -> float:
    """F1 of summed counts (3,) of right, found and true; 0 where there is nothing to find and nothing was found."""
    right, found, true = counts_3
    return float(2 * right / max(found + true, 1))


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


def _num_equal(truth: Sequence[str], told: Sequence[str]) -> int:
    return sum(one == other for one, other in zip(repaired(truth)[0], repaired(told)[0], strict=True))


def _combined(sums: Floats) -> Floats:
    """Sums (R, 3 + 3 x types + 2) -> F1, precision, recall, F1 of each type, accuracy (R, S)."""
    right, found, true = sums[:, 0:-2:3], sums[:, 1:-2:3], sums[:, 2:-2:3]
    f1 = 2 * right / np.maximum(found + true, 1)
    precision, recall = right[:, :1] / np.maximum(found[:, :1], 1), right[:, :1] / np.maximum(true[:, :1], 1)
    return np.hstack([f1[:, :1], precision, recall, f1[:, 1:], _shares(sums[:, -2:])])


def _shares(sums: Floats) -> Floats:
    return sums[:, 0::2] / np.maximum(sums[:, 1::2], 1)
