"""Parity of tables: a good candidate passes, and faults that are planted in it are refused by a reason that names them.

The engine is the real one, behind a small HTTP server of this process; `test_served_tasks` drives the whole server.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.variants import Workshop
from modelmint.core.errors import InputError
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Model
from modelmint.evaluation.parity import ParityInputs, ParitySpec, parity
from modelmint.serving.engines import answers, open_engine
from tests.training.tasks.made import fit, rows_of
from tests.training.tasks.media import customers

from .endpoint import served

FORMS = {"boosting": "lightgbm-fp64", "linear": "numpy-fp64", "network": "onnx-fp32"}
Judge = Callable[..., JSON]
Plant = Callable[[JSON, Path], None]


@pytest.fixture
def judge(context: StageContext, desk: StagingDesk) -> Judge:
    """The facts of parity of a candidate in which a fault is planted: ``judge(way, plant)``."""

    def run(way: str, plant: Plant, *, number: bool = False) -> JSON:
        ctx, task = replace(context, num_threads=1), "tabular-regression" if number else "tabular-classification"
        model = _trained(ctx, desk, task, way, seed=0)
        folder = Workshop(model, ctx).make(FORMS[way])
        about = json.loads((folder / "modelmint.json").read_text())
        plant(about, folder)
        (folder / "modelmint.json").write_text(json.dumps(about))
        engine, lock = open_engine(folder, 1), Lock()

        def answer(inputs: list[Any]) -> tuple[int, Any]:
            try:
                engine.check(inputs)
            except InputError as error:
                return 400, {"error": {"message": str(error)}}
            with lock:
                given = answers(engine.predict(inputs), engine.labels, how=engine.how, all_scores=True, inputs=inputs)
            return 200, {"predictions": given}

        facts = {**model.facts, "engine": about["engine"], "variant": about["variant"]}
        variant = desk.model("variant", folder, facts=facts)
        test = rows_of(desk, "test", task, customers(60, seed=4, number=number))
        ctx = replace(ctx, serve=lambda _variant: served(answer, []))
        inputs = ParityInputs(model=model, variant=variant, test=test)
        found: JSON = parity(ParitySpec(adversarial_rows=60), inputs, ctx).parity.facts
        return found

    return run


@pytest.mark.parametrize("way", FORMS)
def test_a_good_candidate_passes_and_refuses_what_nobody_can_answer(judge: Judge, way: str) -> None:
    facts = judge(way, lambda _about, _folder: None)
    assert (facts["refused"], facts["agreement"], facts["adversarial"]["agreement"]) == ([], 1.0, 1.0)
    assert facts["adversarial"]["num_refused_as_must"] > 5


def _swap_columns(about: JSON, _folder: Path) -> None:
    about["columns"][0], about["columns"][1] = about["columns"][1], about["columns"][0]


def _swap_labels(about: JSON, _folder: Path) -> None:
    about["labels"] = about["labels"][::-1]


def _renumber(about: JSON, _folder: Path) -> None:
    column = next(one for one in about["columns"] if one["categories"])
    column["categories"] = column["categories"][::-1]


def _as_dates(about: JSON, _folder: Path) -> None:
    about["columns"][1]["kind"] = "date"


def _fewer_trees(_about: JSON, folder: Path) -> None:
    import lightgbm

    booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
    (folder / "model.txt").write_text(booster.model_to_string(num_iteration=3))


def _wrong_scale(_about: JSON, folder: Path) -> None:
    told = json.loads((folder / "linear.json").read_text())
    told["deviations"] = [2 * one for one in told["deviations"]]
    (folder / "linear.json").write_text(json.dumps(told))


def _wrong_spread(about: JSON, _folder: Path) -> None:
    about["answers"]["scale"] *= 1.5


FAULTS: list[tuple[str, Plant, str]] = [
    ("boosting", _swap_columns, r"order of the columns of modelmint.json differs: 2 of \d stand in another place"),
    ("boosting", _swap_labels, r"order of the labels of modelmint.json differs"),
    ("boosting", _renumber, r"order of the categories of \w+ in modelmint.json differs"),
    ("boosting", _as_dates, r"the column \w+ of modelmint.json is "),
    ("boosting", _fewer_trees, r"model.txt is not the file of the trained model"),
    ("linear", _wrong_scale, r"linear.json is not the file of the trained model"),
    ("network", _renumber, r"order of the categories of \w+ in modelmint.json differs"),
]


@pytest.mark.parametrize(("way", "plant", "named"), FAULTS)
def test_a_planted_fault_is_refused_by_a_reason_that_names_it(judge: Judge, way: str, plant: Plant, named: str) -> None:
    refused = judge(way, plant)["refused"]
    assert any(re.search(named, reason) for reason in refused), refused


@pytest.mark.parametrize(("way", "plant"), [(way, plant) for way, plant, _ in FAULTS if plant is not _as_dates])
def test_a_planted_fault_shows_in_the_answers_alone(judge: Judge, way: str, plant: Plant) -> None:
    failed = {gate["name"] for gate in judge(way, plant)["gates"] if not gate["passed"]}
    assert failed & {"agreement", "max_drift", "adversarial_agreement", "failed_rows"}


def test_a_number_in_another_unit_is_refused(judge: Judge) -> None:
    facts = judge("network", _wrong_spread, number=True)
    assert any("answers of modelmint.json" in reason for reason in facts["refused"])
    assert "agreement" in {gate["name"] for gate in facts["gates"] if not gate["passed"]}


def _trained(ctx: StageContext, desk: StagingDesk, task: str, way: str, *, seed: int) -> Model:
    number = task == "tabular-regression"
    small = {"epochs": 4, "batch_size": 32, "learning_rate": 5e-3}
    spec = small if way == "network" else {"min_steps": None, "precision": None}
    rows, held_out = customers(120, seed=seed, number=number), customers(60, seed=9, number=number)
    return fit(ctx, desk, task, rows, held_out, options={"model": way}, **spec).model
