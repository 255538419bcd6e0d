"""Record linkage: which rows of a table are about one thing, though no field need be the same in both.

After Fellegi and Sunter (1969), without any labelled pair: rows that share a rare word in a field are compared field by
field; each field agrees at one of six levels; how often it does among pairs that are one, and among those that are not,
is found by expectation maximisation (Winkler 2000), and that a rare value agrees counts for more than a common one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelmint.core.stage import StageContext
from modelmint.data.copies.blocking import blocked
from modelmint.data.copies.fields import NUM_LEVELS, Field
from modelmint.data.copies.folding import Ints
from modelmint.data.copies.meetings import Pairs

Floats = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]

MAX_LEARNED_PAIRS = 500_000
"""By how many pairs the model is found; all of them are then judged."""
NUM_STEPS = 40
PRIOR_MATCH = np.array([0.02, 0.02, 0.03, 0.08, 0.15, 0.7])
"""How a field agrees among pairs that are one, before anything is known."""
RARITY = 0.5
"""How much a value's rarity counts: values of one record hang together, so not wholly."""
NOT_COMPARED = -5.0
"""The log odds of two records of which no rare word is shared."""


@dataclass(frozen=True, kw_only=True)
class Linked:
    """What was found of N records."""

    cluster: Ints
    """(N,) the place of the first record that is the same thing; its own where there is none before it."""
    num_compared: int
    certainties: list[int]
    """(20,) how many pairs that were compared are that sure to be one, from 0 to 1."""


def link(fields: Sequence[Field], ctx: StageContext, *, certainty: float, fixed_from: int | None = None) -> Linked:
    """Put records together that are one with at least this probability.

    Args:
        fields: of N records each, in one order.
        fixed_from: records from this place on are not compared among themselves.
    """
    num = fields[0].num_rows
    left, right = blocked(fields, fixed_from=fixed_from)
    ctx.say(0, 0, f"{len(left):,} pairs of records share a rare word")
    if not len(left):
        return Linked(cluster=np.arange(num), num_compared=0, certainties=[0] * 20)
    levels = np.stack([field.levels(left, right, ctx.check) for field in fields])
    odds = _odds(fields, levels, left, num, seed=ctx.seed)
    sure = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    return Linked(
        cluster=_grouped((left, right), odds, np.log(certainty / (1 - certainty)), num),
        num_compared=len(left),
        certainties=np.bincount(np.minimum((sure * 20).astype(np.int64), 19), minlength=20).tolist(),
    )


def _odds(fields: Sequence[Field], levels: Levels, left: Ints, num_rows: int, *, seed: int) -> Floats:
    """(M,) the log odds that each pair is one record."""
    drawn = np.random.Generator(np.random.PCG64(seed))
    chance = drawn.integers(0, num_rows, (2, min(50_000, 50 * num_rows)))
    chance = chance[:, chance[0] != chance[1]]
    unlike = np.stack([_shares(field.levels(*chance), None, 0.2) for field in fields])
    learned = np.arange(levels.shape[1])
    if len(learned) > MAX_LEARNED_PAIRS:
        learned = np.sort(drawn.choice(learned, MAX_LEARNED_PAIRS, replace=False))
    prior, match, miss = _learned(levels[:, learned], unlike)
    odds: Floats = _weighed(levels, np.log(match / miss)) + np.log(prior / (1 - prior))
    for field, level, rate in zip(fields, levels, miss, strict=True):
        equal = np.flatnonzero(level == NUM_LEVELS - 1)
        odds[equal] += RARITY * np.log(rate[-1] / field.shares[left[equal]])
    return odds


def _learned(levels: Levels, unlike: Floats) -> tuple[float, Floats, Floats]:
    """The share of pairs that are one, and how each field agrees among them, and among the others: (F, NUM_LEVELS)."""
    match, miss, prior = np.tile(PRIOR_MATCH, (len(levels), 1)), unlike.copy(), 0.05
    for _ in range(NUM_STEPS):
        odds: Floats = _weighed(levels, np.log(match / miss)) + np.log(prior / (1 - prior))
        sure = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
        prior = float(np.clip(sure.mean(), 1e-6, 0.9))
        match = np.stack([_shares(level, sure, 3.0 * PRIOR_MATCH) for level in levels])
        miss = np.stack([_shares(level, 1 - sure, 5.0 * rate) for level, rate in zip(levels, unlike, strict=True)])
    return prior, match, miss


def _shares(level: Levels, weight: Floats | None, more: Floats | float) -> Floats:
    there = level >= 0
    found = np.bincount(level[there], None if weight is None else weight[there], NUM_LEVELS) + more
    return np.asarray(found / found.sum())


def _weighed(levels: Levels, weights: Floats) -> Floats:
    """(M,) the sum over fields of the weight of the level; a field that is missing says nothing."""
    padded = np.concatenate([weights, np.zeros((len(weights), 1))], axis=1)  # level -1 is the last
    total = np.zeros(levels.shape[1])
    for level, weight in zip(levels, padded, strict=True):
        total += weight[level]
    return total


def _grouped(pairs: Pairs, odds: Floats, least: float, num_rows: int) -> Ints:
    """(N,) clusters by average linkage, the surest pairs first: two clusters join where their records are one on average.

    So one wrong pair does not chain two things together, as components of a graph would.
    """
    left, right = pairs
    order = np.lexsort((right, left, -odds))
    order = order[odds[order] >= least]
    near = set(left[order].tolist()) | set(right[order].tolist())
    some = np.flatnonzero(np.isin(left, list(near)) & np.isin(right, list(near)))
    known = dict(zip(zip(left[some].tolist(), right[some].tolist(), strict=True), odds[some].tolist(), strict=True))
    of, members = {row: row for row in near}, {row: [row] for row in near}
    for one, other in zip(left[order].tolist(), right[order].tolist(), strict=True):
        first, second = sorted((of[one], of[other]))
        if first == second:
            continue
        across = [known.get((min(a, b), max(a, b)), NOT_COMPARED) for a in members[first] for b in members[second]]
        if sum(across) / len(across) >= 0:
            members[first] += members.pop(second)
            of |= dict.fromkeys(members[first], first)
    cluster = np.arange(num_rows, dtype=np.int64)
    for rows in members.values():
        cluster[rows] = min(rows)
    return cluster
