"""What a variant of a language model is worth beside the trained one: how surprised each is by the same texts.

Both read the texts as the trained model does, in pieces of what it reads, each token predicted from those before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelmint.compression.compared import Answers
from modelmint.compression.compared_chats import agreement
from modelmint.core import tables
from modelmint.core.errors import DataError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.metrics.language import measure
from modelmint.evaluation.rows import drawn
from modelmint.evaluation.significance import Figure
from modelmint.serving.writers import open_writer

FIGURES = ("perplexity", "bits_per_byte", "loss")
MAX_TEXTS = 300
MAX_CHARACTERS = 1_000
"""Of a text that is compared, its beginning; where there are fewer texts, as much more of each."""
SHOWN = 0.5
"""The share of a text that is given to go on with when a variant is timed."""

__all__ = ["TextRows", "agreement", "ask_trained", "ask_variant"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextRows:
    """Texts, and the pieces of token ids in which each is read; each token of a piece but the first is predicted."""

    task: str
    texts: Sequence[str]
    pieces: Sequence[Sequence[Sequence[int]]]

    @classmethod
    def read(cls, dataset: Dataset, model: Model, role: str, *, limit: int, seed: int) -> "TextRows":
        """At most `limit` texts, and `MAX_TEXTS`, chosen by the seed.

        Raises:
            DataError: the dataset holds no text with something to predict.
        """
        from modelmint.training.tasks.language_model import load_language_model

        if "text" not in tables.column_names(dataset) or not dataset.num_rows:
            raise _unfit(role, "no rows" if not dataset.num_rows else "no column text")
        column = drawn(tables.read(dataset, ["text"]), min(limit, MAX_TEXTS), seed).column("text").to_pylist()
        most = MAX_CHARACTERS * MAX_TEXTS // len(column)
        texts = [text[:most] for text in column if text]
        opened = load_language_model(model.files.folder())
        pieces = [opened.pieces([text]) for text in texts]
        kept = [at for at, some in enumerate(pieces) if some]
        if not kept:
            raise _unfit(role, f"{len(column)} rows without one")
        return cls(task="text-generation", texts=[texts[at] for at in kept], pieces=[pieces[at] for at in kept])

    @property
    def num_rows(self) -> int:
        return len(self.texts)

    @property
    def inputs(self) -> list[Any]:
        """What is gone on with when a variant is timed: the beginnings of the texts."""
        return [text[: max(1, int(len(text[:MAX_CHARACTERS]) * SHOWN))] for text in self.texts]

    def figures(self, given: Answers, *, seed: int) -> dict[str, Figure]:
        """``perplexity``, ``bits_per_byte`` and ``loss`` with intervals."""
        found = measure({"text": self.texts}, given, seed=seed)
        return {name: found[name] for name in FIGURES}

    def drop(self, trained: Answers, given: Answers, *, seed: int) -> float:
        """By how much the loss is above the trained model's, as a share of that."""
        _ = seed
        before, after = (sum(one["loss"] for one in every) for every in (trained, given))
        return float((after - before) / max(before, 1e-12))


def ask_trained(model: Model, rows: Sequence[TextRows], ctx: StageContext) -> list[Answers]:
    """``{"loss", "tokens", "best"}`` of every text of several sets by the trained model, in PyTorch."""
    import torch

    from modelmint.training.tasks.language_model import load_language_model

    torch.set_num_threads(ctx.num_threads)
    opened = load_language_model(model.files.folder())
    return [_asked("the trained model", opened, one, ctx) for one in rows]


def ask_variant(name: str, folder: Path, rows: Sequence[TextRows], ctx: StageContext) -> list[Answers]:
    """The same by a variant, by the engine that serves it.

    Raises:
        StageError: it holds probabilities that are no finite numbers.
    """
    writer = open_writer(folder, ctx.num_threads)
    return [_asked(name, writer, one, ctx) for one in rows]


def _asked(name: str, opened: Any, rows: TextRows, ctx: StageContext) -> Answers:
    found: list[dict[str, Any]] = []
    for at, pieces in enumerate(rows.pieces):
        ctx.check()
        ctx.say(at, rows.num_rows, f"asking {name}")
        told = [opened.follow(piece, range(1, len(piece))) for piece in pieces]
        best = np.concatenate([one for _, one, _ in told])
        found.append({"loss": -float(sum(held.sum() for held, _, _ in told)), "tokens": len(best), "best": best})
    num_broken = sum(not np.isfinite(one["loss"]) for one in found)
    if num_broken:
        raise StageError(f"{name}: must hold finite probabilities; in {num_broken} of {len(found)} texts it does not")
    return found


def _unfit(role: str, given: str) -> DataError:
    return DataError(
        f"{role}: must hold texts with something to predict; got {given}",
        parameter=role,
        remedy="Look whether the right column was read as the text, or give this split a larger share.",
    )
