"""Who took what, in the order of time, as numbers.

Shapes: u users, i items, q questions (a user and what came next), n rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.types import Dataset

Ints: TypeAlias = npt.NDArray[np.int64]
Scores: TypeAlias = npt.NDArray[np.float32]
Scorer: TypeAlias = Callable[[Sequence[Ints]], Scores]
"""Histories of some users -> a score of every item for each (users, i); higher is better."""

CHUNK_NUMBERS = 8_000_000
MIN_ITEMS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Histories:
    """Users and items by number, and what each user took, the oldest first."""

    users: tuple[str, ...]
    items: tuple[str, ...]
    of_user: tuple[Ints, ...]

    @classmethod
    def read(cls, dataset: Dataset, role: str, min_rating: float | None) -> Self:
        """Names are numbered in their order, so that the order of the rows does not matter where they have times.

        Raises:
            DataError: there is nothing to learn from.
        """
        names, items, order = _rows(dataset, role, min_rating)
        users, user_of_n = np.unique(np.array(names, object), return_inverse=True)
        kinds, item_of_n = np.unique(np.array(items, object), return_inverse=True)
        if len(kinds) < MIN_ITEMS or len(order) == len(users):
            said = f"{len(kinds)} items" if len(kinds) < MIN_ITEMS else f"one row for each of {len(users)} users"
            raise DataError(
                f"{role}: must hold at least {MIN_ITEMS} items, and a user with two rows; got {said}",
                parameter=role,
                remedy="Collect more behaviour, or look whether the columns `user` and `item` are the right ones.",
            )
        order = order[np.argsort(user_of_n[order], kind="stable")]
        starts = np.cumsum(np.bincount(user_of_n, minlength=len(users)))[:-1]
        return cls(
            users=tuple(map(str, users)),
            items=tuple(map(str, kinds)),
            of_user=tuple(part.astype(np.int64) for part in np.split(item_of_n[order], starts)),
        )

    @property
    def num_rows(self) -> int:
        return sum(map(len, self.of_user))

    def counts(self) -> Ints:
        """(i,) how many rows each item has."""
        return np.bincount(np.concatenate(self.of_user), minlength=len(self.items))

    def longer_by(self, dataset: Dataset, role: str, min_rating: float | None) -> Self:
        """The same with later rows at the end; users and items that are new are left out."""
        place, number = (
            {name: at for at, name in enumerate(self.users)},
            {name: at for at, name in enumerate(self.items)},
        )
        names, items, order = _rows(dataset, role, min_rating)
        more: dict[int, list[int]] = {}
        for at in order.tolist():
            if names[at] in place and items[at] in number:
                more.setdefault(place[names[at]], []).append(number[items[at]])
        return type(self)(
            users=self.users,
            items=self.items,
            of_user=tuple(
                np.concatenate([old, np.array(more.get(at, ()), np.int64)]) for at, old in enumerate(self.of_user)
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Questions:
    """What came next: of each row the history before it, and the item; -1 for one that was never learned from."""

    histories: tuple[Ints, ...]
    items_q: Ints
    num_unknown_users: int = 0

    @classmethod
    def read(cls, dataset: Dataset, known: Histories, role: str, min_rating: float | None) -> Self:
        """Rows of users without a history are left out and counted."""
        names, items, order = _rows(dataset, role, min_rating)
        place, number = (
            {name: at for at, name in enumerate(known.users)},
            {name: at for at, name in enumerate(known.items)},
        )
        asked = [at for at in order.tolist() if names[at] in place]
        return cls(
            histories=tuple(known.of_user[place[names[at]]] for at in asked),
            items_q=np.array([number.get(items[at], -1) for at in asked], np.int64),
            num_unknown_users=len(order) - len(asked),
        )

    def __len__(self) -> int:
        return len(self.items_q)


def ranks(score: Scorer, asked: Questions, num_items: int) -> Ints:
    """(q,) the rank of the item that came next among all items that the user had not yet, 0 the best.

    The earlier of equal items is the better one; -1 where the item was never learned from or is in the history.
    """
    found, step = [np.empty(0, np.int64)], max(1, CHUNK_NUMBERS // num_items)
    for start in range(0, len(asked), step):
        histories, items = asked.histories[start : start + step], asked.items_q[start : start + step]
        scores_qi = without_seen(score(histories), histories)
        rows, safe = np.arange(len(items)), np.maximum(items, 0)
        own_q1 = scores_qi[rows, safe][:, None]
        before_qi = np.arange(num_items)[None, :] < safe[:, None]
        rank = ((scores_qi > own_q1) | ((scores_qi == own_q1) & before_qi)).sum(axis=1)
        found.append(np.where((items < 0) | np.isneginf(own_q1[:, 0]), -1, rank))
    return np.concatenate(found)


def without_seen(scores_qi: Scores, histories: Sequence[Ints]) -> Scores:
    """What is in a history cannot be recommended again: its score is minus infinity. In place."""
    for row, history in enumerate(histories):
        scores_qi[row, history] = -np.inf
    return scores_qi


def _rows(dataset: Dataset, role: str, min_rating: float | None) -> tuple[list[str], list[str], Ints]:
    """Users and items of all rows, and the numbers of the rows that count, the oldest first."""
    names = [name for name in ("user", "item", "rating", "time") if name in dataset.facts["columns"]]
    columns: Mapping[str, list[Any]] = tables.read(dataset, names).to_pydict()
    users, items = columns["user"], columns["item"]
    if num_missing := sum(not user or not item for user, item in zip(users, items, strict=True)):
        raise DataError(
            f"{role}: must have a user and an item in each row; {num_missing:,} rows lack one",
            parameter=role,
            remedy="Run collect and clean first: they put such rows into quarantine.",
        )
    ratings = columns.get("rating", [None] * len(users))
    kept = [at for at, rating in enumerate(ratings) if min_rating is None or (rating or 0) >= min_rating]
    times = columns.get("time", [None] * len(users))
    num_timed = sum(times[at] is not None for at in kept)
    if 0 < num_timed < len(kept):
        raise DataError(
            f"{role}: must have a time in each row or in none; {len(kept) - num_timed:,} of {len(kept):,} rows have none",
            parameter=role,
            remedy="Take those rows out, or name no `time` in collect: then the order of the rows is that of time.",
        )
    order = np.array(kept, np.int64)
    if num_timed:
        order = order[np.argsort(np.array([times[at] for at in kept]), kind="stable")]
    return users, items, order
