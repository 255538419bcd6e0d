"""Implicit alternating least squares, compact.

Source: Hu, Koren and Volinsky, Collaborative Filtering for Implicit Feedback Datasets (ICDM 2008): a pair that was seen
has preference 1 with confidence 1 + alpha, every other pair preference 0 with confidence 1.

Shapes: u users, i items, f factors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from modelmint.training.recommendation.histories import Histories, Ints, Scores

NUM_ROUNDS = 12
START_STD = 0.1
CHUNK_ROWS = 2048

Factors = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Als:
    """Factors of the items (i, f); a user's follow from the history."""

    items_if: Factors
    penalty: float
    alpha: float

    @classmethod
    def fit(cls, histories: Histories, *, num_factors: int, penalty: float, alpha: float, seed: int) -> Self:
        """`NUM_ROUNDS` rounds of users then items, from small factors that the seed draws."""
        random = np.random.default_rng(seed)
        items_if = random.normal(0, START_STD, (len(histories.items), num_factors))
        of_user = [np.unique(history) for history in histories.of_user]
        of_item = _turned(of_user, len(histories.items))
        for _ in range(NUM_ROUNDS):
            users_uf = solve(items_if, of_user, penalty, alpha)
            items_if = solve(users_uf, of_item, penalty, alpha)
        return cls(items_if=items_if, penalty=penalty, alpha=alpha)

    def score(self, histories: Sequence[Ints]) -> Scores:
        """(users, i) the preference that the factors give; the user's are solved for from the history."""
        users_uf = solve(self.items_if, [np.unique(history) for history in histories], self.penalty, self.alpha)
        return np.asarray(users_uf @ self.items_if.T, np.float32)


def solve(fixed: Factors, seen: Sequence[Ints], penalty: float, alpha: float) -> Factors:
    """(rows, f) the factors of rows that have seen these of the `fixed` ones: equation 4 of the paper."""
    num_factors = fixed.shape[1]
    shared = fixed.T @ fixed + penalty * np.eye(num_factors)
    found = np.empty((len(seen), num_factors))
    for start in range(0, len(seen), CHUNK_ROWS):
        some = seen[start : start + CHUNK_ROWS]
        left, right = np.empty((len(some), num_factors, num_factors)), np.empty((len(some), num_factors))
        for row, places in enumerate(some):
            mine = fixed[places]
            left[row] = shared + alpha * (mine.T @ mine)
            right[row] = (1 + alpha) * mine.sum(axis=0)
        found[start : start + CHUNK_ROWS] = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    return found


def _turned(of_user: Sequence[Ints], num_items: int) -> list[Ints]:
    """Of each item the users that took it."""
    users = np.repeat(np.arange(len(of_user)), [len(history) for history in of_user])
    items = np.concatenate(of_user)
    order = np.argsort(items, kind="stable")
    return np.split(users[order], np.cumsum(np.bincount(items, minlength=num_items))[:-1])
