"""Parity of embeddings and rerankers: a good candidate passes, a planted fault is refused by a reason that names it.

The engine is the real one, behind a small HTTP server of this process; `tests/compression/test_served_tasks.py` drives
the whole server.
"""

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from benchmarks.parity_faults import Fault, faults

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.inputs import SERVED
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON
from modelmint.evaluation.parity import ParityInputs, ParitySpec, parity
from modelmint.serving.engines import answers, open_engine
from modelmint.training.tasks import open_model
from tests.tiny_base import questions, write_base
from tests.tiny_texts import with_pair_template
from tests.training.tasks.made import fit, rows_of
from tests.training.tasks.test_text_reranking import pairs

from .endpoint import served

EMBEDDING, RERANKING = "text-embedding", "text-reranking"
ROWS: dict[str, tuple[str, Any]] = {
    EMBEDDING: ("text-classification", questions),
    RERANKING: ("text-pair-classification", pairs),
}
SPEC = {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "max_tokens": 24}
KNOWN = (
    "tokenizer case flipped",
    "length truncated",
    "wrong scale in one layer",
    "attention mask ignored",
    "a layer zeroed",
)
WANTED = ("task", "max_tokens", "base", "positive")
Judge = Callable[..., JSON]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained folders and candidates, each made by the first test that asks for it."""
    return tmp_path_factory.mktemp("searches")


@pytest.fixture
def judge(context: StageContext, desk: StagingDesk, folders: Path) -> Judge:
    """``judge(task, form, plant)``: the facts of parity of a candidate in which `plant` was called."""
    ctx = dataclasses.replace(context, num_threads=1)

    def run(task: str, form: str, plant: Callable[[Path], None] = lambda _folder: None) -> JSON:
        rows_form, rows = ROWS[task]
        trained, about = _trained(task, folders, ctx, desk)
        candidate = shutil.copytree(_candidate(task, form, trained, about, folders), ctx.scratch / "candidate")
        plant(candidate)
        model = desk.model("trained", trained, facts={**about, "engine": "torch", "languages": ["en"]})
        variant = desk.model("variant", candidate, facts={**about, "engine": "onnx", "variant": form})
        seen = replace(ctx, serve=lambda _variant: served(_answers(candidate), []))
        inputs = ParityInputs(model=model, variant=variant, test=rows_of(desk, "test", rows_form, rows(60, seed=4)))
        limits = ParitySpec(
            adversarial_rows=60, max_accuracy_drop=0.1, min_agreement=0.9, min_adversarial_agreement=0.85
        )
        return parity(limits, inputs, seen).parity.facts

    return run


@pytest.mark.parametrize("task", ROWS)
@pytest.mark.parametrize("form", ["onnx-fp32", "onnx-int8"])
def test_a_good_candidate_passes(judge: Judge, task: str, form: str) -> None:
    facts = judge(task, form)
    assert (facts["refused"], facts["adversarial"]["num_refused_as_must"]) == ([], 1)
    assert facts["agreement"] == 1.0 or form == "onnx-int8"


@pytest.mark.parametrize("task", ROWS)
@pytest.mark.parametrize("name", KNOWN)
def test_a_fault_of_any_model_is_refused_and_named(judge: Judge, task: str, name: str) -> None:
    fault = _fault(name)
    refused = judge(task, fault.form, fault.plant)["refused"]
    assert any(re.search(fault.named, reason) for reason in refused), refused


def test_the_first_state_in_the_place_of_the_mean_is_refused(judge: Judge) -> None:
    refused = judge(EMBEDDING, "onnx-fp32", _first_state)["refused"]
    assert any(reason.startswith("mean_drift") for reason in refused)


def test_vectors_that_are_not_of_length_1_are_refused(judge: Judge) -> None:
    refused = judge(EMBEDDING, "onnx-fp32", _longer)["refused"]
    assert any(reason.startswith("mean_drift") for reason in refused)


def test_other_widths_than_those_that_were_trained_are_refused(judge: Judge) -> None:
    refused = judge(EMBEDDING, "onnx-fp32", _about("dimensions", [8]))["refused"]
    assert any("dimensions of modelmint.json" in reason for reason in refused)


def test_texts_of_a_pair_that_are_not_told_apart_are_refused(judge: Judge) -> None:
    refused = judge(RERANKING, "onnx-fp32", _types_unread)["refused"]
    assert any(reason.startswith("max_drift") for reason in refused)


def test_documents_ranked_the_other_way_round_are_refused(judge: Judge) -> None:
    refused = judge(RERANKING, "onnx-fp32", _weights("classifier.weight", lambda weight: -weight))["refused"]
    assert any(reason.startswith("agreement") for reason in refused)


def _fault(name: str) -> Fault:
    return next(fault for fault in faults(Path(), Path()) if fault.name == name)


def _trained(task: str, folders: Path, ctx: StageContext, desk: StagingDesk) -> tuple[Path, JSON]:
    folder = folders / task
    if not folder.exists():
        form, rows = ROWS[task]
        base = str(with_pair_template(write_base(folders / f"{task}-base", num_spare_tokens=5)))
        shutil.copytree(
            fit(ctx, desk, form, rows(60), rows(30, seed=9), task=task, base=base, **SPEC).model.files.folder(), folder
        )
        if task == RERANKING:
            _spread(folder)
    about = json.loads((folder / "modelmint.json").read_text())
    return folder, {name: about[name] for name in (*WANTED, *SERVED[task].says) if name in about}


def _spread(folder: Path) -> None:
    """Let the scores of a model that has hardly learned lie far apart."""
    from safetensors.torch import load_file, save_file

    rows = pairs(40, seed=2)
    chances = open_model(folder).scores([row["text"] for row in rows], [row["text_pair"] for row in rows])  # type: ignore[attr-defined]
    path = folder / "model.safetensors"
    given = load_file(path)
    middle = float(np.mean(np.log(np.divide(chances, np.subtract(1, chances)))))
    given["classifier.bias"] = 100 * (given["classifier.bias"] - middle)
    given["classifier.weight"] = 100 * given["classifier.weight"]
    save_file(given, path, {"format": "pt"})


def _candidate(task: str, form: str, trained: Path, about: JSON, folders: Path) -> Path:
    from modelmint.compression.export import export_onnx
    from modelmint.compression.quantize import quantize_int8

    folder = folders / f"{task}-{form}"
    if not folder.exists():
        folder.mkdir()
        exported = folders / f"{task}.onnx"
        export_onnx(trained, exported)
        if form == "onnx-int8":
            quantize_int8(exported, folder / "model.onnx")
        else:
            shutil.copyfile(exported, folder / "model.onnx")
        for name in ("tokenizer.json", "config.json"):
            shutil.copyfile(trained / name, folder / name)
        batch = {"max_batch": 1} if form == "onnx-int8" else {}
        (folder / "modelmint.json").write_text(json.dumps({**about, "variant": form, **batch}))
    return folder


def _answers(folder: Path) -> Callable[[list[Any]], tuple[int, Any]]:
    engine, lock = open_engine(folder, 1), Lock()

    def answer(texts: list[Any]) -> tuple[int, Any]:
        with lock:
            return 200, {"predictions": answers(engine.predict(texts), engine.labels, how=engine.how)}

    return answer


def _about(key: str, value: Any) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        about = json.loads((folder / "modelmint.json").read_text())
        (folder / "modelmint.json").write_text(json.dumps({**about, key: value}))

    return plant


def _changed(change: Callable[[Any], None]) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        import onnx

        model = onnx.load(folder / "model.onnx")
        change(model.graph)
        onnx.save(model, folder / "model.onnx")

    return plant


def _weights(ending: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def put(graph: Any) -> None:
        from onnx import numpy_helper

        (tensor,) = [one for one in graph.initializer if one.name.endswith(ending)]
        tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), tensor.name))

    return _changed(put)


def _first_state(folder: Path) -> None:
    """The mask of the mean keeps the first token alone."""

    def put(graph: Any) -> None:
        from onnx import helper, numpy_helper

        states = next(node for node in graph.node if node.op_type == "ReduceSum")
        (product,) = [node for node in graph.node if node.output[0] == states.input[0]]
        graph.initializer.append(numpy_helper.from_array(np.asarray([0]), "first_token"))
        graph.initializer.append(numpy_helper.from_array(np.asarray([1]), "along_tokens"))
        first = helper.make_node("Gather", [product.input[0], "first_token"], ["first_state"], axis=1)
        graph.node.insert(list(graph.node).index(states), first)
        states.input[0] = "first_state"

    _changed(put)(folder)


def _longer(folder: Path) -> None:
    """Every vector is three times as long."""

    def put(graph: Any) -> None:
        from onnx import helper, numpy_helper

        for node in graph.node:
            node.output[:] = ["of_length_1" if name == "logits" else name for name in node.output]
        graph.initializer.append(numpy_helper.from_array(np.asarray(3.0, np.float32), "three"))
        graph.node.append(helper.make_node("Mul", ["of_length_1", "three"], ["logits"]))

    _changed(put)(folder)


def _types_unread(folder: Path) -> None:
    """Every token is of the first text."""

    def put(graph: Any) -> None:
        from onnx import helper

        for node in graph.node:
            node.input[:] = ["no_types" if name == "token_type_ids" else name for name in node.input]
        graph.node.insert(0, helper.make_node("Sub", ["token_type_ids", "token_type_ids"], ["no_types"]))

    _changed(put)(folder)
