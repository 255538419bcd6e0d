"""What a variant's answers are worth beside those of the trained model, by the measure of the model's task.

It knows rows, answers and figures, never how a variant was made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from modelmint.core import tables
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.gates import LOWER_IS_BETTER
from modelmint.evaluation.metrics.classification import accuracy
from modelmint.evaluation.significance import Figure
from modelmint.serving.engines import Text, answers, open_engine
from modelmint.training.tasks import TASKS, open_model

READ = {
    "text-classification": ("text", "label"),
    "text-pair-classification": ("text", "text_pair", "label"),
    "multi-label-classification": ("text", "labels"),
    "text-regression": ("text", "label"),
}
"""The tasks of labels and numbers of which a variant can be made, and the columns that are read."""
CHAT = "chat"
"""The one of models that write (`compared_chats`)."""
ALIKE = 0.05
"""Numbers agree when they are no farther apart than this share of the standard deviation of the trained model's."""
CHUNK_TEXTS = 2_048
BATCH_TEXTS = 64

Answers = Sequence[Mapping[str, Any]]


def task_of(model: Model) -> str:
    """The model's task.

    Raises:
        InputError: no variant can be made of such a model.
    """
    task = str(model.facts.get("task", "text-classification"))
    if task not in (*READ, CHAT):
        raise InputError(
            f"model: must be for {', '.join((*READ, CHAT))}, of which variants can be served; {model.name} is for {task}",
            parameter="model",
            remedy="Take compress, parity and deploy out of the recipe; such a model is opened in Python.",
        )
    return task


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Labelled rows of a task, by column, in the order of the dataset."""

    task: str
    columns: Mapping[str, list[Any]]

    @classmethod
    def read(cls, dataset: Dataset, task: str, role: str, *, limit: int, seed: int) -> "Rows":
        """At most `limit` rows, chosen by the seed.

        Raises:
            DataError: the dataset is empty, is for another task, or a cell is empty.
        """
        names = READ[task]
        missing = [name for name in names if name not in tables.column_names(dataset)]
        if missing or not dataset.num_rows:
            given = f"no column {' and no '.join(missing)}" if missing else "no rows"
            raise _unfit(role, names, given)
        table = drawn(tables.read(dataset, list(names)), limit, seed)
        columns = {name: table.column(name).to_pylist() for name in names}
        num_empty = sum(any(cell is None for cell in cells) for cells in zip(*columns.values(), strict=True))
        if num_empty:
            raise _unfit(role, names, f"{num_empty} rows without one of them")
        return cls(task=task, columns=columns)

    @property
    def num_rows(self) -> int:
        return len(self.columns["text"])

    @property
    def texts(self) -> list[Text]:
        """What an engine reads: texts or pairs."""
        pairs = self.columns.get("text_pair")
        return list(zip(self.columns["text"], pairs, strict=True)) if pairs is not None else list(self.columns["text"])

    def figures(self, given: Answers, *, seed: int) -> dict[str, Figure]:
        """The task's figures with intervals; the first is the main one."""
        found: dict[str, Figure] = TASKS[self.task].measure()(self.columns, given, seed=seed)
        return found

    def drop(self, trained: Answers, given: Answers, *, seed: int) -> float:
        """By how much the main figure is worse than the trained model's: in points, of an error as a share of it."""
        if "label" in given[0]:
            labels = self.columns["label"]
            right, others = ([answer["label"] for answer in one] for one in (trained, given))
            return float(accuracy(labels, right) - accuracy(labels, others))
        one, other = self.figures(trained, seed=seed), self.figures(given, seed=seed)
        name = next(iter(one))
        before, after = float(one[name]["value"]), float(other[name]["value"])
        return (after - before) / max(before, 1e-12) if name in LOWER_IS_BETTER else before - after


def drawn(table: pa.Table, limit: int, seed: int) -> pa.Table:
    """At most `limit` rows, chosen by the seed, in their order."""
    if table.num_rows <= limit:
        return table
    return table.take(np.sort(np.random.default_rng(seed).choice(table.num_rows, limit, replace=False)))


def agreement(trained: Answers, given: Answers) -> float:
    """The share of rows on which both say the same: the label, the set of labels, or about the number (`ALIKE`)."""
    if "value" in trained[0]:
        one, other = (np.asarray([answer["value"] for answer in every]) for every in (trained, given))
        return float((np.abs(one - other) <= ALIKE * one.std() + 1e-12).mean())
    same = [bool(_said(one) == _said(other)) for one, other in zip(trained, given, strict=True)]
    return sum(same) / len(same)


def ask_trained(model: Model, rows: Sequence[Rows], ctx: StageContext) -> list[Answers]:
    """The trained model's answers to each of several sets of rows, in PyTorch."""
    import torch

    torch.set_num_threads(ctx.num_threads)
    predictor = open_model(model.files.folder())

    def say(done: int, total: int, _message: str) -> None:
        ctx.check()
        ctx.say(done, total, "asking the trained model")

    return [predictor.predict(one.columns, say) for one in rows]


def ask_variant(name: str, folder: Path, rows: Sequence[Rows], ctx: StageContext) -> list[Answers]:
    """A variant's answers to each of several sets of rows, by the engine that serves it.

    Raises:
        StageError: an answer is no finite number.
    """
    engine = open_engine(folder, ctx.num_threads)
    return [_asked(name, engine, one.texts, ctx) for one in rows]


def _asked(name: str, engine: Any, texts: Sequence[Text], ctx: StageContext) -> Answers:
    encodings = engine.encode(texts)
    order = sorted(range(len(texts)), key=lambda at: len(encodings[at]))  # like lengths together: little padding
    parts = []
    for start in range(0, len(order), BATCH_TEXTS):
        if start % CHUNK_TEXTS == 0:
            ctx.check()
            ctx.say(start, len(order), f"asking {name}")
        parts.append(engine.logits([encodings[at] for at in order[start : start + BATCH_TEXTS]]))
    logits = np.concatenate(parts)[np.argsort(order)]
    num_broken = int((~np.isfinite(logits).all(axis=1)).sum())
    if num_broken:
        raise StageError(f"{name}: must answer with finite numbers; for {num_broken} of {len(texts)} texts it does not")
    return answers(logits, engine.labels, how=engine.how)


def _said(answer: Mapping[str, Any]) -> Any:
    return frozenset(answer["labels"]) if "labels" in answer else answer["label"]


def _unfit(role: str, names: Sequence[str], given: str) -> DataError:
    return DataError(
        f"{role}: must have at least one row, and a {' and a '.join(names)} in each; got {given}",
        parameter=role,
        remedy="Give more labelled rows, or a larger share to this split.",
    )
