"""What a variant of a chat model is worth beside the trained one: how surprised each is by the right answers.

Both are led through the same answers token by token, so that one other word does not make all that follow differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelmint.compression.compared import Answers
from modelmint.core import tables
from modelmint.core.chat_rows import columns_of_chats, messages_of
from modelmint.core.errors import DataError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.metrics.chat import measure
from modelmint.evaluation.rows import drawn
from modelmint.evaluation.significance import Figure
from modelmint.serving.writers import open_writer

FIGURES = ("answer_loss", "perplexity")
MAX_CHATS = 300
"""Each token of an answer is a step of the engine, so that fewer rows are compared than of texts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatRows:
    """Chats as the trained model reads them: token ids, and the places of those that the assistant says."""

    task: str
    columns: Mapping[str, list[Any]]
    ids: Sequence[Sequence[int]]
    places: Sequence[Sequence[int]]

    @classmethod
    def read(cls, dataset: Dataset, model: Model, role: str, *, limit: int, seed: int) -> "ChatRows":
        """At most `limit` chats, and `MAX_CHATS`, chosen by the seed.

        Raises:
            DataError: the dataset holds no chat in which the assistant says something.
        """
        from modelmint.training.tasks.chat_model import load_chat

        names = columns_of_chats(tables.column_names(dataset))
        if not names or not dataset.num_rows:
            raise _unfit(role, "no rows" if names else "no column messages")
        given = drawn(tables.read(dataset, names), min(limit, MAX_CHATS), seed).to_pylist()
        chats, tools = [messages_of(row) for row in given], [row.get("tools") for row in given]
        rows = load_chat(model.files.folder()).taught(chats, tools)
        kept = [at for at, row in enumerate(rows) if row is not None]
        if not kept:
            raise _unfit(role, f"{len(chats)} chats without one")
        taught = [row for row in rows if row is not None]
        return cls(
            task="chat",
            columns={"messages": [chats[at] for at in kept], "tools": [tools[at] for at in kept]},
            ids=[row.ids for row in taught],
            places=[[at for at, counts in enumerate(row.taught) if counts and at] for row in taught],
        )

    @property
    def num_rows(self) -> int:
        return len(self.ids)

    @property
    def inputs(self) -> list[Any]:
        """What is answered when a variant is timed: the chats before the assistant's last word."""
        asked = [chat[:-1] if len(chat) > 1 else chat for chat in self.columns["messages"]]
        return [[{key: cell for key, cell in one.items() if cell is not None} for one in chat] for chat in asked]

    def figures(self, given: Answers, *, seed: int) -> dict[str, Figure]:
        """``answer_loss`` and ``perplexity`` with intervals."""
        unsaid = [{**answer, "content": "", "finish": ""} for answer in given]
        found = measure(self.columns, unsaid, seed=seed)
        return {name: found[name] for name in FIGURES}

    def drop(self, trained: Answers, given: Answers, *, seed: int) -> float:
        """By how much the loss is above the trained model's, as a share of that."""
        _ = seed
        before, after = (sum(one["loss"] for one in every) for every in (trained, given))
        return float((after - before) / max(before, 1e-12))


def agreement(trained: Answers, given: Answers) -> float:
    """The share of the answers' tokens in the place of which both would say the same."""
    same = [one["best"] == other["best"] for one, other in zip(trained, given, strict=True)]
    return float(np.concatenate(same).mean())


def ask_trained(model: Model, rows: Sequence[ChatRows], ctx: StageContext) -> list[Answers]:
    """``{"loss", "tokens", "best"}`` of every chat of several sets by the trained model, in PyTorch."""
    import torch

    from modelmint.training.tasks.chat_model import load_chat

    torch.set_num_threads(ctx.num_threads)
    opened = load_chat(model.files.folder())
    return [_asked("the trained model", opened, one, ctx) for one in rows]


def ask_variant(name: str, folder: Path, rows: Sequence[ChatRows], ctx: StageContext) -> list[Answers]:
    """The same by a variant, by the engine that serves it.

    Raises:
        StageError: it holds probabilities that are no finite numbers.
    """
    writer = open_writer(folder, ctx.num_threads)
    return [_asked(name, writer, one, ctx) for one in rows]


def _asked(name: str, opened: Any, rows: ChatRows, ctx: StageContext) -> Answers:
    found = []
    for at, (ids, places) in enumerate(zip(rows.ids, rows.places, strict=True)):
        ctx.check()
        ctx.say(at, rows.num_rows, f"asking {name}")
        held, best, _ = opened.follow(ids, places)
        found.append({"loss": -float(held.sum()), "tokens": len(places), "best": best})
    num_broken = sum(not np.isfinite(one["loss"]) for one in found)
    if num_broken:
        raise StageError(f"{name}: must hold finite probabilities; in {num_broken} of {len(found)} chats it does not")
    return found


def _unfit(role: str, given: str) -> DataError:
    return DataError(
        f"{role}: must hold chats in which the assistant says something; got {given}",
        parameter=role,
        remedy="Give chats that end with an answer, or a larger share to this split.",
    )
