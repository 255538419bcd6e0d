"""What a model of behaviour must beat: what is popular, what goes with what, and factors of matrices.

Each is tuned on the same validation rows by which the model's best epoch is chosen, and ranks the same items.

Shapes: u users, i items.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np

from modelmint.core.types import JSON
from modelmint.evaluation.metrics.recommendation import of_ranks
from modelmint.training.recommendation.als import Als
from modelmint.training.recommendation.histories import Histories, Ints, Questions, Scorer, Scores, ranks

MAX_TUNED_ROWS = 1_000_000
"""With more rows each baseline is fitted once, with the settings that come first below."""
MAX_ITEMS = 30_000
"""With more items no square of them is kept in memory, and item-kNN is left out."""
NEIGHBOURS = (100, 20, 300)
SHRINKS = (20.0, 0.0, 100.0)
RECENT = (10, None, 30, 5, 3)
"""How many of the newest items of a history are asked by; None asks by all."""
FACTORS = (64, 32, 128)
PENALTIES = (10.0, 1.0, 100.0)
ALPHAS = (1.0, 10.0, 40.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """One that was fitted, the settings that were best on the validation rows, and how many were tried."""

    name: str
    settings: JSON
    score: Scorer
    num_tried: int


def fit_all(
    histories: Histories, asked: Questions, *, seed: int, say: Callable[[str], None] = lambda _said: None
) -> list[Baseline]:
    """Popularity, item-kNN and ALS, each with the settings of a small grid that have the best NDCG at 10 on `asked`.

    The grid is gone through one setting after the other, from the first values on.
    """
    tuned = bool(len(asked)) and histories.num_rows <= MAX_TUNED_ROWS
    popular = histories.counts().astype(np.float32)
    found = [Baseline(name="popularity", settings={}, score=lambda given: _same(popular, len(given)), num_tried=1)]
    if len(histories.items) <= MAX_ITEMS:
        say("item-kNN")
        both_taken = taken_together(histories)

        @cache
        def similar(similarity: str, num: int, shrink: float) -> ItemNeighbours:
            return ItemNeighbours.fit(both_taken, similarity, num, shrink)

        def neighbours(recent: int | None, **settings: Any) -> Scorer:
            return lambda given: similar(**settings).score(newest(given, recent))

        grid = {"recent": RECENT, "similarity": ("cosine", "jaccard"), "num": NEIGHBOURS, "shrink": SHRINKS}
        found.append(_best("item-knn", neighbours, grid, asked, len(histories.items), tuned=tuned))
    say("ALS")

    @cache
    def fitted(num_factors: int, penalty: float, alpha: float) -> Als:
        return Als.fit(histories, num_factors=num_factors, penalty=penalty, alpha=alpha, seed=seed)

    def factors(recent: int | None, **settings: Any) -> Scorer:
        return lambda given: fitted(**settings).score(newest(given, recent))

    grid = {"recent": RECENT, "num_factors": FACTORS, "penalty": PENALTIES, "alpha": ALPHAS}
    found.append(_best("als", factors, grid, asked, len(histories.items), tuned=tuned))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemNeighbours:
    """Of each item the most similar others (i, i), sparse; a user likes what is like the history.

    Source: Sarwar et al., Item-Based Collaborative Filtering (WWW 2001); the shrinkage is that of Bell and Koren (2007).
    """

    similar: Any

    @classmethod
    def fit(cls, together: Any, similarity: str, num: int, shrink: float) -> Self:
        """`together` (i, i): by how many users two items were taken both, its diagonal by how many each was."""
        counts = together.diagonal().astype(np.float64)
        both = together.tocoo()
        left, right = counts[both.row], counts[both.col]
        below = np.sqrt(left * right) if similarity == "cosine" else left + right - both.data
        values = np.where(both.row == both.col, 0.0, both.data / (below + shrink))
        return cls(similar=_most(values, both, num))

    def score(self, histories: Sequence[Ints]) -> Scores:
        """(users, i) the sum of the similarities to what is in the history."""
        return np.asarray((_matrix(histories, self.similar.shape[0]) @ self.similar).toarray(), np.float32)


def newest(histories: Sequence[Ints], num: int | None) -> Sequence[Ints]:
    """The newest items of each history."""
    return histories if num is None else [history[-num:] for history in histories]


def told(baselines: Sequence[Baseline], asked: Questions, num_items: int, *, seed: int) -> dict[str, JSON]:
    """The figures of each on `asked`, and its settings."""
    return {
        one.name: {
            **of_ranks(ranks(one.score, asked, num_items), seed=seed),
            "settings": one.settings,
            "settings_tried": one.num_tried,
        }
        for one in baselines
    }


def _best(
    name: str,
    fit: Callable[..., Scorer],
    grid: dict[str, tuple[Any, ...]],
    asked: Questions,
    num_items: int,
    *,
    tuned: bool,
) -> Baseline:
    """One setting after the other is moved to its best value, the others held."""
    chosen = {setting: values[0] for setting, values in grid.items()}
    best, best_value, num_tried = fit(**chosen), -1.0, 1
    if not tuned:
        return Baseline(name=name, settings=chosen, score=best, num_tried=1)
    best_value = _ndcg(best, asked, num_items)
    for setting, value in _moves(grid):
        tried = {**chosen, setting: value}
        score = fit(**tried)
        num_tried += 1
        if (reached := _ndcg(score, asked, num_items)) > best_value:
            best, best_value, chosen = score, reached, tried
    return Baseline(name=name, settings=chosen, score=best, num_tried=num_tried)


def _moves(grid: dict[str, tuple[Any, ...]]) -> Iterator[tuple[str, Any]]:
    for setting, values in grid.items():
        yield from ((setting, value) for value in values[1:])


def _ndcg(score: Scorer, asked: Questions, num_items: int) -> float:
    found = ranks(score, asked, num_items)
    inside = (found >= 0) & (found < 10)
    return float((1 / np.log2(found[inside] + 2.0)).sum() / len(found))


def _same(popular: Scores, num_users: int) -> Scores:
    return np.repeat(popular[None, :], num_users, axis=0)


def taken_together(histories: Histories) -> Any:
    """(i, i) sparse: by how many users two items were taken both, on the diagonal by how many each was."""
    matrix = _matrix(histories.of_user, len(histories.items))
    return (matrix.T @ matrix).tocsr()


def _matrix(histories: Sequence[Ints], num_items: int) -> Any:
    """(users, i) 1 where an item is in a history."""
    from scipy.sparse import csr_array

    distinct = [np.unique(history) for history in histories]
    ends = np.cumsum([0, *(len(history) for history in distinct)])
    items = np.concatenate([np.empty(0, np.int64), *distinct])
    return csr_array((np.ones(len(items)), items, ends), shape=(len(histories), num_items))


def _most(values: Any, both: Any, num: int) -> Any:
    """The `num` highest values of each column, sparse; the earlier of equals."""
    from scipy.sparse import csr_array

    order = np.lexsort((both.row, -values, both.col))
    columns = both.col[order]
    starts = np.flatnonzero(np.diff(columns, prepend=-1))
    rank = np.arange(len(columns)) - np.repeat(starts, np.diff(starts, append=len(columns)))
    kept = order[(rank < num) & (values[order] > 0)]
    return csr_array((values[kept], (both.row[kept], both.col[kept])), shape=both.shape)
