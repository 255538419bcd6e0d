"""Tiny trained models in a real catalog, to walk away with."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.exports.export import export
from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Model
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train
from modelmint.trust.licences import verdict
from tests.tiny_base import questions, write_base
from tests.tiny_texts import with_pair_template

Publish = Callable[..., None]
Trained = Callable[..., TrainOutputs]
Walk = Callable[..., JSON]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = with_pair_template(write_base(tmp_path_factory.mktemp("tiny") / "base"))
    (folder / "LICENSE").write_text("MIT License: do as you like.\n")
    return folder


@pytest.fixture
def publish(catalog: Catalog, desk: StagingDesk) -> Publish:
    """``publish({artifact id: role})``: what lies on the desk goes into the catalog, with these parents."""

    def run(parents: Mapping[str, str] | None = None, *, made_by: str | None = None) -> None:
        catalog.publish(list(desk.drafts.values()), staged=desk.folder, role_parents=parents or {}, run=made_by)
        desk.drafts.clear()

    return run


@pytest.fixture
def trained(context: StageContext, desk: StagingDesk, publish: Publish, base: Path) -> Trained:
    """``trained(form, rows, epochs=2, ...)``: a tiny model, trained and published with its report."""

    def run(form: str, rows: Sequence[Mapping[str, Any]], **spec: Any) -> TrainOutputs:
        for folder in (context.scratch, context.checkpoints):
            shutil.rmtree(folder)
            folder.mkdir()
        schema = pa.schema([("_row", pa.string()), *FORMS[form].columns])
        numbered = [{"_row": f"r{at}", **row} for at, row in enumerate(rows)]
        sets = [
            desk.dataset(name, pa.Table.from_pylist(some, schema=schema), facts={"task": form}, licences=["CC-BY-4.0"])
            for name, some in (("train", numbered), ("validation", numbered[:8]))
        ]
        publish()
        wanted = {
            "base": str(base),
            "epochs": 1,
            "batch_size": 8,
            "min_steps": 0,
            "precision": "fp32",
            "max_tokens": 32,
            **spec,
        }
        if "base" in spec and spec["base"] != "none":
            wanted["base"] = str(spec["base"])
        made = train(TrainSpec(**wanted), TrainInputs(train=sets[0], validation=sets[1]), context)
        publish({sets[0].id: "train", sets[1].id: "validation"}, made_by="run_1")
        return made

    return run


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def classifier(kept: Path, trained: Trained, desk: StagingDesk, publish: Publish) -> Model:
    """A classifier of four topics, trained once a session."""
    if not (kept / "facts.json").exists():
        made = trained("text-classification", questions(32))
        shutil.copytree(made.model.files.folder(), kept / "model")
        (kept / "facts.json").write_text(json.dumps([made.model.facts, made.training.facts]))
        return made.model
    facts, told = json.loads((kept / "facts.json").read_text())
    model = desk.model("model", kept / "model", facts=facts, licences=["MIT"])
    desk.report("training", told)
    publish(made_by="run_1")
    return model


@pytest.fixture
def walk(catalog: Catalog) -> Walk:
    """``walk(model, folder, "hf")``: the export."""

    def run(model: Model, folder: Path, form: str, **how: Any) -> JSON:
        return export(catalog, model.id, folder, form, verdict=verdict(catalog, model.id), **how)

    return run


def run_readme(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The first lines of Python in an export's README, run inside the folder: what they call `answers`."""
    monkeypatch.chdir(folder)
    code = (folder / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)  # it is what a stranger would type
    return names["answers"]
