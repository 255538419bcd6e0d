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
from modelmint.training.catalogue import Kind
from modelmint.training.knobs import NAMES, Knobs, resolve
from modelmint.training.spec import TrainSpec

if TYPE_CHECKING:
    from modelmint.training.learner import Learner

ALL = frozenset(NAMES)
FREEZES = frozenset({"freeze_embeddings"})
LABELS = frozenset({"label_smoothing", "class_weights", "head_learning_rate", "head_dropout"})

PIXELS = ALL - {"max_tokens", "freeze_embeddings", "encoder_dropout"}
CNN = {
    "epochs": 4,
    "min_steps": 1200,
    "batch_size": 128,
    "learning_rate": 2e-3,
    "weight_decay": 0.05,
    "schedule": "cosine",
    "warmup": 0.15,
    "ema": 0.99,
}
LANGUAGE = ALL - {"class_weights", "head_dropout", "head_learning_rate"}
LANGUAGE_MODEL = {"label_smoothing": 0.0, "schedule": "cosine", "max_tokens": 256, "min_steps": 0}
WRITTEN = ALL - {"class_weights", "head_learning_rate", "head_dropout"}
CHATS = {
    "epochs": 3,
    "min_steps": 0,
    "batch_size": 16,
    "learning_rate": 2e-5,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "warmup": 0.03,
    "label_smoothing": 0.0,
    "max_tokens": 1024,
}

TABLES = PIXELS - {"head_learning_rate", "gradient_checkpointing"}
NETWORK = {
    "epochs": 20,
    "min_steps": 400,
    "batch_size": 256,
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "schedule": "cosine",
    "label_smoothing": 0.0,
    "head_dropout": 0.3,
    "ema": 0.99,
    "patience": 10,
    "precision": "fp32",
}


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
    method_rate: float = 1.0
    """What the methods' learning rates, which were found on encoders, are multiplied by."""
    has_base: bool = True
    """False where it always starts from nothing."""
    base_kind: Kind = "encoder"
    """Which bases it can start from."""
    starter: str = "starter"
    """What `base: starter`, which is a base for texts, means to it."""

    def learner(self) -> "type[Learner[Any]]":
        learner: type[Learner[Any]] = _named(self.code)
        return learner

    def begun(self, spec: TrainSpec) -> TrainSpec:
        """The spec with what it starts from.

        Raises:
            InputError: it names a base, and the task always starts from nothing.
        """
        if self.starter != "starter" and not self.forms[0].startswith("text"):
            self._read_no_texts(spec)
        if spec.base == "starter" and self.starter != "starter":
            return spec.model_copy(update={"base": self.starter})
        if not self.has_base and spec.base != "none":
            raise InputError(
                f"base: must be none for {self.name}, which starts from nothing; got {spec.base!r}",
                parameter="base",
                remedy="Take base out of train.",
            )
        return spec

    def measure(self) -> Callable[..., dict[str, Any]]:
        """``measure(truth, answers, *, seed)``: what the answers are worth."""
        measure: Callable[..., dict[str, Any]] = _named(self.metrics)
        return measure

    def _read_no_texts(self, spec: TrainSpec) -> None:
        asked = spec.architecture.name if spec.architecture is not None else None
        wrong = {
            "tokenizer": spec.tokenizer is not None,
            "architecture": asked is not None and asked not in self.architectures,
            "method": spec.method.name not in ("full", "freeze")
            or (spec.base in ("none", "starter") and spec.method.name != "full"),
        }
        if name := next((name for name, is_wrong in wrong.items() if is_wrong), None):
            allowed = " or ".join(self.architectures) if name == "architecture" and self.architectures else "left out"
            raise InputError(
                f"{name}: must be {allowed} for {self.name}{' from nothing' if name == 'method' else ''}; got "
                f"{asked if name == 'architecture' else getattr(spec, name).name!r}",
                parameter=name,
                remedy=f"Take {name} out of train.",
            )

    def knobs(self, spec: TrainSpec, *, warm: bool = False) -> Knobs:
        """Every knob's value: what was set, else what the method says, else the task's default.

        Args:
            warm: an earlier model is gone on from, which needs half the epochs at half the learning rate.
        """
        scratch = self.from_nothing if spec.base == "none" and not warm else {}
        method = dict(spec.method.defaults)
        if "learning_rate" in method:
            method["learning_rate"] *= self.method_rate
        defaults = {**self.defaults, **scratch, **method}
        if warm:
            defaults["epochs"] = max(1, round(defaults.get("epochs", Knobs().epochs) / 2))
            defaults["learning_rate"] = defaults.get("learning_rate", Knobs().learning_rate) / 2
        return resolve(spec, self.name, reads=self.reads, defaults=defaults)


