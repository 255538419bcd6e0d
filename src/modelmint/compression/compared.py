"""What a variant's answers are worth beside those of the trained model, by the measure of the model's task.

It knows rows, answers and figures, never how a variant was made.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelmint.core.errors import InputError, StageError
from modelmint.core.figures import is_lower_better
from modelmint.core.inputs import SERVED, WRITTEN, Input
from modelmint.core.stage import StageContext
from modelmint.core.types import Model
from modelmint.evaluation import rows
from modelmint.evaluation.metrics.classification import accuracy
from modelmint.evaluation.proof.sides import alike, shared
from modelmint.evaluation.significance import Figure
from modelmint.serving.engines import answers, open_engine, stacked
from modelmint.training.tasks import TASKS, open_model

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
    if task not in (*SERVED, *WRITTEN):
        raise InputError(
            f"model: must be for {', '.join((*SERVED, *WRITTEN))}, of which variants can be served; {model.name} is for {task}",
            parameter="model",
            remedy="Take compress, parity and deploy out of the recipe; such a model is opened in Python.",
        )
    return task


class Rows(rows.Rows):
    """Rows, and what answers to them are worth."""

    def figures(self, given: Answers, *, seed: int) -> dict[str, Figure]:
        """The task's figures with intervals; the first is the main one."""
        found: dict[str, Figure] = TASKS[self.task].measure()(self.columns, given, seed=seed)
        return found

    def drop(self, trained: Answers, given: Answers, *, seed: int) -> float:
        """By how much the main figure is worse than the trained model's: in points, of an error as a share of it."""
        if "label" in given[0]:
            right, others = ([answer["label"] for answer in one] for one in (trained, given))
            return float(accuracy(self.truth, right) - accuracy(self.truth, others))
        one, other = self.figures(trained, seed=seed), self.figures(given, seed=seed)
        name = next(iter(one))
        before, after = float(one[name]["value"]), float(other[name]["value"])
        return (after - before) / max(before, 1e-12) if is_lower_better(name) else before - after


def agreement(trained: Answers, given: Answers) -> float:
    """The share of rows on which both say the same: the label, the set of labels, or about the number (`ALIKE`).

    Of tags the share of words in a row, of rankings that of the first items, on the mean of the rows.
    """
    if "value" in trained[0]:
        one, other = (np.asarray([answer["value"] for answer in every]) for every in (trained, given))
        return float((np.abs(one - other) <= ALIKE * one.std() + 1e-12).mean())
    same = [
        (shared if "items" in one else alike)(_said(one), _said(other))
        for one, other in zip(trained, given, strict=True)
    ]
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
    return [_asked(name, engine, one.inputs, ctx) for one in rows]


def _asked(name: str, engine: Any, texts: Sequence[Input], ctx: StageContext) -> Answers:
    logits, are_rows = outputs(name, engine, texts, ctx), isinstance(texts[0], dict) and "row" in texts[0]
    if not (engine.labels and are_rows):
        return answers(logits, engine.labels, how=engine.how, inputs=texts)
    found = answers(logits, engine.labels, how=engine.how, all_scores=True, inputs=texts)
    return [{**one, "probabilities": one["scores"]} for one in found]  # tables are measured by them


def outputs(name: str, engine: Any, texts: Sequence[Input], ctx: StageContext) -> Any:
    """What an engine gives for each input (`Engine.logits`).

    Raises:
        StageError: a number is not finite.
    """
    encodings = engine.encode(texts)
    order = sorted(range(len(texts)), key=lambda at: len(encodings[at]))  # like lengths together: little padding
    parts = []
    for start in range(0, len(order), BATCH_TEXTS):
        if start % CHUNK_TEXTS == 0:
            ctx.check()
            ctx.say(start, len(order), f"asking {name}")
        parts.extend(engine.logits([encodings[at] for at in order[start : start + BATCH_TEXTS]]))
    logits = stacked([parts[at] for at in np.argsort(order)])
    num_broken = sum(not np.isfinite(row).all() for row in logits)
    if num_broken:
        raise StageError(f"{name}: must answer with finite numbers; for {num_broken} of {len(texts)} texts it does not")
    return logits


def _said(answer: Mapping[str, Any]) -> Any:
    if "answer" in answer:
        return answer["answer"]
    if "items" in answer:
        return [one["item"] for one in answer["items"]]
    if "tags" in answer:
        return answer["tags"]
    return sorted(answer["labels"]) if "labels" in answer else answer["label"]
