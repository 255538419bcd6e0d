"""What can be recommended, by name and by number, and the best of it for one user.

Shapes: i items, k of them.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias, overload

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float32]

ITEMS = "items.json"
"""``{"items": [...], "counts": [...]}``: names in the order of their numbers, and how often each was taken."""
CONFIG = "recommender.json"
"""What the network is: ``max_history``, and its sizes."""
NUM_ITEMS = 10
"""How many a user is given where nobody says."""
MAX_WANTED = 100
"""How many a request may want."""


class Catalogue(Sequence[str]):
    """Items by their number; `place` has their numbers by name."""

    def __init__(self, names: Sequence[str], counts: Sequence[int] = ()) -> None:
        self.names = tuple(names)
        self.place = {name: at for at, name in enumerate(self.names)}
        self._counts = np.array(counts, np.float32)

    @classmethod
    def read(cls, folder: Path) -> "Catalogue":
        """That of a model's folder."""
        about = json.loads((folder / ITEMS).read_text(encoding="utf-8"))
        return cls(about["items"], about["counts"])

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        return self.names[at]

    def __len__(self) -> int:
        return len(self.names)

    def numbers(self, taken: Iterable[str]) -> Ints:
        """The numbers of those that are known, in their order."""
        return np.array([self.place[item] for item in taken if item in self.place], np.int64)

    def unknown(self, taken: Iterable[str]) -> list[str]:
        """Those that are not known, in their order."""
        return [item for item in taken if item not in self.place]

    def popularity(self) -> Floats:
        """(i,) the scores by which they are ranked for somebody of whom nothing is known."""
        return np.asarray(np.log(np.maximum(self._counts, 0.5)), np.float32)


def best(scores_i: Floats, seen: Ints, num: int) -> tuple[Ints, Floats]:
    """(k,) the numbers of at most `num` items that were not seen, the best first, and their probabilities (k,).

    The earlier of equal items is the better one. The probabilities of all that were not seen sum to 1.
    """
    left_i = scores_i.copy()
    left_i[seen] = -np.inf
    if not np.isfinite(left_i).any():
        return np.empty(0, np.int64), np.empty(0, np.float32)
    chances_i = np.exp(left_i - left_i.max())
    chances_i /= chances_i.sum()
    near = np.arange(len(left_i))
    if num < len(left_i):
        least = np.partition(left_i, len(left_i) - num)[len(left_i) - num]
        near = np.flatnonzero(left_i >= least)
    chosen = near[np.argsort(-left_i[near], kind="stable")][:num]
    chosen = chosen[np.isfinite(left_i[chosen])]
    return np.asarray(chosen, np.int64), chances_i[chosen]
