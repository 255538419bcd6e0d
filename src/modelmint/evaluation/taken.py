"""Rows of who took what, as an endpoint is asked: what each user took before, by name, and what came next."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from modelmint.core import tables
from modelmint.core.errors import InputError
from modelmint.core.inputs import MAX_TAKEN
from modelmint.core.items import Catalogue
from modelmint.core.types import Dataset, Model

NAMES = ("_row", "user", "item")


def columns_of(dataset: Dataset, model: Model, role: str, table: pa.Table) -> dict[str, list[Any]]:
    """``items``, the newest of what the user of each row took before it, and ``item``, what the row says.

    Histories are those of the trained model's folder, which hold its training and its validation rows; of the latter
    those before the user's first row in `dataset`. They never go into a variant.

    Raises:
        InputError: the folder keeps no histories.
    """
    from modelmint.training.tasks.recommender import USERS, read_users

    folder = model.files.folder()
    if not (folder / USERS).is_file():
        raise InputError(
            f"model: must keep histories, by which users of the {role} rows can be asked for; {model.name} keeps none",
            parameter="model",
            remedy="Train with options: {keep_histories: true}. They stay with the trained model: no variant has them.",
        )
    items, taken = Catalogue.read(folder), read_users(folder)
    later = _later(dataset) if role == "validation" else {}
    columns: dict[str, list[Any]] = {name: table.column(name).to_pylist() for name in NAMES}
    histories = [
        _without(taken.get(str(user), np.empty(0, np.int64)).tolist(), items, later.get(str(user), ()))
        for user in columns["user"]
    ]
    return columns | {"items": [[items[at] for at in history[-MAX_TAKEN:]] for history in histories]}


def _later(dataset: Dataset) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    rows = tables.read(dataset, ["user", "item"]).to_pydict()
    for user, item in zip(rows["user"], rows["item"], strict=True):
        found.setdefault(str(user), []).append(str(item))
    return found


def _without(history: Sequence[int], items: Catalogue, later: Sequence[str]) -> Sequence[int]:
    """A history without what was taken later, which stands at its end."""
    left, end = Counter(later), len(history)
    while end and left[items[history[end - 1]]]:
        left[items[history[end - 1]]] -= 1
        end -= 1
    return history[:end]
