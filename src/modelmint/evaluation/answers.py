"""Tasks whose answers are no single label with probabilities: run the model over the test rows, measure as its task says.

What is measured is the task's own (`training.tasks`): entities, answers, translations, rankings, errors in the unit of
the target. Every figure has its interval and its count.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from modelmint.core import tables
from modelmint.core.clock import monotonic_s
from modelmint.core.errors import DataError, InputError
from modelmint.core.gates import Verdict
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model
from modelmint.evaluation.gates import LOWER_IS_BETTER
from modelmint.evaluation.significance import Figure
from modelmint.training.tasks import TASKS, open_model, read_about

PREDICTIONS = pa.schema([("_row", pa.string()), ("answer", pa.string())])
NUM_SHOWN = 20
SHOWN_CHARS = 300
HEAVY = ("image", "audio")
"""Columns that no measure needs, and that are large."""

Columns = dict[str, list[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """The rows by column, an answer each, and what they are worth."""

    task: str
    truth: Columns
    answers: Sequence[Any]
    figures: dict[str, Figure]
    seconds: float

    def table(self) -> pa.Table:
        """`PREDICTIONS`: the answers as JSON."""
        texts = [json.dumps(answer, ensure_ascii=False, sort_keys=True) for answer in self.answers]
        return pa.table([self.truth["_row"], texts], schema=PREDICTIONS)

    def shown(self) -> list[JSON]:
        """The first rows with their answers, for people."""
        return [
            {
                "_row": self.truth["_row"][at],
                "asked": {name: _short(cells[at]) for name, cells in self.truth.items() if not name.startswith("_")},
                "answer": _short(answer),
            }
            for at, answer in enumerate(self.answers[:NUM_SHOWN])
        ]


def answered(model: Model, test: Dataset, ctx: StageContext, *, message: str = "answering the test set") -> Answered:
    """Ask the model every row of the test set, and measure.

    Raises:
        DataError: the test set is empty, or its rows are not for the model's task.
        InputError: it is not a model that `train` made.
    """
    folder = model.files.folder()
    task = TASKS[str(read_about(folder)["task"])]
    form = str(test.facts.get("task", "text-classification"))
    if form not in task.forms or not test.num_rows:
        given = f"{test.name} has no rows" if not test.num_rows else f"{test.name} is for {form}"
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

    def say(done: int, _total: int, _message: str) -> None:
        ctx.check()
        ctx.say(len(answers) + done, test.num_rows, message)

    for batch in tables.batches(test):
        rows = {name: batch.column(name).to_pylist() for name in batch.schema.names}
        answers += predictor.predict(rows, say)
        ctx.say(len(answers), test.num_rows, message)
        for name in truth:
            truth[name] += rows[name]
    seconds = monotonic_s() - started_s
    figures = task.measure()(truth, answers, seed=ctx.seed)
    return Answered(task=task.name, truth=truth, answers=answers, figures=figures, seconds=seconds)


def beside_live(found: Answered, live: Answered, *, tolerance: float) -> list[Verdict]:
    """The gate that stands where none names the live model: the main figure, at most `tolerance` of it worse.

    Raises:
        InputError: the live model is for another task.
    """
    if found.task != live.task:
        raise InputError(
            f"live: must be a model for {found.task}; got one for {live.task}",
            parameter="live",
            remedy="Deploy the new task under a name of its own.",
        )
    name = next(iter(found.figures))
    value, other = found.figures[name]["value"], live.figures[name]["value"]
    room = tolerance * abs(other)
    passed = value <= other + room if name in LOWER_IS_BETTER else value >= other - room
    sign = "<=" if name in LOWER_IS_BETTER else ">="
    allowed = f"{sign} live {'+' if name in LOWER_IS_BETTER else '-'} {tolerance:.0%} of it"
    reason = "" if passed else f"{name}: must be {allowed}, {other:.4f}; it is {value:.4f}"
    return [Verdict(name=name, allowed=allowed, value=round(value, 6), passed=passed, reason=reason)]


def facts_of(found: Answered, live: Answered | None, live_name: str | None) -> JSON:
    """What the report says beside its gates."""
    return {
        "task": found.task,
        "num_rows": len(found.answers),
        "metrics": found.figures,
        "baseline": None,
        "live": {"name": live_name, "metrics": live.figures} if live is not None else None,
        "shown": found.shown(),
    }


def values(figures: Mapping[str, Figure]) -> dict[str, float]:
    """The figures without their intervals."""
    return {name: float(figure["value"]) for name, figure in figures.items()}


def _short(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"
