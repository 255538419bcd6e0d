"""How sure a figure is: percentile bootstrap intervals and McNemar's exact test.

Shape legend: R resamples, K distinct outcomes of a row, S statistics.

Rows with the same outcome (truth, prediction) are alike to every statistic here, so drawing n rows with replacement is
drawing the outcomes' counts from a multinomial: the same distribution, without n times R numbers in memory.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

Counts: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Statistic: TypeAlias = Callable[[Counts], Floats]
"""Counts of outcomes (R, K) -> one value a statistic (R, S)."""

NUM_RESAMPLES = 2_000
CONFIDENCE = 0.95
CHUNK_NUMBERS = 4_000_000  # drawn at a time: bounds the memory, and is fixed so that a seed gives one result


class Figure(TypedDict):
    """A value with its interval (`CONFIDENCE`) and the number of rows behind it."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedTest:
    """McNemar's exact test: two-sided p that both are right equally often, from the rows that one alone has right."""

    p_value: float
    num_first_only: int
    num_second_only: int

    def first_is_worse(self, alpha: float) -> bool:
        """The first is right less often, and chance does not explain it at level `alpha`."""
        return self.num_first_only < self.num_second_only and self.p_value < alpha


def bootstrap(
    statistic: Statistic,
    counts: Counts,
    *,
    seed: int,
    names: Sequence[str] = (),
    num_resamples: int = NUM_RESAMPLES,
) -> list[Figure]:
    """The statistics of an observed sample with percentile bootstrap intervals.

    Args:
        counts: (K,) how often each distinct outcome was seen; their sum is the number of rows, at least 1.
        names: of the statistics; those with a name are kept inside `keeping`.

    Returns:
        One `Figure` a statistic, rounded to 6 digits; the same seed gives the same numbers. The interval is widened to
        hold the value where resampling is biased (macro-F1 with very rare labels).

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    num_rows = int(counts.sum())
    values = statistic(counts[None, :])[0]
    random = np.random.default_rng(seed)
    chunk = max(1, CHUNK_NUMBERS // len(counts))
    drawn = [
        statistic(random.multinomial(num_rows, counts / num_rows, size=min(chunk, num_resamples - start)))
        for start in range(0, num_resamples, chunk)
    ]
    resampled = np.concatenate(drawn)
    if (kept := _KEPT.get()) is not None:
        kept |= {name: Resamples(len(counts), resampled[:, at]) for at, name in enumerate(names)}
    tail = (1 - CONFIDENCE) / 2
    lows, highs = np.quantile(resampled, [tail, 1 - tail], axis=0)
    lows, highs = np.minimum(lows, values), np.maximum(highs, values)
    return [
        Figure(value=round(float(value), 6), low=round(float(low), 6), high=round(float(high), 6), n=num_rows)
        for value, low, high in zip(values, lows, highs, strict=True)
    ]


class Resamples(NamedTuple):
    """The values (R,) of a statistic over resamples of so many outcomes.

    Those of two models are paired, resample by resample, where the outcomes are the same rows in the same order, since
    equal seeds draw equal rows.
    """

    num_outcomes: int
    values: Floats


@contextmanager
def keeping() -> Iterator[dict[str, Resamples]]:
    """Inside, what `bootstrap` draws for statistics with a name is kept under it, for the difference of two models."""
    kept: dict[str, Resamples] = {}
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)


_KEPT: ContextVar[dict[str, Resamples] | None] = ContextVar("kept", default=None)


def exact_interval(num_right: int, num_rows: int) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share: for a share of 0 or 1, where every resample is the same."""
    from scipy.stats import binomtest

    interval = binomtest(num_right, num_rows).proportion_ci(CONFIDENCE, method="exact")
    return round(float(interval.low), 6), round(float(interval.high), 6)


def mcnemar(first_correct: Sequence[bool], second_correct: Sequence[bool]) -> PairedTest:
    """Is one of two classifiers right more often on the same rows?

    Source: McNemar, Psychometrika 12 (1947); the exact form is a binomial test of the rows that tell the two apart.
    """
    from scipy.stats import binomtest

    first, second = np.asarray(first_correct, dtype=bool), np.asarray(second_correct, dtype=bool)
    first_only, second_only = int((first & ~second).sum()), int((second & ~first).sum())
    told_apart = first_only + second_only
    p_value = binomtest(first_only, told_apart, 0.5).pvalue if told_apart else 1.0
    return PairedTest(p_value=round(float(p_value), 6), num_first_only=first_only, num_second_only=second_only)


def distinct(*columns: Sequence[str]) -> tuple[list[str], Sequence[npt.NDArray[np.int64]], Counts]:
    """Outcomes of rows, each once.

    Returns:
        The names that occur, sorted; for each column its name ids (K,); and how often each outcome was seen (K,).
    """
    together = np.concatenate([np.asarray(column, dtype=object) for column in columns])
    names, ids = np.unique(together, return_inverse=True)
    table = ids.reshape(len(columns), -1)
    outcomes, counts = np.unique(table, axis=1, return_counts=True)
    return [str(name) for name in names], list(outcomes), np.asarray(counts, dtype=np.int64)


def indicator(ids: npt.NDArray[np.int64], num_labels: int, keep: npt.NDArray[np.bool_] | None = None) -> Any:
    """Sparse (labels, K): 1 where the outcome has that label (and is kept)."""
    from scipy.sparse import csr_array

    ones = np.ones(len(ids), dtype=np.int64) if keep is None else keep.astype(np.int64)
    return csr_array((ones, (ids, np.arange(len(ids)))), shape=(num_labels, len(ids)))
