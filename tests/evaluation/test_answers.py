"""evaluate for tasks whose answers are no single label with probabilities: figures of the task, gates on them, a live model."""

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.evaluate import EvaluateInputs, EvaluateOutputs, EvaluateSpec, evaluate
from modelmint.training.train import TrainInputs, TrainSpec, train
from tests.training.tasks.media import customers

Judge = Callable[..., EvaluateOutputs]


@pytest.fixture
def rows(desk: StagingDesk) -> Callable[..., Dataset]:
    def make(num_rows: int, *, seed: int, task: str = "tabular-regression") -> Dataset:
        given = customers(num_rows, seed=seed, number=task == "tabular-regression")
        table = pa.Table.from_pylist([{"_row": f"r{at}", **row} for at, row in enumerate(given)])
        return desk.dataset("rows", table, facts={"task": task})

    return make


@pytest.fixture
def model(context: StageContext, rows: Callable[..., Dataset]) -> Model:
    inputs = TrainInputs(train=rows(400, seed=1), validation=rows(120, seed=2))
    return train(TrainSpec(options={"model": "boosting"}), inputs, context).model


@pytest.fixture
def judged(context: StageContext, rows: Callable[..., Dataset], model: Model) -> Judge:
    def run(*, test: Dataset | None = None, live: Model | None = None, **spec: Any) -> EvaluateOutputs:
        asked = rows(300, seed=3) if test is None else test
        inputs = EvaluateInputs(model=model, train=rows(5, seed=4), test=asked, live=live)
        return evaluate(EvaluateSpec(**spec), inputs, context)

    return run


def test_the_figures_are_those_of_the_task(judged: Judge) -> None:
    facts = judged().evaluation.facts
    assert next(iter(facts["metrics"])) == "rmse"
    assert facts["metrics"]["r2"]["low"] < facts["metrics"]["r2"]["value"] < facts["metrics"]["r2"]["high"]
    assert (facts["num_rows"], facts["refused"], facts["warnings"]) == (300, [], [])


def test_every_row_has_its_answer(judged: Judge) -> None:
    answers = tables.read(judged().predictions).to_pylist()
    assert len(answers) == 300
    assert "value" in json.loads(answers[0]["answer"])


@pytest.mark.parametrize(("gate", "refusals"), [({"r2": ">= 0.3"}, 0), ({"r2": ">= 0.9999"}, 1), ({"bleu": ">= 1"}, 1)])
def test_a_gate_holds_a_figure_of_the_task(judged: Judge, gate: dict[str, str], refusals: int) -> None:
    assert len(judged(gates=gate).evaluation.facts["refused"]) == refusals


def test_the_same_model_as_live_is_not_worse(judged: Judge, model: Model) -> None:
    facts = judged(live=model).evaluation.facts
    assert [gate["name"] for gate in facts["gates"]] == ["rmse", "rmse against live", "slices against live"]
    assert (all(gate["passed"] for gate in facts["gates"]), facts["live"]["name"]) == (True, "model")


def test_rows_for_another_task_are_refused(judged: Judge, rows: Callable[..., Dataset]) -> None:
    with pytest.raises(
        DataError, match="must hold rows for tabular-regression, the model's task; rows is for tabular-cl"
    ):
        judged(test=rows(50, seed=5, task="tabular-classification"))


def test_the_baseline_of_the_task_stands_beside_and_gates_compare_with_it(judged: Judge) -> None:
    made = judged(gates={"rmse": "<= baseline"}).evaluation
    assert made.facts["refused"] == []
    assert made.facts["baseline"]["difference"]["rmse"]["high"] < 0
    assert "better than ridge regression on the columns" in made.measured["baseline"]["says"]
