"""The trained recommender as the reference. Imports PyTorch.

Shapes: b questions, t places of a history, i items, d width.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from modelmint.core.errors import InputError
from modelmint.training.recommendation.histories import Ints, Scorer, Scores, without_seen
from modelmint.training.recommendation.model import CONFIG, PAD, read_model
from modelmint.training.tasks.table import read_about

SCORED_ROWS = 256
NUM_ITEMS = 10
ITEMS, USERS, HISTORIES = "items.json", "users.json", "histories.safetensors"


class Recommender:
    """A trained recommender. One thread at a time may call it."""

    def __init__(self, folder: Path) -> None:
        self._model, config = read_model(folder)
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")
        self._score = scorer(self._model, config["max_history"])
        about = json.loads((folder / ITEMS).read_text(encoding="utf-8"))
        self.items: tuple[str, ...] = tuple(about["items"])
        self._counts = np.array(about["counts"], np.float32)
        self._place = {name: at for at, name in enumerate(self.items)}
        self._users = _read_users(folder)

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[dict[str, Any]]:
        """``{"items": [{"item", "score"}], "by", "unknown_items"}`` a row, the best first, none that was taken before.

        Args:
            rows: ``history``, a list of items, the oldest first; or ``user``, one that the model was trained with;
                and perhaps ``num_items``, how many are wanted (10).

        `by` is ``history``, or ``popularity`` where nothing is known of the user: what all users took most. `score` is
        a probability among the items that the user had not yet. `unknown_items` are those of the history that the model
        never saw; they were passed over.

        Raises:
            InputError: there is neither a history nor a user.
        """
        given = _given(rows)
        wanted = rows.get("num_items") or [NUM_ITEMS] * len(given)
        found: list[dict[str, Any]] = []
        for start in range(0, len(given), SCORED_ROWS):
            some = given[start : start + SCORED_ROWS]
            histories = [self._history(one) for one in some]
            known = [at for at, history in enumerate(histories) if len(history)]
            scores_bi = np.repeat(np.log(np.maximum(self._counts, 0.5))[None, :], len(some), axis=0)
            if known:
                scores_bi[known] = self._score([histories[at] for at in known])
            without_seen(scores_bi, histories)
            for at, one in enumerate(some):
                found.append(self._answer(one, scores_bi[at], bool(len(histories[at])), int(wanted[start + at])))
            if say is not None:
                say(start + len(some), len(given), "recommending")
        return found

    def _history(self, given: str | Sequence[str]) -> Ints:
        if isinstance(given, str):
            return self._users.get(given, np.empty(0, np.int64))
        return np.array([self._place[item] for item in given if item in self._place], np.int64)

    def _answer(self, given: str | Sequence[str], scores_i: Scores, known: bool, num_items: int) -> dict[str, Any]:
        chances_i = np.exp(scores_i - scores_i.max())
        chances_i /= chances_i.sum()
        best = [at for at in np.argsort(-scores_i, kind="stable")[:num_items] if np.isfinite(scores_i[at])]
        unknown = [] if isinstance(given, str) else [item for item in given if item not in self._place]
        return {
            "items": [{"item": self.items[at], "score": float(chances_i[at])} for at in best],
            "by": "history" if known else "popularity",
            "unknown_items": unknown,
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
    if "history" in rows:
        return [[str(item) for item in history or ()] for history in rows["history"]]
    if "user" in rows:
        return [str(user) for user in rows["user"]]
    raise InputError(
        f"rows: must have a column `history` or `user`; got {', '.join(rows) or 'none'}",
        parameter="rows",
        remedy="`history` is a list of items, the oldest first.",
    )


def _read_users(folder: Path) -> dict[str, Ints]:
    if not (folder / USERS).is_file():
        return {}
    arrays = load_file(folder / HISTORIES)
    parts = np.split(arrays["items"].numpy(), arrays["ends"].numpy()[:-1])
    names: list[str] = json.loads((folder / USERS).read_text(encoding="utf-8"))
    return dict(zip(names, parts, strict=True))
