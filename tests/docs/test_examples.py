"""The examples of docs/ do what the pages say."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from modelmint.core.stage import StageContext
from modelmint.core.tables import column
from modelmint.core.types import Dataset
from modelmint.loop.recipe import compile_recipe

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that holds the example's entry point, as an installation of it would."""
    about = tomllib.loads((EXAMPLES / "pyproject.toml").read_text())["project"]
    folder = tmp_path / "installed" / f"modelmint_weed-{about['version']}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {about['name']}\nVersion: {about['version']}\n")
    entries = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in names.items())
        for group, names in about["entry-points"].items()
    ]
    (folder / "entry_points.txt").write_text("".join(entries))
    return folder.parent


def test_the_example_verb_sets_short_rows_aside(
    context: StageContext, dataset: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from modelmint_weed import WeedInputs, WeedSpec, weed

    made = weed(WeedSpec(min_words=2), WeedInputs(data=dataset([{"text": "hello"}, {"text": "where is it"}])), context)
    assert column(made.data, "text") == ["where is it"]
    assert column(made.quarantine, "detail") == ["1 words; min_words asks for 2"]


def test_the_example_verb_runs_in_a_recipe_once_it_is_installed(installed: Path, tmp_path: Path) -> None:
    source = tmp_path / "data.csv"
    source.write_text("text,label\nyes,a\nwhere is my parcel now,b\nI want my money back,a\n")
    command = [
        sys.executable,
        "-m",
        "modelmint",
        "--home",
        str(tmp_path / "home"),
        "run",
        str(EXAMPLES / "weed.yaml"),
        "--set",
        f"data={source}",
        "--json",
    ]
    run = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": f"{installed}:{EXAMPLES}"}, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert [stage["name"] for stage in json.loads(run.stdout)["stages"]] == ["collect", "weed"]


def test_the_recipe_for_your_own_data_holds_the_whole_loop() -> None:
    plan = compile_recipe(EXAMPLES / "recipe.yaml", settings=["data=yours.csv", "text=message", "label=team"])
    assert [step.verb for step in plan.steps][-1] == "deploy"
    assert plan.steps[0].spec["text"] == "message"
