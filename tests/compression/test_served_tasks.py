"""Every task that an endpoint answers: trained, exported, served by the real server, and the same as what was trained."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.variants import Given, Workshop
from modelmint.core.inputs import SERVED
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON
from modelmint.evaluation.parity import ParityInputs, ParitySpec, parity
from tests.tiny_base import questions, write_base
from tests.tiny_spans import asked, sentences
from tests.tiny_texts import numbers, pairs, sets, with_pair_template
from tests.training.tasks.made import fit, rows_of
from tests.training.tasks.media import customers, pictures, recordings
from tests.training.tasks.test_recommendation import walks
from tests.training.tasks.test_text_embedding import queries


def taken(_num_rows: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """What users take, in their order: to learn from, to validate with (seed 9), to test (seed 4)."""
    start, stop = {0: (0, 10), 9: (10, 11), 4: (11, 12)}[seed]
    return walks(start, stop)


ROWS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "text-classification": questions,
    "text-pair-classification": pairs,
    "multi-label-classification": sets,
    "text-regression": numbers,
    "token-classification": sentences,
    "question-answering": asked,
    "text-embedding": questions,
    "text-reranking": queries,
    "image-classification": pictures,
    "audio-classification": recordings,
    "tabular-classification": customers,
    "tabular-regression": functools.partial(customers, number=True),
    "recommendation": taken,
}
OF_ROWS = {"text-embedding": "text-classification", "text-reranking": "text-retrieval"}
"""The form of their rows, where it has another name than the task."""
TEXTS = {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "head_learning_rate": 1e-2, "max_tokens": 24}
FILES = {"architecture": {"name": "cnn", "width": 8, "num_stages": 2}, "epochs": 2, "batch_size": 16}
TAKEN = {
    "epochs": 4,
    "learning_rate": 1e-2,
    "ema": 0.0,
    "options": {"model": "two-tower", "width": 32, "max_history": 8, "baselines": False},
}
TABLES = {"lightgbm-fp64": "boosting", "numpy-fp64": "linear", "onnx-fp32": "network"}
WHOLE = {"min_steps": None, "precision": None}
NETWORK = {"epochs": 5, "batch_size": 32, "learning_rate": 5e-3}
FORMS = [(task, "onnx-fp32") for task in ROWS] + [
    ("tabular-classification", "lightgbm-fp64"),
    ("tabular-classification", "numpy-fp64"),
    ("tabular-regression", "lightgbm-fp64"),
    ("tabular-regression", "numpy-fp64"),
    ("token-classification", "onnx-int8-static"),
    ("question-answering", "onnx-int8-static"),
    ("text-embedding", "onnx-int8-static"),
    ("text-reranking", "onnx-int8"),
    ("image-classification", "onnx-int8-static"),
    ("audio-classification", "onnx-int8-static"),
]


def test_every_task_that_is_served_is_tried() -> None:
    assert set(ROWS) == set(SERVED)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "form"), FORMS)
def test_a_task_passes_parity_through_the_real_endpoint(
    task: str, form: str, context: StageContext, desk: StagingDesk, tmp_path: Path
) -> None:
    facts = judged(task, form, dataclasses.replace(context, num_threads=1), desk, tmp_path)
    assert (facts["refused"], facts["exact"]["differences"]) == ([], [])
    assert facts["adversarial"]["num_refused_as_must"] >= 1
    if form.endswith(("fp32", "fp64")):
        assert (facts["agreement"], facts["adversarial"]["agreement"]) == (1.0, 1.0)


def judged(task: str, form: str, ctx: StageContext, desk: StagingDesk, work: Path) -> JSON:
    """The facts of parity of a model of few rows in this form."""
    rows = ROWS[task]
    spec: dict[str, Any] = FILES
    if task.startswith("tabular"):
        spec = {"options": {"model": TABLES[form]}, **(NETWORK if form == "onnx-fp32" else WHOLE)}
    elif task == "recommendation":
        spec = TAKEN
    elif task.split("-", maxsplit=1)[0] not in ("image", "audio"):
        base = with_pair_template(write_base(work / "base", num_spare_tokens=5))
        spec = {**TEXTS, "base": str(base)}
    if task == "text-embedding":
        spec = {name: value for name, value in spec.items() if name != "head_learning_rate"}
    form_of_rows = OF_ROWS.get(task, task)
    model = fit(ctx, desk, form_of_rows, rows(60), rows(30, seed=9), task=task, **spec).model
    train, test = (rows_of(desk, name, form_of_rows, rows(60, seed=seed)) for name, seed in (("train", 0), ("test", 4)))
    workshop = Workshop(model, ctx, Given(train=train))
    variant = workshop.lay_down(form, workshop.make(form))
    limits = ParitySpec(adversarial_rows=40, min_agreement=0.9, max_accuracy_drop=0.1)
    facts: JSON = parity(limits, ParityInputs(model=model, variant=variant, test=test), ctx).parity.facts
    return facts
