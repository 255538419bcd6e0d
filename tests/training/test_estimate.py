"""How long a training will take: what the estimate is made of."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.money import machine_cost, money
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.training.estimate import estimate, expected_steps
from modelmint.training.knobs import Knobs
from modelmint.training.spec import TrainSpec
from modelmint.training.train import TrainInputs, TrainOutputs, train
from tests.tiny_base import questions

SAMPLE = tables.in_memory(
    "sample", pa.Table.from_pylist([{"_row": str(at), **row} for at, row in enumerate(questions(320))]), {}
)


@pytest.fixture
def estimated(base: Path) -> Callable[..., dict[str, Any]]:
    def run(*, num_rows: int = 320, num_validation_rows: int = 0, **spec: Any) -> dict[str, Any]:
        given = TrainSpec(**{"base": str(base), "max_tokens": 32, "batch_size": 8, "epochs": 1, "min_steps": 0, **spec})
        return estimate(
            given,
            SAMPLE,
            num_rows=num_rows,
            num_validation_rows=num_validation_rows,
            num_threads=1,
            machine_hour="3.60 USD",
        )

    return run


def test_the_parts_add_up_to_the_whole_and_its_cost(estimated: Callable[..., dict[str, Any]]) -> None:
    found = estimated(num_validation_rows=100)
    assert sum(found["parts"].values()) == pytest.approx(found["seconds"], abs=0.3)
    expected = machine_cost(found["seconds"], "3.60 USD")
    assert float(money(found["cost"]).amount) == pytest.approx(float(expected.amount), abs=1e-3)


def test_twice_the_epochs_take_about_twice_the_steps(estimated: Callable[..., dict[str, Any]]) -> None:
    once, ten_times = estimated(), estimated(epochs=10)
    assert 4 < ten_times["parts"]["steps"] / max(once["parts"]["steps"], 0.1) < 25


def test_without_validation_rows_nothing_is_taken_for_validation(estimated: Callable[..., dict[str, Any]]) -> None:
    assert estimated()["parts"]["validation"] == 0


def test_trees_are_expected_to_stop_early() -> None:
    dice = random.Random(0)
    rows = [(paid := dice.random(), dice.random() + paid > 1.0) for _ in range(600)]
    table = pa.Table.from_pylist(
        [{"_row": str(at), "paid": paid, "label": str(left)} for at, (paid, left) in enumerate(rows)]
    )
    found = estimate(
        TrainSpec(),
        tables.in_memory("sample", table, {"task": "tabular-classification"}),
        num_rows=480,
        num_validation_rows=60,
        num_threads=1,
        machine_hour="3.60 USD",
    )
    assert found["steps"] == 2_000
    assert found["most_seconds"] > found["seconds"]


def test_epochs_that_scores_may_save_are_not_all_expected() -> None:
    knobs = Knobs(epochs=20, patience=2)
    assert expected_steps(knobs, 10, 200, 100) < 200
    assert expected_steps(knobs, 10, 200, 49) == 200  # too few rows to stop by


def test_a_training_without_patience_is_expected_to_run_to_its_end() -> None:
    assert expected_steps(Knobs(epochs=20, patience=0), 10, 200, 100) == 200


def test_few_epochs_are_expected_to_run_to_their_end() -> None:
    assert expected_steps(Knobs(epochs=4, patience=2), 10, 40, 100) == 40


def test_what_training_took_has_its_cost(learn: Callable[..., TrainOutputs]) -> None:
    measured = learn(questions(80)).training.measured
    assert measured["cost"] == str(machine_cost(measured["seconds"], "0.10 USD"))


def test_rows_of_another_task_are_refused_by_name(
    context: StageContext, dataset: Callable[..., Dataset], desk: Any, base: Path
) -> None:
    chats = desk.dataset("train", pa.table({"_row": ["a"], "messages": ["b"]}), facts={"task": "chat"})
    inputs = TrainInputs(train=chats, validation=dataset(questions(10)))
    with pytest.raises(DataError, match=r"must be rows that text-classification learns from; .* is for chat"):
        train(TrainSpec(task="text-classification", base=str(base)), inputs, context)
