"""search in a recipe: what compiles, what does not, and the whole from rows to an evaluated winner."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelmint.core.errors import RecipeError
from modelmint.loop.recipe import compile_recipe
from modelmint.workspace import Workspace
from tests.tiny_base import questions

RECIPE = """\
name: found
stages:
  - collect: {source: rows.jsonl}
  - preflight: {suspects: false}
  - split: {validation: 0.3, test: 0.2}
  - search: {trials: 3, space: {learning_rate: {low: 1e-4, high: 1e-2, log: true}, batch_size: [8, 16]}}
  - train: {base: "./base", epochs: 2, min_steps: 0, max_tokens: 16, precision: fp32}
  - evaluate: {baseline: none}
"""


@pytest.fixture
def recipe(tmp_path: Path, base: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in questions(240)) + "\n")
    (tmp_path / "base").symlink_to(base)
    file = tmp_path / "recipe.yaml"
    file.write_text(RECIPE)
    return file


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(home=tmp_path / "home") as opened:
        yield opened


def test_search_sees_the_training_and_the_training_takes_the_study(recipe: Path) -> None:
    steps = {step.name: step for step in compile_recipe(recipe).steps}
    assert steps["search"].spec["train"]["epochs"] == 2
    assert steps["train"].wiring["search"] == [{"stage": "search", "role": "search"}]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("search.space={}", "search.space: Dictionary should have at least 1 item"),
        ("search.space={lerning_rate: [1, 2]}", "space.lerning_rate: must be a knob of train\n  Did you mean 'learning_rate'?"),
        ("search.space={base: [starter, none]}", "space.base: cannot be searched: the search would not know"),
        ("search.space={method.rank: [4, 8]}", "space.method.rank: must be a part of method, and is none"),
        ("search.space={learning_rate.x: [4, 8]}", "space.learning_rate.x: must be a knob of train; learning_rate has no part 'x'"),
        ("search.space={method.rank: [4, 8], method: [lora, dora]}", "space.method.rank: cannot be searched together with method"),
        ("search.space={architecture: [lstm, text-cnn]}", "space.architecture: must go with base: none"),
        ("search.space={epochs: [4, 8]}", "space.epochs: must be set in train or searched, not both; train has 2"),
        ("search.space={warmup: {low: 0.3, high: 0.1}}", "low must be below high; got 0.3 and 0.1"),
        ("search.space={warmup: {low: 0, high: 0.1, log: true}}", "low must be above 0 with log"),
        ("search.space={warmup: {low: 0, high: 2}}", "space.warmup: must be less than 1; got 2"),
        ("search.space={batch_size: [16, many]}", "space.batch_size: must be a valid integer"),
        ("search.space={batch_size: [16, 16]}", "space.batch_size: must have choices that differ"),
        ("search.space={batch_size: [16]}", "at least 2 items"),
        ("search.money=much", "must be an amount >= 0 and a currency"),
        ("search.trials=0", "must be greater than or equal to 1"),
    ],
)  # fmt: skip
def test_a_wrong_search_is_refused_before_anything_runs(recipe: Path, setting: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        compile_recipe(recipe, settings=[setting])
    assert message in str(caught.value)


@pytest.mark.slow
def test_the_winner_is_trained_evaluated_and_known_by_its_lineage(workspace: Workspace, recipe: Path) -> None:
    summary = workspace.run(recipe)
    assert summary["status"] == "succeeded", summary["error"]
    roles = {role: ids[0] for stage in summary["stages"] for role, ids in stage["roles"].items()}
    study, training = workspace.catalog.report(roles["search"]), workspace.catalog.report(roles["training"])
    assert training.facts["found"]["values"] == study.facts["best"]["values"] == summary["search"]["best"]["values"]
    parents = {parent["role"]: parent["id"] for parent in workspace.catalog.get(roles["model"]).manifest["parents"]}
    assert parents["search"] == study.id
    assert "accuracy" in summary["metrics"]
    assert summary["estimate"]["seconds"] > 0
