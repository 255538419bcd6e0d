"""The table of tasks. A new task is one entry here and one file beside it."""

import difflib
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modelmint.core.errors import DataError, InputError
from modelmint.core.types import JSON, Dataset
from modelmint.training.knobs import NAMES, Knobs, resolve
from modelmint.training.spec import TrainSpec

if TYPE_CHECKING:
    from modelmint.training.learner import Learner

ALL = frozenset(NAMES)
FREEZES = frozenset({"freeze_embeddings"})
LABELS = frozenset({"label_smoothing", "class_weights", "head_learning_rate", "head_dropout"})


class Predictor(Protocol):
    """A trained model as the reference. One thread at a time may call it."""

    def predict(
        self, rows: Mapping[str, Sequence[Any]], say: Callable[[int, int, str], None] | None = None
    ) -> list[Any]:
        """(N,) an answer a row: columns by name in, JSON values out, as the task's entry says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a task needs of its rows, what it gives for each, and where its code is."""

    name: str
    forms: tuple[str, ...]
    """The forms of rows (`core.forms`) that it learns from."""
    answer: str
    """What a trained model gives for a row."""
    code: str
    """``module:Learner``."""
    predictor: str
    """``module:function`` (folder) -> Predictor."""
    metrics: str
    """``module:measure`` of `evaluation.metrics`."""
    served: str
    """The form in which it is served."""
    reads: frozenset[str] = ALL
    """The knobs that mean something to it."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Where they are not those of `Knobs`."""
    from_nothing: Mapping[str, Any] = field(default_factory=dict)
    """Where they differ again with `base: none`."""
    architectures: tuple[str, ...] = ()
    """What can be made from nothing for it; the first is the default."""
    has_base: bool = True
    """False where it always starts from nothing."""

    def learner(self) -> "type[Learner[Any]]":
        learner: type[Learner[Any]] = _named(self.code)
        return learner

    def knobs(self, spec: TrainSpec) -> Knobs:
        """Every knob's value: what was set, else what the method says, else the task's default."""
        scratch = self.from_nothing if spec.base == "none" else {}
        defaults = {**self.defaults, **scratch, **spec.method.defaults}
        return resolve(spec, self.name, reads=self.reads, defaults=defaults)


_HERE, _METRICS = "modelmint.training.tasks", "modelmint.evaluation.metrics"
TASKS = {task.name: task for task in (
    Task(name="text-classification", forms=("text-classification",), answer="one of the labels, with a score",
         code=f"{_HERE}.text_classification:TextClassification",
         predictor=f"{_HERE}.text_classification:load_classifier", metrics=f"{_METRICS}.classification:measure_answers", served="onnx",
         architectures=("transformer", "lstm", "text-cnn"),
         from_nothing={"learning_rate": 1e-3, "epochs": 10, "encoder_dropout": 0.1}),
)}  # fmt: skip


def task_of(spec: TrainSpec, dataset: Dataset, role: str = "train") -> Task:
    """What a dataset is trained for.

    Raises:
        InputError: `spec.task` is not in the table.
        DataError: the rows are of a form that no task, or not this one, learns from.
    """
    form = str(dataset.facts.get("task", "text-classification"))
    if spec.task is not None and spec.task not in TASKS:
        near = difflib.get_close_matches(spec.task, TASKS, n=1)
        raise InputError(
            f"task: must be one of {', '.join(TASKS)}; got {spec.task!r}",
            parameter="task",
            remedy=f"Did you mean {near[0]}?" if near else "Leave it out: the rows say what they are for.",
        )
    fitting = [task.name for task in TASKS.values() if form in task.forms]
    wanted = spec.task or (form if form in fitting else next(iter(fitting), ""))
    if wanted not in fitting:
        raise DataError(
            f"{role}: must be rows that {wanted or 'a task'} learns from; {dataset.name} is for {form}"
            + (
                f", from which {', '.join(fitting)} can be trained"
                if fitting
                else ", for which no training is there yet"
            ),
            parameter=role,
            remedy="Set train.task, or collect the source with another `task`.",
        )
    return TASKS[wanted]


def open_model(folder: Path) -> Predictor:
    """The trained model in a model artifact's folder, on the GPU where there is one.

    Raises:
        InputError: the folder is not that of a trained model.
    """
    found: Predictor = _named(TASKS[read_about(folder)["task"]].predictor)(folder)
    return found


def read_about(folder: Path) -> JSON:
    """What modelmint.json says of a trained model: its task, base, licence, and what the task's learner adds.

    Raises:
        InputError: the folder is not that of a trained model.
    """
    path = folder / "modelmint.json"
    about: JSON = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if about.get("task") not in TASKS or "base" not in about:
        raise InputError(
            f"model: must be one that the verb `train` made, for one of {', '.join(TASKS)}; got "
            f"{about.get('variant') or about.get('task') or 'a folder without modelmint.json'}",
            parameter="model",
            remedy="Give the trained model itself, not a variant of it.",
        )
    return about


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
