"""What a variant of an embedding or a reranker is worth beside the trained one.

Agreement is of what people see: of embeddings the share of texts whose nearest other text is the same, of rankings the
share of lists whose first document is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelmint.compression.compared import Answers, outputs
from modelmint.core.inputs import to_rows
from modelmint.core.stage import StageContext
from modelmint.core.types import Model
from modelmint.evaluation import search_rows
from modelmint.evaluation.nearness import same_first, same_nearest
from modelmint.evaluation.search_rows import EMBEDDING
from modelmint.serving.engines import open_engine
from modelmint.training.tasks import open_model


class SearchRows(search_rows.SearchRows):
    """Rows, and by how much answers to them are worse than others."""

    def drop(self, trained: Answers, given: Answers, *, seed: int) -> float:
        """By how much the main figure is below the trained model's."""
        one, other = self.figures(trained, seed=seed), self.figures(given, seed=seed)
        name = next(iter(one))
        return float(one[name]["value"] - other[name]["value"])


def agreement(trained: Answers, given: Answers) -> float:
    """The share of texts whose nearest is the same (`evaluation.nearness`), or of lists whose first is."""
    if "embedding" in trained[0]:
        one, other = (np.stack([answer["embedding"] for answer in every]) for every in (trained, given))
        return float(same_nearest(one, other, range(len(one))).mean())
    mine, theirs = (np.asarray([answer["score"] for answer in every]) for every in (trained, given))
    lists = [answer["list"] for answer in trained]
    same = dict(zip(lists, same_first(mine, theirs, lists), strict=True))
    return float(np.mean(list(same.values())))


def ask_trained(model: Model, rows: Sequence[SearchRows], ctx: StageContext) -> list[Answers]:
    """The trained model's vectors or scores for each of several sets of rows, in PyTorch."""
    import torch

    torch.set_num_threads(ctx.num_threads)
    opened: Any = open_model(model.files.folder())

    def say(done: int, total: int, _message: str) -> None:
        ctx.check()
        ctx.say(done, total, "asking the trained model")

    found: list[Answers] = []
    for one in rows:
        if one.task == EMBEDDING:
            found.append([{"embedding": vector} for vector in opened.encode(one.inputs, say).numpy()])
        else:
            pairs = to_rows(one.inputs, ("text", "text_pair"))
            found.append(_scored(one, opened.scores(pairs["text"], pairs["text_pair"], say)))
    return found


def ask_variant(name: str, folder: Path, rows: Sequence[SearchRows], ctx: StageContext) -> list[Answers]:
    """The same by a variant, by the engine that serves it.

    Raises:
        StageError: a number is not finite.
    """
    engine = open_engine(folder, ctx.num_threads)
    found: list[Answers] = []
    for one in rows:
        logits = outputs(name, engine, one.inputs, ctx)
        if one.task == EMBEDDING:
            found.append([{"embedding": vector} for vector in logits])
        else:
            found.append(_scored(one, (1 / (1 + np.exp(-logits[:, 0].astype(np.float64)))).tolist()))
    return found


def _scored(rows: SearchRows, scores: Sequence[float]) -> list[Mapping[str, Any]]:
    return [{"score": score, "list": number} for score, number in zip(scores, rows.lists, strict=True)]
