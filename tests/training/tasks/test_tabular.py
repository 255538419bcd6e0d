"""Labels and numbers from tables: boosted trees, linear, a small network."""

import dataclasses
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import CancelledRunError, DataError, InputError
from modelmint.core.stage import StageContext
from modelmint.evaluation.metrics.tables import measure_classes, measure_numbers
from modelmint.training.estimate import estimate
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train
from tests.training.tasks.made import digests
from tests.training.tasks.media import Rows, customers

MODELS = ["boosting", "linear", "network"]
Learn = Callable[..., TrainOutputs]


@pytest.fixture
def learn(context: StageContext, desk: StagingDesk) -> Learn:
    def run(
        rows: Rows, validation: Rows | None = None, *, number: bool = False, changes: Any = None, **spec: Any
    ) -> TrainOutputs:
        shutil.rmtree(context.scratch)
        context.scratch.mkdir()
        task = "tabular-regression" if number else "tabular-classification"
        held_out = customers(120, seed=9, number=number) if validation is None else validation
        sets = [
            desk.dataset(
                name,
                pa.Table.from_pylist([{"_row": f"r{at}", **row} for at, row in enumerate(given)]),
                facts={"task": task},
            )
            for name, given in (("train", rows), ("validation", held_out))
        ]
        wanted = {"model": "boosting"} | spec.pop("options", {})
        given = dataclasses.replace(context, num_threads=1, **(changes or {}))
        return train(TrainSpec(options=wanted, **spec), TrainInputs(train=sets[0], validation=sets[1]), given)

    return run


def columns(rows: Rows) -> dict[str, list[Any]]:
    return {name: [row.get(name) for row in rows] for name in rows[0]}


@pytest.mark.parametrize("model", MODELS)
def test_each_model_finds_the_rule(learn: Learn, model: str) -> None:
    small = (
        {"min_steps": 0, "epochs": 15, "batch_size": 32, "learning_rate": 5e-3, "ema": 0.9}
        if model == "network"
        else {}
    )
    outputs = learn(customers(400), options={"model": model}, **small)
    test = customers(300, seed=5)
    answers = open_model(outputs.model.files.folder()).predict(columns(test))
    assert measure_classes(columns(test), answers, seed=0)["auc"]["value"] > 0.85
    assert {one["column"] for one in outputs.training.facts["importance"][:2]} == {"contract", "fee"}


@pytest.mark.parametrize("model", MODELS)
def test_each_model_learns_a_number(learn: Learn, model: str) -> None:
    small = (
        {"min_steps": 0, "epochs": 15, "batch_size": 32, "learning_rate": 5e-3, "ema": 0.9}
        if model == "network"
        else {}
    )
    outputs = learn(customers(400, number=True), number=True, options={"model": model}, **small)
    test = customers(300, seed=5, number=True)
    answers = open_model(outputs.model.files.folder()).predict(columns(test))
    assert measure_numbers(columns(test), answers, seed=0)["r2"]["value"] > 0.7


@pytest.mark.parametrize("model", MODELS)
def test_equal_runs_give_equal_files(learn: Learn, context: StageContext, model: str) -> None:
    small = {"min_steps": 0, "epochs": 4, "batch_size": 64} if model == "network" else {}
    found = []
    for _ in range(2):
        outputs = learn(customers(200), options={"model": model}, **small)
        found.append((digests(outputs.model.files.folder()), outputs.training.facts))
        shutil.rmtree(context.checkpoints)
        context.checkpoints.mkdir()
    assert found[0] == found[1]


@pytest.mark.parametrize("model", ["boosting", "network"])
def test_a_run_that_was_stopped_ends_with_equal_files(learn: Learn, context: StageContext, model: str) -> None:
    small = {"min_steps": 0, "epochs": 4, "batch_size": 64} if model == "network" else {}
    whole = learn(customers(200), options={"model": model}, **small)
    shutil.rmtree(context.checkpoints)
    context.checkpoints.mkdir()
    left = iter(range(5))

    def say(_done: int, _total: int, _message: str) -> None:
        if next(left, None) is None:
            raise CancelledRunError("stopped")

    with pytest.raises(CancelledRunError):
        learn(customers(200), options={"model": model}, changes={"say": say}, **small)
    again = learn(customers(200), options={"model": model}, **small)
    assert digests(again.model.files.folder()) == digests(whole.model.files.folder())


