"""A home with runs of tiny trainings, whose stages run in this process; made once, and only read."""

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.tiny_base import questions, write_base

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import Draft
from modelmint.loop import runner
from modelmint.loop.process import execute
from modelmint.loop.recipe import compile_recipe
from modelmint.loop.runs import create_run, finish_run, outputs_by_role, update_stage
from modelmint.workspace import Workspace

RECIPE = """
name: questions
stages:
  - collect: {source: questions.csv, licence: MIT, language: en}
  - split: {validation: 0.2, test: 0.4}
  - train: {base: BASE, epochs: 2, batch_size: 16, min_steps: 0, max_tokens: 16, precision: fp32}
  - evaluate: {baseline: none}
"""
NUMBERS = """
name: numbers
stages:
  - collect: {source: numbers.csv, task: text-regression, licence: MIT, language: en}
  - split: {validation: 0.2, test: 0.4}
  - train: {base: BASE, epochs: 1, batch_size: 16, min_steps: 0, max_tokens: 16, precision: fp32}
  - evaluate: {baseline: none}
"""

Ran = Callable[..., str]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tracked") / "home"


@pytest.fixture(scope="session")
def workspace(home: Path) -> Iterator[Workspace]:
    with Workspace(home=home) as opened:
        yield opened


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the recipes and their sources are."""
    made = tmp_path_factory.mktemp("recipes")
    write_base(made / "tiny")
    rows = {tuple(row.values()) for row in questions(240)}
    (made / "questions.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in sorted(rows)))
    numbers = "".join(f"{text},{len(text)}.5\n" for text, _ in sorted(rows)[:90])
    (made / "numbers.csv").write_text(f"text,label\n{numbers}")
    (made / "questions.yaml").write_text(RECIPE.replace("BASE", str(made / "tiny")))
    (made / "numbers.yaml").write_text(NUMBERS.replace("BASE", str(made / "tiny")))
    return made


@pytest.fixture(scope="session")
def ran(workspace: Workspace, folder: Path, home: Path) -> Ran:
    """``ran("questions", "train.epochs=4", name="long")``: the id of a run that has ended; each is made once."""
    known: dict[Any, str] = {}

    def run(recipe: str, *settings: str, name: str | None = None, until: str | None = None) -> str:
        key = (recipe, settings, name, until)
        if key not in known:
            known[key] = _run(workspace.catalog, folder / f"{recipe}.yaml", settings, name, until)
        return known[key]

    return run


def _run(catalog: Catalog, file: Path, settings: Sequence[str], name: str | None, until: str | None) -> str:
    plan = compile_recipe(file, settings=settings, name=name, until=until)
    run = create_run(catalog, plan)
    runner.begin(catalog, run, "test")
    for position, step in enumerate(plan.steps):
        made = outputs_by_role(catalog, run)
        inputs = {role: list(made.get(role, [])) for role in step.wiring}
        place = catalog.settings.home / "stages" / run / step.name
        task = {
            "verb": step.verb,
            "spec": step.spec,
            "inputs": inputs,
            "seed": plan.seed,
            "home": str(catalog.settings.home),
            "tenant": catalog.tenant,
            "folder": str(place),
            "checkpoints": str(place / "checkpoints"),
            "num_threads": 1,
            "machine_hour": "0.10 USD",
        }
        answer = execute(task, io.StringIO())
        drafts = [Draft.from_json(draft) for draft in answer["drafts"]]
        parents = {item: role for role, ids in inputs.items() for item in ids}
        catalog.publish(drafts, staged=place / "staged", run=run, role_parents=parents)
        update_stage(catalog, run, position, outputs=answer["outputs"], status="succeeded", seconds=1.0)
    finish_run(catalog, run, "succeeded")
    return run