_HERE, _METRICS = "modelmint.training.tasks", "modelmint.evaluation.metrics"
TASKS = {task.name: task for task in (
    Task(name="text-classification", forms=("text-classification",), answer="one of the labels, with a score",
         code=f"{_HERE}.text_classification:TextClassification",
         predictor=f"{_HERE}.text_classification:load_classifier", metrics=f"{_METRICS}.classification:measure_answers", served="onnx",
         architectures=("transformer", "lstm", "text-cnn"),
         from_nothing={"learning_rate": 1e-3, "epochs": 10, "encoder_dropout": 0.1}),
    Task(name="text-pair-classification", forms=("text-pair-classification",), answer="one of the labels, with a score",
         code=f"{_HERE}.pair_classification:PairClassification",
         predictor=f"{_HERE}.text_classification:load_classifier", metrics=f"{_METRICS}.classification:measure_answers", served="onnx",
         architectures=("transformer", "lstm", "text-cnn"),
         from_nothing={"learning_rate": 1e-3, "epochs": 10, "encoder_dropout": 0.1}),
    Task(name="multi-label-classification", forms=("multi-label-classification",), answer="any number of the labels, with their scores",
         code=f"{_HERE}.multi_label:MultiLabelClassification",
         predictor=f"{_HERE}.multi_label:load_label_sets", metrics=f"{_METRICS}.labels:measure", served="onnx",
         architectures=("transformer", "lstm", "text-cnn"), defaults={"label_smoothing": 0.0},
         from_nothing={"learning_rate": 1e-3, "epochs": 10, "encoder_dropout": 0.1}),
    Task(name="text-regression", forms=("text-regression",), answer="a number, in the unit of the training rows",
         code=f"{_HERE}.text_regression:TextRegression",
         predictor=f"{_HERE}.text_regression:load_numbers", metrics=f"{_METRICS}.regression:measure", served="onnx",
         architectures=("transformer", "lstm", "text-cnn"), reads=ALL - {"label_smoothing", "class_weights"},
         from_nothing={"learning_rate": 1e-3, "epochs": 10, "encoder_dropout": 0.1}),
    Task(name="token-classification", forms=("token-classification",), answer="a tag a word, and the entities that they make",
         code=f"{_HERE}.token_classification:TokenClassification",
         predictor=f"{_HERE}.tagger:load_tagger", metrics=f"{_METRICS}.entities:measure", served="onnx",
         architectures=("transformer",),
         defaults={"learning_rate": 6e-4, "head_learning_rate": 2e-3, "epochs": 3, "max_tokens": 256, "label_smoothing": 0.0},
         from_nothing={"learning_rate": 1e-3, "epochs": 20, "encoder_dropout": 0.1}),
    Task(name="question-answering", forms=("question-answering",), answer="a piece of the context, and where it stands",
         code=f"{_HERE}.question_answering:QuestionAnswering",
         predictor=f"{_HERE}.reader:load_reader", metrics=f"{_METRICS}.answers:measure", served="onnx",
         reads=ALL - {"label_smoothing", "class_weights"}, architectures=("transformer",),
         defaults={"learning_rate": 3e-4, "max_tokens": 256, "epochs": 3, "batch_size": 16},
         from_nothing={"learning_rate": 1e-3, "epochs": 20, "encoder_dropout": 0.1}),
    Task(name="image-classification", forms=("image-classification",), answer="one of the labels, with a score",
         code=f"{_HERE}.image_classification:ImageClassification",
         predictor=f"{_HERE}.image_classification:load_images", metrics=f"{_METRICS}.classification:measure_answers", base_kind="image", served="onnx",
         architectures=("cnn",), starter="none", reads=PIXELS, from_nothing=CNN),
    Task(name="audio-classification", forms=("audio-classification",), answer="one of the labels, with a score",
         code=f"{_HERE}.audio_classification:AudioClassification",
         predictor=f"{_HERE}.audio_classification:load_sounds", metrics=f"{_METRICS}.classification:measure_answers", served="onnx",
         architectures=("cnn",), starter="none", has_base=False, reads=PIXELS - {"head_learning_rate", "gradient_checkpointing"}, from_nothing=CNN),
    Task(name="text-generation", forms=("text-generation",), answer="how surprised it is by the text",
         code=f"{_HERE}.text_generation:TextGeneration", predictor=f"{_HERE}.language_model:load_language_model",
         metrics=f"{_METRICS}.language:measure", base_kind="decoder", served="generation", starter="none",
         architectures=("transformer", "lstm"), reads=LANGUAGE, defaults={**LANGUAGE_MODEL, "learning_rate": 5e-5, "epochs": 3},
         from_nothing={"learning_rate": 3e-3, "epochs": 20, "encoder_dropout": 0.1, "weight_decay": 0.1}),
    Task(name="masked-language-model", forms=("text-generation", "text-classification"), answer="how surprised it is by words that are hidden",
         code=f"{_HERE}.masked_language_model:MaskedLanguageModel", predictor=f"{_HERE}.masked_model:load_masked",
         metrics=f"{_METRICS}.language:measure_masked", served="torch",
         architectures=("transformer",), reads=LANGUAGE | {"head_learning_rate"}, defaults={**LANGUAGE_MODEL, "learning_rate": 1e-4, "head_learning_rate": 5e-4, "epochs": 5},
         from_nothing={"learning_rate": 1e-3, "epochs": 30, "encoder_dropout": 0.1}),
    Task(name="chat", forms=("chat",), answer="what the assistant says next, and how surprised it is by the row's own answers",
         code=f"{_HERE}.chat:Chat",
         predictor=f"{_HERE}.chat_model:load_chat", metrics=f"{_METRICS}.chat:measure", base_kind="decoder", served="generation",
         reads=WRITTEN, architectures=("transformer", "lstm"), defaults=CHATS, method_rate=0.1,
         from_nothing={"learning_rate": 2e-3, "epochs": 10, "encoder_dropout": 0.1, "weight_decay": 0.1}),
    Task(name="preference", forms=("preference",), answer="how likely each of the two answers is",
         code=f"{_HERE}.preference:Preference",
         predictor=f"{_HERE}.preference_model:load_preference", metrics=f"{_METRICS}.preferences:measure", base_kind="decoder", served="generation",
         reads=WRITTEN, defaults={**CHATS, "epochs": 1, "learning_rate": 5e-6, "warmup": 0.1}, method_rate=0.025),
    Task(name="text2text-generation", forms=("text2text-generation",), answer="a text",
         code=f"{_HERE}.text2text:Text2Text", predictor="modelmint.training.writing:load_writer",
         metrics=f"{_METRICS}.translation:measure", base_kind="seq2seq", served="torch", starter="none",
         architectures=("transformer",), reads=ALL - {"class_weights", "head_learning_rate", "head_dropout"},
         defaults={"epochs": 3, "learning_rate": 3e-4, "max_tokens": 256, "encoder_dropout": 0.1},
         from_nothing={"learning_rate": 1e-3, "epochs": 20, "batch_size": 64, "warmup": 0.1}),
    Task(name="text-embedding", forms=("text-classification", "text-retrieval"), answer="a vector a text",
         code=f"{_HERE}.text_embedding:TextEmbedding", predictor=f"{_HERE}.text_embedding:load_embedder",
         metrics=f"{_METRICS}.retrieval:measure", served="onnx", architectures=("transformer",),
         reads=ALL - LABELS, defaults={"batch_size": 64, "learning_rate": 1e-4, "epochs": 3, "min_steps": 100},
         from_nothing={"learning_rate": 1e-3, "epochs": 10, "encoder_dropout": 0.1}),
    Task(name="text-reranking", forms=("text-retrieval", "text-pair-classification"), answer="how well a document answers a query",
         code=f"{_HERE}.text_reranking:TextReranking", predictor=f"{_HERE}.text_reranking:load_reranker",
         metrics=f"{_METRICS}.retrieval:measure_reranked", served="onnx", architectures=("transformer",),
         reads=ALL - {"class_weights", "label_smoothing", "head_dropout"},
         defaults={"batch_size": 16, "learning_rate": 1e-4, "epochs": 2, "min_steps": 100, "max_tokens": 256},
         from_nothing={"learning_rate": 1e-3, "epochs": 10, "encoder_dropout": 0.1}),
    Task(name="recommendation", forms=("recommendation",), answer="what a user takes next, the best first",
         code=f"{_HERE}.recommendation:Recommendation", predictor=f"{_HERE}.recommender:load_recommender",
         metrics=f"{_METRICS}.recommendation:measure", served="onnx", starter="none", has_base=False,
         reads=ALL - LABELS - FREEZES - {"max_tokens", "gradient_checkpointing"} | {"label_smoothing"},
         from_nothing={"learning_rate": 2e-3, "epochs": 20, "min_steps": 0, "batch_size": 16, "encoder_dropout": 0.3, "ema": 0.99,
                       "label_smoothing": 0.0, "patience": 5}),
    Task(name="tabular-classification", forms=("tabular-classification",), answer="one of the labels, with the probability of each",
         code=f"{_HERE}.tabular:TableLearner", predictor=f"{_HERE}.table_model:load_table", metrics=f"{_METRICS}.tables:measure_classes", served="lightgbm",
         starter="none", has_base=False, reads=TABLES, defaults=NETWORK),
    Task(name="tabular-regression", forms=("tabular-regression",), answer="a number",
         code=f"{_HERE}.tabular:TableRegression", predictor=f"{_HERE}.table_model:load_table", metrics=f"{_METRICS}.tables:measure_numbers", served="lightgbm",
         starter="none", has_base=False, reads=TABLES - {"class_weights", "label_smoothing"}, defaults=NETWORK),
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
