"""A model run over the test rows, and what its answers are worth: for every task, by the task's own figures.

Every figure has its interval and its count. From the same sums come slices, gates on some rows, and the worst rows.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from modelmint.core import tables
from modelmint.core.clock import monotonic_s
from modelmint.core.errors import DataError
from modelmint.core.figures import is_lower_better
from modelmint.core.forms import Form, form_of
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model
from modelmint.evaluation.metrics.classification import measure_answers
from modelmint.evaluation.metrics.probabilities import Chances, measure_chances
from modelmint.evaluation.predict import Predictions, opened, predict
from modelmint.evaluation.rows import Rows
from modelmint.evaluation.significance import Figure, Floats
from modelmint.evaluation.slicing.groups import texts_of
from modelmint.evaluation.sums import Mask, Sums, adding
from modelmint.training.tasks import TASKS, open_model, read_about

CLASSIFICATION = "text-classification"
PREDICTIONS = pa.schema([("_row", pa.string()), ("answer", pa.string())])
NUM_SHOWN = 20
SHOWN_CHARS = 300
HEAVY = ("image", "audio")
"""Columns that no measure needs, and that are large."""

Columns = dict[str, list[Any]]


@runtime_checkable
class Believer(Protocol):
    """A predictor that gives the probability of each label, not that of the best alone."""

    labels: Sequence[str]

    def chances(self, rows: Mapping[str, Sequence[Any]], say: Any = None) -> Chances:
        """(N, L), whose columns are `labels`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """The rows by column, an answer each, and what they are worth."""

    task: str
    form: Form
    truth: Columns
    answers: Sequence[Any]
    figures: dict[str, Figure]
    sums: Sequence[Sums]
    chances: Predictions | None
    """What a classifier believes; None where it does not tell."""
    seconds: float
    seed: int

    @property
    def main(self) -> str:
        """The figure by which models are compared."""
        return next(iter(self.figures))

    @property
    def labels(self) -> tuple[list[str], list[str]] | None:
        """(N,) the right label and the given one, where a row has one label; else None."""
        if not self.answers or self.form.predicts != "class" or "label" not in self.answers[0]:
            return None
        return [str(label) for label in self.truth["label"]], [str(answer["label"]) for answer in self.answers]

    def sums_of(self, name: str) -> Sums | None:
        """What a figure adds up from; None for one that does not add up."""
        return next((one for one in self.sums if name in one.names), None)

    def value(self, name: str, rows: Mask) -> float:
        """A figure of some rows; NaN where they have none."""
        if (sums := self.sums_of(name)) is not None:
            return sums.among(rows).value(name)
        if not rows.any():
            return math.nan
        return float(self.among(rows).figures.get(name, {"value": math.nan})["value"])

    def among(self, rows: Mask) -> "Answered":
        """The same of some rows alone, measured again. At least one."""
        places = np.flatnonzero(rows).tolist()
        truth = {name: [cells[at] for at in places] for name, cells in self.truth.items()}
        chances = self.chances and Predictions(
            labels=self.chances.labels, probabilities=self.chances.probabilities[places]
        )
        answers = [self.answers[at] for at in places]
        return measured(self.task, self.form, truth, answers, chances, seconds=self.seconds, seed=self.seed)

    def table(self) -> pa.Table:
        """`PREDICTIONS`: the answers as JSON."""
        texts = [json.dumps(answer, ensure_ascii=False, sort_keys=True) for answer in self.answers]
        return pa.table([self.truth["_row"], texts], schema=PREDICTIONS)

    def shown(self) -> list[JSON]:
        """The worst rows with their answers, for people; the first ones where no row has a figure of its own."""
        worth = self.worth()
        places = list(range(min(NUM_SHOWN, len(self.answers))))
        if worth is not None:
            bad = np.where(np.isfinite(worth), worth, -np.inf if not self.lower else np.inf)
            known = np.isfinite(worth)
            order = np.argsort(-bad if self.lower else bad, kind="stable")
            places = [int(at) for at in order if known[at]][:NUM_SHOWN] or places
        return [
            {
                "_row": self.truth["_row"][at],
                "asked": {name: short(cells[at]) for name, cells in self.truth.items() if not name.startswith("_")},
                "answer": short(self.answers[at]),
                **({"figure": round(float(worth[at]), 6)} if worth is not None and np.isfinite(worth[at]) else {}),
            }
            for at in places
        ]

    def said(self, places: Sequence[int]) -> list[str]:
        """What was asked in these rows, in one text: the texts of the row, or its cells."""
        texts = texts_of(self.truth, self.form)
        names = [name for name in self.truth if not name.startswith("_") and name != self.form.label]
        if texts:
            return [texts[at] for at in places]
        return ["; ".join(f"{name} {self.truth[name][at]}" for name in names) for at in places]

    @property
    def lower(self) -> bool:
        """Whether the lower main figure is the better."""
        return is_lower_better(self.main)

    def worth(self) -> Floats | None:
        """(N,) the main figure of each row alone, NaN where the row does not count; None where it does not add up."""
        sums = self.sums_of(self.main)
        if sums is None:
            return None
        found = np.full(len(self.answers), np.nan)
        found[sums.rows] = sums.each(self.main)
        return found


