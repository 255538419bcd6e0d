"""Recipes: what compiles, how stages are wired, and errors that say where."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from modelmint.core.errors import RecipeError
from modelmint.loop.plan import Plan
from modelmint.loop.recipe import compile_recipe
from modelmint.loop.schema import recipe_schema

Write = Callable[[str], Path]

WHOLE = """\
name: support
params: {data: questions.csv, share: 0.2}
stages:
  - collect: {source: "${data}", text: question, label: intent}
  - clean
  - deidentify
  - split: {test: "${share}"}
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    (tmp_path / "questions.csv").write_text("question,intent\na,b\n")

    def make(text: str) -> Path:
        file = tmp_path / "recipe.yaml"
        file.write_text(text)
        return file

    return make


def test_an_input_takes_the_newest_earlier_output_of_its_name(write: Write) -> None:
    plan = compile_recipe(write(WHOLE))
    wiring = {step.name: dict(step.wiring) for step in plan.steps}
    assert wiring["clean"] == {"data": [{"stage": "collect", "role": "data"}]}
    assert wiring["split"] == {"data": [{"stage": "deidentify", "role": "data"}]}


def test_a_param_keeps_its_type_and_paths_are_relative_to_the_recipe(write: Write) -> None:
    plan = compile_recipe(write(WHOLE))
    assert plan.steps[3].spec["test"] == 0.2
    assert plan.steps[0].spec["source"] == str(write(WHOLE).parent / "questions.csv")


def test_a_path_given_with_set_is_relative_to_the_working_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.csv").write_text("question,intent\na,b\n")
    monkeypatch.chdir(tmp_path / "there")
    plan = compile_recipe(write(WHOLE), settings=["data=mine.csv"])
    assert plan.steps[0].spec["source"] == os.path.realpath(tmp_path / "there" / "mine.csv")


def test_a_base_with_a_slash_is_a_folder_beside_the_recipe_and_a_name_stays_a_name(write: Write) -> None:
    file = write(WHOLE + "  - train: {base: ./models/mine}\n")
    (file.parent / "models" / "mine").mkdir(parents=True)
    (file.parent / "starter").mkdir()
    assert compile_recipe(file).steps[4].spec["base"] == str(file.parent / "models" / "mine")
    assert compile_recipe(file, settings=["train.base=starter"]).steps[4].spec["base"] == "starter"


def test_from_overrides_the_wiring(write: Write) -> None:
    plan = compile_recipe(
        write(WHOLE.replace('  - split: {test: "${share}"}', "  - {split: {test: 0.2}, from: {data: clean}}"))
    )
    assert plan.steps[3].wiring["data"] == [{"stage": "clean", "role": "data"}]


def test_an_artifact_of_the_catalog_can_be_an_input(write: Write) -> None:
    plan = compile_recipe(write("inputs: {data: ds_1}\nstages: [clean]\n"))
    assert plan.steps[0].wiring["data"] == [{"artifact": "ds_1"}]


def test_until_stops_after_a_stage(write: Write) -> None:
    assert [step.name for step in compile_recipe(write(WHOLE), until="clean").steps] == ["collect", "clean"]


