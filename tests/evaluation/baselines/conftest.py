"""Rows to learn from, rows that are asked, and what a model answered to these."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.forms import form_of
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.answers import HEAVY, measured
from modelmint.evaluation.baselines.cheap import Asked
from modelmint.evaluation.predict import Predictions

Rows = Sequence[Mapping[str, Any]]


@pytest.fixture
def asked(desk: StagingDesk, context: StageContext, tmp_path: Any) -> Callable[..., Asked]:
    """``asked("text-regression", train_rows, test_rows, answers)``; `form` where it is not the task's name."""

    def make(
        task: str, train: Rows, test: Rows, answers: Sequence[Any], *, form: str = "", model: Model | None = None
    ) -> Asked:
        def dataset(name: str, rows: Rows) -> Dataset:
            numbered = [{"_row": f"{name}{at}", **row} for at, row in enumerate(rows)]
            return desk.dataset(name, pa.Table.from_pylist(numbered), facts={"task": form or task})

        if model is None:
            (tmp_path / "empty").mkdir(exist_ok=True)
            (tmp_path / "empty" / "modelmint.json").write_text(f'{{"task": "{task}", "base": "none"}}')
            model = desk.model("model", tmp_path / "empty")
        asked_rows = dataset("test", test)
        truth = {
            name: [row[name] for row in test] for name in asked_rows.facts["columns"] if name not in (*HEAVY, "_row")
        } | {"_row": [f"test{at}" for at in range(len(test))]}
        chances = None
        if answers and "probabilities" in answers[0]:
            labels = tuple(answers[0]["probabilities"])
            chances_nl = np.array([[one["probabilities"][label] for label in labels] for one in answers], np.float32)
            chances = Predictions(labels=labels, probabilities=chances_nl)
        found = measured(task, form_of(asked_rows), truth, answers, chances, seconds=1.0, seed=context.seed)
        return Asked(model=model, train=dataset("train", train), test=asked_rows, found=found, ctx=context)

    return make
