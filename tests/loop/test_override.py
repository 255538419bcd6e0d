"""A refused gate that a person lets pass: the run goes on behind it, and only this run."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelmint.core.errors import RecipeError
from modelmint.core.types import JSON
from modelmint.loop.recipe import compile_recipe
from modelmint.workspace import Workspace

ROWS = [f'"question number {number} about thing {number % 7}",label{number % 3}' for number in range(60)]


@dataclass(frozen=True)
class Told:
    """One run that was refused and then let pass, and the same recipe run again; workers are slow to start."""

    workspace: Workspace
    refused: JSON
    went_on: JSON
    again: JSON


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Its preflight refuses: the test rows are training rows too. Between refusal and override the source changes."""
    folder = tmp_path_factory.mktemp("override")
    (folder / "data").mkdir()
    for name in ("train.csv", "test.csv"):
        (folder / "data" / name).write_text("text,label\n" + "\n".join(ROWS) + "\n")
    recipe = folder / "recipe.yaml"
    recipe.write_text("stages:\n  - collect: {source: data}\n  - preflight: {gates: {leaks: 0}}\n  - clean\n")
    with Workspace(home=folder / "home") as workspace:
        refused = workspace.run(recipe)
        with (folder / "data" / "train.csv").open("a") as stream:
            stream.write("one more,label1\n")
        went_on = workspace.override(refused["run"], reason="<b>so</b>", by="anna")
        yield Told(workspace, refused, went_on, workspace.run(recipe))


def test_a_refusal_says_how_a_person_may_let_it_pass(told: Told) -> None:
    assert told.refused["status"] == "refused"
    assert f"modelmint override {told.refused['run']} --stage preflight" in told.refused["error"]["remedy"]


def test_the_run_goes_on_behind_the_gate_and_keeps_its_verdict(told: Told) -> None:
    assert told.went_on["status"] == "succeeded"
    assert [stage["status"] for stage in told.went_on["stages"]] == ["succeeded", "overridden", "succeeded"]
    assert told.workspace.get(told.went_on["reports"]["preflight"]).facts["refused"]


def test_what_stands_before_the_gate_is_not_run_again_though_its_source_changed(told: Told) -> None:
    assert told.went_on["stages"][0] == told.refused["stages"][0]
    assert told.went_on["stages"][1] | {"status": "refused"} == told.refused["stages"][1]


def test_the_run_tells_who_let_it_pass_and_why(told: Told) -> None:
    (word,) = told.workspace.show(told.refused["run"])["overrides"]
    assert (word["stage"], word["reason"]) == ("preflight", "<b>so</b>")
    assert word["by"].startswith("anna (local:")


def test_a_new_run_of_the_same_recipe_is_refused_again(told: Told) -> None:
    assert (told.again["status"], told.again["overrides"]) == ("refused", [])


def test_the_pages_say_who_let_it_pass(told: Told, tmp_path: Path) -> None:
    index = told.workspace.pages(told.refused["run"], tmp_path / "pages").read_text()
    assert "refused</span>, let pass by anna (local:" in index
    assert "): &lt;b&gt;so&lt;/b&gt;" in index


def test_a_recipe_cannot_bring_an_override(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(json.dumps({"inputs": {"overrides": "rep_1"}, "stages": [{"collect": {"source": "data.csv"}}]}))
    with pytest.raises(RecipeError, match="a person gives them, for one run; no recipe does"):
        compile_recipe(file)