def answered(model: Model, test: Dataset, ctx: StageContext, *, message: str = "answering the test set") -> Answered:
    """Ask the model every row of the test set, and measure.

    Raises:
        DataError: the test set is empty, its rows are not for the model's task, or a row has no text or no label.
        InputError: it is not a model that `train` made, or a variant of one.
        StageError: a text classifier answers with numbers that are not finite.
    """
    if model.facts.get("task", CLASSIFICATION) == CLASSIFICATION:
        return _classified(model, test, ctx, message)
    folder = model.files.folder()
    task = TASKS[str(read_about(folder)["task"])]
    form = form_of(test)
    if form.task not in task.forms or not test.num_rows:
        given = f"{test.name} has no rows" if not test.num_rows else f"{test.name} is for {form.task}"
        raise DataError(
            f"test: must hold rows for {task.name}, the model's task; {given}",
            parameter="test",
            remedy="Split the same rows that the model was trained on, with a share for the test.",
        )
    import torch

    torch.set_num_threads(ctx.num_threads)
    predictor, started_s = open_model(folder), monotonic_s()
    truth: Columns = {name: [] for name in tables.column_names(test) if name not in HEAVY}
    answers: list[Any] = []
    believed: list[Chances] = []

    def say(done: int, _total: int, _message: str) -> None:
        ctx.check()
        ctx.say(len(answers) + done, test.num_rows, message)

    for batch in tables.batches(test):
        rows = {name: batch.column(name).to_pylist() for name in batch.schema.names}
        if isinstance(predictor, Believer):
            believed.append(predictor.chances(rows, say))
            answers += best_of(predictor.labels, believed[-1])
        else:
            answers += predictor.predict(rows, say)
        ctx.say(len(answers), test.num_rows, message)
        for name in truth:
            truth[name] += rows[name]
    seconds = monotonic_s() - started_s
    chances = _chances(predictor, believed, answers)
    return measured(task.name, form, truth, answers, chances, seconds=seconds, seed=ctx.seed)


def measured(
    task: str,
    form: Form,
    truth: Columns,
    answers: Sequence[Any],
    chances: Predictions | None,
    *,
    seconds: float,
    seed: int,
) -> Answered:
    """What answers are worth by the task's own figures, and by what is believed where that is known."""
    with adding() as sums:
        measure = measure_answers if task == CLASSIFICATION else TASKS[task].measure()
        figures: dict[str, Figure] = measure(truth, answers, seed=seed)
        if "macro_f1" in figures and "accuracy" in figures:
            figures = _with_micro(figures)
        if chances is not None:
            labels = [str(label) for label in truth["label"]]
            believed = measure_chances(labels, chances.labels, chances.probabilities, seed=seed)
            figures |= {name: figure for name, figure in believed.items() if name not in figures}
    return Answered(
        task=task, form=form, truth=truth, answers=answers, figures=figures, sums=sums, chances=chances,
        seconds=seconds, seed=seed,
    )  # fmt: skip


def values(figures: Mapping[str, Figure]) -> dict[str, float]:
    """The figures without their intervals."""
    return {name: float(figure["value"]) for name, figure in figures.items()}


def best_of(labels: Sequence[str], chances: Chances) -> list[JSON]:
    """``{"label", "score"}`` a row: the most probable label."""
    return [
        {"label": labels[at], "score": round(float(row[at]), 6)}
        for row, at in zip(chances, chances.argmax(axis=1), strict=True)
    ]


def short(value: Any, limit: int = SHOWN_CHARS) -> Any:
    """A cell or an answer as a text that a page can hold."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[:limit] + "…"


def _classified(model: Model, test: Dataset, ctx: StageContext, message: str) -> Answered:
    """A text classifier, trained or exported."""
    rows = Rows.read(test, CLASSIFICATION, "test")
    ready, started_s = opened(model, ctx), monotonic_s()  # to open it is no part of what an answer costs
    found = predict(model, rows.columns["text"], ctx, message=message, ready=ready)
    seconds = monotonic_s() - started_s
    truth: Columns = tables.read(test).to_pydict()
    answers = best_of(found.labels, found.probabilities)
    return measured(CLASSIFICATION, form_of(test), truth, answers, found, seconds=seconds, seed=ctx.seed)


def _chances(predictor: Any, believed: Sequence[Chances], answers: Sequence[Any]) -> Predictions | None:
    if believed:
        return Predictions(labels=tuple(predictor.labels), probabilities=np.concatenate(believed))
    if not answers or "probabilities" not in answers[0]:
        return None
    labels = tuple(answers[0]["probabilities"])
    rows = [[answer["probabilities"][label] for label in labels] for answer in answers]
    return Predictions(labels=labels, probabilities=np.array(rows, np.float32))


def _with_micro(figures: dict[str, Figure]) -> dict[str, Figure]:
    """Micro-F1 of rows with one label each: the accuracy, by another name."""
    found: dict[str, Figure] = {}
    for name, figure in figures.items():
        found[name] = figure
        if name == "macro_f1":
            found["micro_f1"] = figures["accuracy"]
    return found
