"""Users to items: what is popular, what goes with what, or factors of matrices, from the histories that the model knows.

A model that keeps no histories recommends what is popular to everyone; beside it stands the same.

Shapes: u users, i items.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelmint.core.items import ITEMS, NUM_ITEMS
from modelmint.core.types import JSON
from modelmint.evaluation.baselines.cheap import Asked, Cheap
from modelmint.evaluation.baselines.choices import NAMES
from modelmint.training.recommendation.als import Als
from modelmint.training.recommendation.baselines import (
    ALPHAS,
    FACTORS,
    MAX_ITEMS,
    NEIGHBOURS,
    PENALTIES,
    RECENT,
    SHRINKS,
    ItemNeighbours,
    newest,
    taken_together,
)
from modelmint.training.recommendation.histories import Histories, Ints, Scorer, Scores, without_seen
from modelmint.training.tasks.recommender import HISTORIES, SCORED_ROWS, USERS

EMPTY = np.empty(0, np.int64)


def items_of_users(kind: str, asked: Asked) -> Cheap:
    """``{"items": [{"item", "score"}]}`` a row of ``user``, the best first, none that was taken before.

    Each way has the first setting of the grid that `training.recommendation` tunes it by; item-kNN gives way to what is
    popular where there are too many items for it.
    """
    known, popular = _known(asked)
    if not known.of_user or (kind == "item-knn" and len(known.items) > MAX_ITEMS):
        kind = "popularity"
    score = _learned(kind, known, asked.seed) if kind != "popularity" else None
    place = dict(zip(known.users, known.of_user, strict=True))

    def answer() -> list[JSON]:
        users = [str(user) for user in asked.truth["user"]]
        found: list[JSON] = []
        for start in range(0, len(users), SCORED_ROWS):
            histories = [place.get(user, EMPTY) for user in users[start : start + SCORED_ROWS]]
            scores_ui = np.repeat(popular[None, :], len(histories), axis=0)
            asked_for = [at for at, history in enumerate(histories) if len(history)]
            if score is not None and asked_for:
                scores_ui[asked_for] = score([histories[at] for at in asked_for])
            found += [_told(row, known.items) for row in without_seen(scores_ui, histories)]
        return found

    return Cheap(name=NAMES[kind], num_rows=known.num_rows, answer=answer)


def _learned(kind: str, known: Histories, seed: int) -> Scorer:
    if kind == "als":
        fitted = Als.fit(known, num_factors=FACTORS[0], penalty=PENALTIES[0], alpha=ALPHAS[0], seed=seed)
        return lambda histories: fitted.score(newest(histories, RECENT[0]))
    similar = ItemNeighbours.fit(taken_together(known), "cosine", NEIGHBOURS[0], SHRINKS[0])
    return lambda histories: similar.score(newest(histories, RECENT[0]))


def _known(asked: Asked) -> tuple[Histories, Scores]:
    """The histories that the model's folder keeps, none where it keeps none, and how often each item was taken."""
    from safetensors.numpy import load_file

    folder = asked.model.files.folder()
    about = json.loads((folder / ITEMS).read_text(encoding="utf-8"))
    users: list[str] = []
    of_user: Sequence[Ints] = []
    if (folder / USERS).is_file():
        users = json.loads((folder / USERS).read_text(encoding="utf-8"))
        arrays: dict[str, Any] = load_file(folder / HISTORIES)
        of_user = np.split(arrays["items"], arrays["ends"][:-1])
    histories = Histories(users=tuple(users), items=tuple(about["items"]), of_user=tuple(of_user))
    return histories, np.asarray(about["counts"], np.float32)


def _told(scores_i: Scores, items: Sequence[str]) -> JSON:
    best = [at for at in np.argsort(-scores_i, kind="stable")[:NUM_ITEMS].tolist() if np.isfinite(scores_i[at])]
    return {"items": [{"item": items[at], "score": float(scores_i[at])} for at in best]}