def test_a_plan_survives_json(write: Write) -> None:
    plan = compile_recipe(write(WHOLE))
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "recipe.yaml:1: recipe: must be a mapping with a list named stages; got nothing"),
        ("stages: []", "must be a mapping with a list named stages"),
        (
            "stages:\n  - clena\n",
            r"recipe.yaml:2: .*must be one verb of collect, .*; got clena\n  Did you mean 'clean'\?",
        ),
        ("stagse: [clean]\nstages: [clean]", r"recipe.yaml:1: stagse: unknown key; .*\n  Did you mean 'stages'\?"),
        (
            "stages:\n  - collect: {sorce: x.csv}\n",
            r"recipe.yaml:2: stages.collect.sorce: unknown key; collect takes source, .*\n  Did you mean 'source'\?",
        ),
        ("stages:\n  - collect: {text: a}\n", "recipe.yaml:2: stages.collect.source: is needed: What to read"),
        (
            "stages:\n  - collect:\n      source: x.csv\n      max_rows: 1\n",
            "recipe.yaml:4: stages.collect.max_rows: must be greater than or equal to 2; got 1",
        ),
        (
            "stages:\n  - collect: {source: '${dta}'}\nparams: {data: x}",
            r"\$\{dta\} must be a param of data\n  Did you mean 'data'",
        ),
        (
            "stages:\n  - clean\n",
            "recipe.yaml:2: stages: clean needs a dataset named data, and no earlier stage makes one",
        ),
        (
            "stages:\n  - collect: {source: x.csv}\n  - clean\n  - clean\n",
            "recipe.yaml:4: stages: the name clean stands twice",
        ),
        (
            "stages:\n  - collect: {source: x.csv}\n  - {clean: {}, from: {data: split}}\n",
            "must be an earlier stage's output of collect.data",
        ),
        (
            "stages:\n  - collect: {source: x.csv}\n    timeout_s: -1\n",
            "recipe.yaml:3: stages.timeout_s: must be a number of seconds above 0; got -1",
        ),
        (
            "stages:\n  - collect: {source: x.csv}\n    engine: ray\n",
            r"recipe.yaml:3: stages.engine: must be one of local for collect; got 'ray'\n  Only deduplicate.* can run on ray",
        ),
        (
            "stages:\n  - {deduplicate: {}, engine: rya}\n",
            r"must be one of local, ray for deduplicate; got 'rya'\n  Did you mean 'ray'",
        ),
        ("seed: -1\nstages: [clean]", "recipe.yaml:1: seed: must be a whole number"),
        ("stages: [clean\n", "recipe.yaml:2: not YAML"),
        ("name: a\nname: b\nstages: [clean]", "recipe.yaml:2: name: stands twice"),
        ("stages:\n  - [clean]\n", "must be a verb or a mapping"),
        ("stages: &a [*a]", "not YAML|nested at most 40 deep|must be a verb"),
    ],
)
def test_a_wrong_recipe_says_where_what_and_how(write: Write, text: str, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        compile_recipe(write(text))
    assert re.search(message, str(error.value), re.DOTALL), str(error.value)


@pytest.mark.parametrize(
    "spec",
    [
        "{source: a.csv, subject: who, subject_salt: swordfish}",
        "{source: a.csv, text: x, label: x, subject_salt: swordfish-swordfish}",
    ],
)
def test_a_secret_is_not_shown_by_an_error(write: Write, spec: str) -> None:
    with pytest.raises(RecipeError) as caught:
        compile_recipe(write(f"stages:\n  - collect: {spec}\n"))
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize("setting", ["nothing=1", "clean.x=1", "train.epochs=3", "data"])
def test_a_wrong_set_names_what_can_be_set(write: Write, setting: str) -> None:
    with pytest.raises(RecipeError, match=r"--set|unknown key"):
        compile_recipe(write(WHOLE), settings=[setting])


def test_a_recipe_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such recipe"):
        compile_recipe(tmp_path / "none.yaml")


def test_a_recipe_that_is_not_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="UTF-8"):
        compile_recipe(tmp_path / "r.yaml")


def test_the_schema_knows_every_verb_and_its_fields() -> None:
    schema = recipe_schema()
    assert "source" in schema["$defs"]["CollectSpec"]["properties"]
    assert "train" in schema["properties"]["stages"]["items"]["anyOf"][0]["enum"]


def test_a_stage_that_can_runs_on_the_engine_that_it_names(write: Write) -> None:
    plan = compile_recipe(
        write("stages:\n  - collect: {source: x.csv}\n  - {deduplicate: {}, engine: ray}\n  - clean\n")
    )
    assert [step.engine for step in plan.steps] == [None, "ray", None]


def test_the_engine_is_no_part_of_what_a_stage_is(write: Write) -> None:
    specs = [
        compile_recipe(write(f"inputs: {{data: ds_1}}\nstages:\n  - {{deduplicate: {{}}, engine: {name}}}\n"))
        .steps[0]
        .spec
        for name in ("local", "ray")
    ]
    assert specs[0] == specs[1]


def test_a_tuning_method_that_is_none_names_those_that_are(write: Write) -> None:
    with pytest.raises(RecipeError, match=r"stages\.train\.method: must be one of full, freeze, lora") as caught:
        compile_recipe(write(WHOLE + "  - train: {method: lorra}\n"))
    assert "Did you mean 'lora'?" in str(caught.value)
