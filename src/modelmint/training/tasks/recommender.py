"""The trained recommender as the reference. Imports PyTorch.

Shapes: b questions, t places of a history, i items, d width.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.core.items import CONFIG, NUM_ITEMS, Catalogue, best
from modelmint.training.recommendation.histories import Ints, Scorer, Scores
from modelmint.training.recommendation.model import PAD, read_model
from modelmint.training.tasks.table import read_about

SCORED_ROWS = 256
USERS, HISTORIES = "users.json", "histories.safetensors"


class Recommender:
    """A trained recommender. One thread at a time may call it."""

    def __init__(self, folder: Path) -> None:
        self._model, config = read_model(folder)
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")
        self._score = scorer(self._model, config["max_history"])
        self.items = Catalogue.read(folder)
        self._users = read_users(folder)

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """``{"items": [{"item", "score"}], "by", "unknown_items"}`` a row, the best first, none that was taken before.

        Args:
            rows: ``items``, a list of what was taken, the oldest first (or ``history``, the same); or ``user``, one that
                the model was trained with; and perhaps ``num_items``, how many are wanted (10).

        `by` is ``history``, or ``popularity`` where nothing is known of the user: what all users took most. `score` is
        a probability among the items that the user had not yet. `unknown_items` are those of the history that the model
        never saw; they were passed over.

        Raises:
            InputError: there are neither items nor a user.
        """
        given = _given(rows)
        wanted = rows.get("num_items") or [NUM_ITEMS] * len(given)
        found: list[dict[str, Any]] = []
        for start in range(0, len(given), SCORED_ROWS):
            some = given[start : start + SCORED_ROWS]
            histories = [self._history(one) for one in some]
            known = [at for at, history in enumerate(histories) if len(history)]
            scores_bi = np.repeat(self.items.popularity()[None, :], len(some), axis=0)
            if known:
                scores_bi[known] = self._score([histories[at] for at in known])
            for at, one in enumerate(some):
                found.append(self._answer(one, scores_bi[at], histories[at], int(wanted[start + at])))
            if say is not None:
                say(start + len(some), len(given), "recommending")
        return found

    def _history(self, given: str | Sequence[str]) -> Ints:
        if isinstance(given, str):
            return self._users.get(given, np.empty(0, np.int64))
        return self.items.numbers(given)

    def _answer(self, given: str | Sequence[str], scores_i: Scores, history: Ints, num_items: int) -> dict[str, Any]:
        chosen, chances = best(scores_i, history, num_items)
        return {
            "items": [
                {"item": self.items[at], "score": float(chance)} for at, chance in zip(chosen, chances, strict=True)
            ],
            "by": "history" if len(history) else "popularity",
            "unknown_items": [] if isinstance(given, str) else self.items.unknown(given),
        }


def load_recommender(folder: Path) -> Recommender:
    """The recommender in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained recommender.
    """
    about = read_about(folder)
    if not (folder / CONFIG).is_file():
        raise InputError(f"model: must be a recommender; got one for {about['task']}", parameter="model")
    return Recommender(folder)


def item_vectors(folder: Path) -> npt.NDArray[np.float32]:
    """(i, d) what states are multiplied with to score the items."""
    vectors: Tensor = read_model(folder)[0].vectors()[PAD + 1 :].detach()
    return np.asarray(vectors.numpy(), np.float32)


def scorer(model: nn.Module, max_history: int) -> Scorer:
    """The scores that a model gives, on the CPU and in fp32: only the last state of each history is asked."""
    device = next(model.parameters()).device

    def score(histories: Sequence[Ints]) -> Scores:
        model.train(False)
        found = []
        with torch.no_grad():
            vectors_id = model.vectors()[PAD + 1 :]
            for start in range(0, len(histories), SCORED_ROWS):
                some = [history[-max_history:] + 1 for history in histories[start : start + SCORED_ROWS]]
                item_ids = np.full((len(some), max(map(len, some))), PAD, np.int64)
                for row, history in enumerate(some):
                    item_ids[row, : len(history)] = history
                last = [len(history) - 1 for history in some]
                states_btd = model.states(torch.from_numpy(item_ids).to(device))
                found.append((states_btd[range(len(some)), last] @ vectors_id.T).float().cpu().numpy())
        return np.concatenate(found)

    return score


def _given(rows: Mapping[str, Sequence[Any]]) -> list[str | list[str]]:
    for name in ("items", "history"):
        if name in rows:
            return [[str(item) for item in taken or ()] for taken in rows[name]]
    if "user" in rows:
        return [str(user) for user in rows["user"]]
    raise InputError(
        f"rows: must have a column `items` or `user`; got {', '.join(rows) or 'none'}",
        parameter="rows",
        remedy="`items` is a list of what was taken, the oldest first.",
    )


def read_users(folder: Path) -> dict[str, Ints]:
    """What each user took, by name; empty where the folder keeps no histories."""
    if not (folder / USERS).is_file():
        return {}
    arrays = load_file(folder / HISTORIES)
    parts = np.split(arrays["items"].numpy(), arrays["ends"].numpy()[:-1])
    names: list[str] = json.loads((folder / USERS).read_text(encoding="utf-8"))
    return dict(zip(names, parts, strict=True))
