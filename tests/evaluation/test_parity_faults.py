"""Faults planted in a good candidate: each is refused, by a reason that names it; a good one passes.

The engine is the real one, behind a small HTTP server of this process; `test_parity` drives the whole server.
"""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from benchmarks.parity_faults import Fault, faults

from modelmint.compression.variants import failures
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model, Report
from modelmint.evaluation.parity import ParityInputs, ParitySpec, parity
from modelmint.serving.engines import answers, open_engine

from .conftest import TOPICS, questions, write_classifier
from .endpoint import served

NAMES = [fault.name for fault in faults(Path(), Path())]
Check = Callable[..., Report]


@pytest.fixture(scope="session")
def candidates(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders by form; and of two other trainings."""
    folder = tmp_path_factory.mktemp("candidates")
    stale = write_classifier(tmp_path_factory.mktemp("stale"), num_steps=55)
    revision = write_classifier(tmp_path_factory.mktemp("revision"), num_steps=80)
    return {
        "onnx-fp32": _candidate(trained_folder, folder / "fp32"),
        "onnx-int8": _candidate(trained_folder, folder / "int8", form="int8"),
        "stale": _candidate(stale, folder / "stale"),
        "revision": _candidate(revision, folder / "revision"),
    }


@pytest.fixture
def check(
    context: StageContext, dataset: Callable[..., Dataset], model: Callable[..., Model], trained_folder: Path
) -> Check:
    """Run parity on a candidate's folder: ``check(folder, form=)``."""

    def run(folder: Path, *, form: str = "onnx-fp32", seed: int = 1, concurrency: int = 4) -> Report:
        rows = [{**row, "text": str(row["text"]).title()} for row in questions(100, seed=seed)]
        ctx = replace(context, serve=lambda _variant: served(_answers(folder), []), seed=seed)
        inputs = ParityInputs(
            model=model(trained_folder), variant=model(folder, engine="onnx", variant=form), test=dataset(rows)
        )
        spec = ParitySpec(concurrency=concurrency, adversarial_rows=80, max_mean_drift=0.05)
        return parity(spec, inputs, ctx).parity

    return run


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_fault_is_refused_by_a_reason_that_names_it(
    name: str, candidates: dict[str, Path], check: Check, tmp_path: Path
) -> None:
    fault = _fault(name, candidates)
    folder = shutil.copytree(candidates[fault.form], tmp_path / "candidate")
    fault.plant(folder)
    refused = check(folder, form=fault.form).facts["refused"]
    assert any(re.search(fault.named, reason) for reason in refused), refused


@pytest.mark.parametrize("form", ["onnx-fp32", "onnx-int8"])
@pytest.mark.parametrize(("seed", "concurrency"), [(1, 4), (2, 1), (3, 8)])
def test_a_good_candidate_passes(
    candidates: dict[str, Path], check: Check, form: str, seed: int, concurrency: int
) -> None:
    assert check(candidates[form], form=form, seed=seed, concurrency=concurrency).facts["refused"] == []


def _fault(name: str, candidates: dict[str, Path]) -> Fault:
    return next(fault for fault in faults(candidates["stale"], candidates["revision"]) if fault.name == name)


def _answers(folder: Path) -> Callable[[list[str]], tuple[int, Any]]:
    try:
        engine, lock = open_engine(folder, 1), Lock()
    except failures() as error:
        said = {"error": {"message": f"model: the variant could not be loaded: {type(error).__name__}"}}
        return lambda _texts: (503, said)

    def answer(texts: list[str]) -> tuple[int, Any]:
        with lock:
            found = answers(engine.predict(texts), engine.labels, how=engine.how, all_scores=True)
        return 200, {"predictions": found}

    return answer


def _candidate(trained: Path, folder: Path, *, form: str = "fp32") -> Path:
    from modelmint.compression.export import export_onnx
    from modelmint.compression.quantize import quantize_int8

    folder.mkdir()
    exported = folder / "exported.onnx"
    export_onnx(trained, exported)
    if form == "int8":
        quantize_int8(exported, folder / "model.onnx")
        exported.unlink()
    else:
        exported.rename(folder / "model.onnx")
    for name in ("tokenizer.json", "config.json"):
        shutil.copyfile(trained / name, folder / name)
    about = {"task": "text-classification", "labels": sorted(TOPICS), "max_tokens": 32, "variant": f"onnx-{form}"}
    if form == "int8":
        about["max_batch"] = 1
    (folder / "modelmint.json").write_text(json.dumps(about))
    return folder