def test_a_category_that_training_never_saw_counts_as_missing(learn: Learn) -> None:
    predictor = open_model(learn(customers(200)).model.files.folder())
    given = {"fee": [50.0, 50.0], "region": ["north", "north"], "contract": ["by pigeon", None]}
    first, second = predictor.predict(given)
    assert first == second


def test_a_column_that_is_not_there_is_named(learn: Learn) -> None:
    predictor = open_model(learn(customers(200)).model.files.folder())
    with pytest.raises(InputError, match="fee is not there"):
        predictor.predict({"contract": ["monthly"], "region": ["north"]})


def test_a_column_that_names_rows_is_left_out_and_told(learn: Learn) -> None:
    facts = learn(customers(200)).training.facts
    assert list(facts["left_out_columns"]) == ["customer"]
    assert "customer" not in {one["column"] for one in facts["importance"]}


def test_balanced_weights_find_more_of_the_rare_label(learn: Learn) -> None:
    dice, test = random.Random(0), customers(300, seed=5)
    rare = [
        {**row, "label": "leaves" if dice.random() < 0.002 * (row["fee"] or 0) else "stays"} for row in customers(400)
    ]
    found = []
    for class_weights in ("none", "balanced"):
        predictor = open_model(learn(rare, class_weights=class_weights).model.files.folder())
        found.append(sum(one["label"] == "leaves" for one in predictor.predict(columns(test))))
    assert found[0] < found[1]


def test_without_validation_rows_a_fixed_number_of_trees_is_grown(learn: Learn) -> None:
    facts = learn(customers(200), validation=customers(3)).training.facts
    assert facts["num_trees"] == 200


def test_one_label_is_refused(learn: Learn) -> None:
    with pytest.raises(DataError, match="at least two different labels"):
        learn([{**row, "label": "same"} for row in customers(20)])


def test_rows_without_any_column_to_learn_from_are_refused(learn: Learn) -> None:
    with pytest.raises(DataError, match="must have a column to predict from"):
        learn([{"customer": row["customer"], "label": row["label"]} for row in customers(80)])


@pytest.mark.parametrize(
    ("spec", "parameter"),
    [
        ({"epochs": 3}, "epochs"),
        ({"base": "some/base"}, "base"),
        ({"architecture": "lstm"}, "architecture"),
        ({"tokenizer": "bpe"}, "tokenizer"),
        ({"method": "lora"}, "method"),
        ({"max_tokens": 64}, "max_tokens"),
        ({"options": {"model": "forest"}}, None),
    ],
)
def test_what_means_nothing_to_a_table_is_refused(learn: Learn, spec: dict[str, Any], parameter: str | None) -> None:
    with pytest.raises(InputError) as caught:
        learn(customers(60), **spec)
    assert parameter is None or caught.value.parameter == parameter


def test_a_label_that_training_lacks_is_left_out_of_validation_and_counted(learn: Learn) -> None:
    held_out = [*customers(80, seed=9), {**customers(1)[0], "label": "moves"}]
    facts = learn(customers(200), validation=held_out).training.facts
    assert (facts["num_validation_rows"], facts["num_validation_rows_without_class"]) == (80, 1)


def test_nothing_in_a_saved_folder_is_pickled(learn: Learn) -> None:
    folder: Path = learn(customers(100)).model.files.folder()
    assert {path.name for path in folder.iterdir()} == {"model.txt", "modelmint.json"}


def test_an_estimate_needs_no_whole_fit(desk: StagingDesk) -> None:
    rows = [{"_row": f"r{at}", **row} for at, row in enumerate(customers(200))]
    data = desk.dataset("data", pa.Table.from_pylist(rows), facts={"task": "tabular-classification"})
    told = estimate(TrainSpec(), data, num_rows=20_000, num_validation_rows=100, num_threads=1, machine_hour="0.10 USD")
    assert told["seconds"] > told["probe_seconds"]
