"""Figures that add up over rows: from the same sums come slices, tests between groups, and what each row is worth.

Shape legend: N rows that count, K numbers a row, R sets of sums, S figures.

How sure a figure of some rows is follows from its influence values: how much each row moves it, by the derivative of the
figure in its sums (the infinitesimal jackknife). For a mean they are the deviations from it, and the test below is
Welch's; a share is tested by Fisher's exact test.

Sources: Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982), chapter 6; Welch, Biometrika 34 (1947);
Fisher, The Design of Experiments (1935).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from modelmint.evaluation.significance import Figure, Floats, bootstrap, exact_interval

Mask: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]

MAX_RESAMPLES, MIN_RESAMPLES, MAX_DRAWN = 1_000, 200, 20_000_000
"""A slice is resampled less often where it has many rows: its interval hardly moves then."""
STEP = 1e-3
"""Of a column's length: how far its sum is moved for a derivative."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """Figures `names` (S) as `combine` makes them of sums (R, K) -> (R, S).

    `rows` (N,) says which row of the test set each counts for: a query, say, that several rows share.
    """

    names: tuple[str, ...]
    numbers_nk: Floats
    combine: Callable[[Floats], Floats]
    rows: Ints

    def among(self, mask: Mask) -> "Sums":
        """Those of the rows of the test set that are in the mask."""
        kept = mask[self.rows]
        return Sums(names=self.names, numbers_nk=self.numbers_nk[kept], combine=self.combine, rows=self.rows[kept])

    def each(self, name: str) -> Floats:
        """(N,) the figure of each row alone."""
        return np.asarray(self.combine(self.numbers_nk)[:, self.names.index(name)], np.float64)

    def value(self, name: str) -> float:
        """The figure of all these rows; NaN for none."""
        if not len(self.numbers_nk):
            return math.nan
        return float(self.combine(self.numbers_nk.sum(axis=0)[None, :])[0, self.names.index(name)])

    def is_share(self, name: str) -> bool:
        """Whether it is a share of rows: each row is right or wrong, and the figure is their mean."""
        each = self.each(name)
        return bool(np.isin(each, (0.0, 1.0)).all()) and math.isclose(
            float(each.mean()), self.value(name), abs_tol=1e-9
        )

    def figure(self, name: str, *, seed: int) -> Figure:
        """With its bootstrap interval; a share that is 0 or 1 has the exact one. At least one row."""
        distinct, counts = np.unique(self.numbers_nk, axis=0, return_counts=True)
        at, num_rows = self.names.index(name), len(self.numbers_nk)
        found = bootstrap(
            lambda drawn: self.combine(drawn @ distinct)[:, at : at + 1],
            np.asarray(counts, np.int64),
            seed=seed,
            num_resamples=max(MIN_RESAMPLES, min(MAX_RESAMPLES, MAX_DRAWN // max(num_rows, 1))),
        )[0]
        if found["value"] in (0.0, 1.0) and self.is_share(name):
            found["low"], found["high"] = exact_interval(round(found["value"] * num_rows), num_rows)
        return found

    def influence(self, name: str) -> Floats:
        """(N,) how far the figure would move for each row's being there once more; their squares' sum is its variance."""
        total, at = self.numbers_nk.sum(axis=0), self.names.index(name)
        steps = STEP * np.maximum(np.sqrt((self.numbers_nk**2).sum(axis=0)), 1e-12)
        moves = np.diag(steps)
        # Below zero a sum has no meaning to some figures, like BLEU with no match of four words.
        with np.errstate(all="ignore"):
            more, here, less = (self.combine(sums)[:, at] for sums in (total + moves, total[None, :], total - moves))
            slopes = (more - less) / (2 * steps)
            slopes = np.nan_to_num(np.where(np.isfinite(slopes), slopes, (more - here) / steps), posinf=0.0, neginf=0.0)
        moved = self.numbers_nk @ slopes
        num_rows = len(moved)
        return np.asarray((moved - moved.mean()) * math.sqrt(num_rows / max(num_rows - 1, 1)), np.float64)


def of_sums(
    names: Sequence[str],
    numbers: Floats,
    combine: Callable[[Floats], Floats],
    *,
    seed: int,
    rows: Sequence[int] | Ints | None = None,
) -> dict[str, Figure]:
    """Figures that follow from sums over rows, with intervals: means, F1 from counts, BLEU from its counts.

    Args:
        numbers: (N, K) what each row adds; their number too where a figure is a mean, so that some of them can be told of.
        combine: sums (R, K) -> the figures (R, S) in the order of `names`.
        rows: which row of the test set each is, where not all of them count.
    """
    keep(names, numbers, combine, rows=rows)
    once = np.ones(len(numbers), dtype=np.int64)
    found = bootstrap(lambda counts: combine(counts @ numbers), once, seed=seed, names=names)
    return dict(zip(names, found, strict=True))


@contextmanager
def adding() -> Iterator[list[Sums]]:
    """Inside, the sums that figures are made of are kept, in the order in which they are measured."""
    kept: list[Sums] = []
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)


def keep(
    names: Sequence[str],
    numbers: Floats,
    combine: Callable[[Floats], Floats],
    *,
    rows: Sequence[int] | Ints | None = None,
) -> None:
    """Give what figures are made of to `adding`; nothing happens outside of it."""
    if (kept := _KEPT.get()) is not None:
        places = np.arange(len(numbers)) if rows is None else np.asarray(rows, np.int64)
        kept.append(Sums(names=tuple(names), numbers_nk=numbers, combine=combine, rows=places))


_KEPT: ContextVar[list[Sums] | None] = ContextVar("kept", default=None)


def apart(first: Sums, second: Sums, name: str) -> float:
    """The two-sided p of two groups of different rows having the same figure.

    Fisher's exact test where it is a share, else Welch's on the influence values. 1 where a group has fewer than two rows.
    """
    if min(len(first.rows), len(second.rows)) < 2:
        return 1.0
    if first.is_share(name) and second.is_share(name):
        from scipy.stats import fisher_exact

        rights = [int(one.each(name).sum()) for one in (first, second)]
        table = [[right, len(one.rows) - right] for right, one in zip(rights, (first, second), strict=True)]
        return float(fisher_exact(table).pvalue)
    squares = [float((one.influence(name) ** 2).sum()) for one in (first, second)]
    freedom = sum(one**2 / (len(group.rows) - 1) for one, group in zip(squares, (first, second), strict=True))
    return p_of(first.value(name) - second.value(name), sum(squares), sum(squares) ** 2 / freedom if freedom else 1.0)


def p_of(difference: float, variance: float, freedom: float) -> float:
    """The two-sided p of Student's t; 1 where nothing varies or nothing is known."""
    from scipy.stats import t

    if not (math.isfinite(difference) and math.isfinite(variance) and variance > 0):
        return 1.0
    return float(2 * t.sf(abs(difference) / math.sqrt(variance), max(freedom, 1.0)))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values as they are after looking so many times: Holm, Scandinavian Journal of Statistics 6 (1979)."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    found, most = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(order):
        most = max(most, min(1.0, (len(p_values) - rank) * p_values[at]))
        found[at] = most
    return found
