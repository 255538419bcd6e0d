"""How the rows of labels are evened out: how many copies each row gets, which rows go, and what each label weighs."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

Balance = Literal["none", "oversample", "undersample", "weights"]
WeightRule = Literal["inverse", "effective"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What becomes of each of N rows."""

    kept: npt.NDArray[np.bool_]
    """(N,)"""
    copies: Ints
    """(N,) new rows that are made of each; 0 where it is not kept."""
    short: list[int]
    """Labels that stay short of their number, since no row gets more than `max_copies`."""


def plan(
    label: npt.NDArray[np.int32],
    draw: npt.NDArray[np.uint64],
    *,
    copies: int,
    balance: Balance,
    ratio: float,
    max_copies: int,
) -> Plan:
    """Which rows stay and how many new rows each of them gives.

    Args:
        label: (N,) a number a row, from 0 without gaps.
        draw: (N,) random numbers that the row's id and the seed give: by them rows are chosen, lowest first.
        copies: new rows of every row, before labels are evened out.
        ratio: oversampling brings every label to at least this share of the commonest one's rows; undersampling takes
            from the common ones until the rarest has at least this share of theirs.
    """
    counts = np.bincount(label)
    kept = np.ones(len(label), np.bool_)
    if balance == "undersample" and len(counts):
        kept = _rank(label, draw, counts) < max(1, int(counts.min() / ratio))
    given = np.where(kept, copies, 0).astype(np.int64)
    short: list[int] = []
    if balance == "oversample" and len(counts):
        wanted = np.maximum(np.ceil(ratio * counts.max() * (1 + copies)).astype(np.int64) - counts * (1 + copies), 0)
        whole, rest = wanted // counts, wanted % counts
        given += whole[label] + (_rank(label, draw, counts) < rest[label])
        short = np.flatnonzero(np.bincount(label, np.maximum(given - max_copies, 0))).tolist()
        given = np.minimum(given, max_copies)
    return Plan(kept=kept, copies=given, short=short)


def label_weights(counts: Ints, *, ratio: float, rule: WeightRule, beta: float) -> npt.NDArray[np.float64]:
    """(L,) what a row of each label weighs, 1 on average over all rows.

    Args:
        counts: (L,) rows of each label, at least one.
        ratio: labels are weighed up until each has this share of the heaviest one's total; 1 makes them equal
            (``balanced`` of scikit-learn), less is gentler.
        rule: ``inverse`` counts rows; ``effective`` their effective number (1 - beta^n) / (1 - beta), in which the
            thousandth row of a label adds less than its tenth (Cui et al. 2019).
    """
    sizes = counts.astype(np.float64)
    if rule == "effective":
        sizes = -np.expm1(sizes * np.log(beta)) / (1 - beta)
    raw = np.maximum(1.0, ratio * sizes.max() / sizes)
    return np.asarray(raw * counts.sum() / (raw * counts).sum())


def _rank(label: npt.NDArray[np.int32], draw: npt.NDArray[np.uint64], counts: Ints) -> Ints:
    """(N,) each row's place among those of its label, by `draw`."""
    order = np.lexsort((draw, label))
    rank = np.empty(len(label), np.int64)
    rank[order] = np.arange(len(label)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank
