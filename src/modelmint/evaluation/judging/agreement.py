"""How far a judge's ratings agree with people's, and what they say of answers that no person rated.

Shapes: R resamples, K pairs of ratings, N rows.
"""

import math
from collections.abc import Sequence

import numpy as np

from modelmint.core.types import JSON
from modelmint.evaluation.significance import Counts, Figure, Floats, bootstrap

NORMAL_95 = 1.959964


def agreement(people: Sequence[int], judge: Sequence[int], scale: tuple[int, int], *, seed: int) -> dict[str, Figure]:
    """`kappa`, `same` and `bias` with their intervals, over rows that both rated; at least one.

    `kappa` is Cohen's, weighted by squared distance: 1 is perfect, 0 what chance gives. `same` is the share of equal
    ratings, `bias` by how much the judge rates higher.

    Source: Cohen, Psychological Bulletin 70 (1968).
    """
    low, size = scale[0], scale[1] - scale[0] + 1
    outcomes = np.zeros((size, size), dtype=np.int64)
    np.add.at(outcomes, (np.asarray(people) - low, np.asarray(judge) - low), 1)
    kappa, same, bias = bootstrap(lambda counts: _of_counts(counts, size), outcomes.ravel(), seed=seed)
    return {"kappa": kappa, "same": same, "bias": bias}


def corrected(judged: Sequence[int], people: Sequence[int], judge_of_people: Sequence[int]) -> Figure:
    """The mean rating that people would give, from the judge's over many answers and its errors on those they rated.

    It holds where the rated answers are like the judged ones. Its interval has both sources of chance in it.

    Source: Angelopoulos et al., Prediction-powered inference, Science 382 (2023).
    """
    errors = np.asarray(people, dtype=np.float64) - np.asarray(judge_of_people)
    given = np.asarray(judged, dtype=np.float64)
    value = float(given.mean() + errors.mean())
    half = NORMAL_95 * math.sqrt(given.var() / len(given) + errors.var() / len(errors))
    return Figure(value=round(value, 6), low=round(value - half, 6), high=round(value + half, 6), n=len(given))


def mean_rating(ratings: Sequence[int], *, seed: int) -> Figure:
    """The mean of the ratings as they were given."""
    values, counts = np.unique(np.asarray(ratings), return_counts=True)
    (figure,) = bootstrap(lambda drawn: (drawn @ values / drawn.sum(axis=1))[:, None], counts, seed=seed)
    return figure


def by_length(people: Sequence[int], judge: Sequence[int], lengths: Sequence[int]) -> list[JSON]:
    """By how much the judge rates higher than people the short, the middle and the long answers: does it like many words?"""
    order = np.argsort(np.asarray(lengths), kind="stable")
    errors = np.asarray(judge, dtype=np.float64) - np.asarray(people)
    return [
        {"answers": name, "num_rows": len(part), "bias": round(float(errors[part].mean()), 4)}
        for name, part in zip(("short", "middling", "long"), np.array_split(order, 3), strict=True)
        if len(part)
    ]


def _of_counts(counts_rk: Counts, size: int) -> Floats:
    shares = counts_rk.reshape(-1, size, size) / counts_rk.sum(axis=1)[:, None, None]
    places = np.arange(size)
    distance = (places[:, None] - places[None, :]) ** 2
    seen = (shares * distance).sum(axis=(1, 2))
    by_chance = (shares.sum(axis=2)[:, :, None] * shares.sum(axis=1)[:, None, :] * distance).sum(axis=(1, 2))
    kappa = 1 - np.divide(seen, by_chance, out=np.ones_like(seen), where=by_chance > 0)
    same = np.trace(shares, axis1=1, axis2=2)
    bias = (shares * (places[None, :] - places[:, None])).sum(axis=(1, 2))
    return np.stack([kappa, same, bias], axis=1)
