"""Metrics of tagged words: entities found whole, by the definition of CoNLL-2003.

An entity is right when its type, its first word and its last word are (`core.tags`).

Shapes: N rows, K numbers a row.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from modelmint.core.tags import Entity, entities, has_entities, repaired
from modelmint.evaluation.significance import Figure, Floats
from modelmint.evaluation.sums import of_sums

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
