"""Parity of what the endpoint answers beside one label: several labels, numbers, and a student of another body."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pytest
from safetensors.torch import load_file, save_file

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import InputError
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.evaluation.parity import ParityInputs, ParitySpec, parity
from modelmint.serving.engines import answers, open_engine

from .conftest import TOPICS, questions
from .endpoint import served

SEVERAL = {"by": "sigmoid", "thresholds": [0.5] * len(TOPICS)}
NUMBER = {"by": "identity", "mean": 10.0, "scale": 2.0}
Judge = Callable[..., Report]


@pytest.fixture
def judge(context: StageContext, desk: StagingDesk) -> Judge:
    """``judge(trained folder, candidate's folder, facts, rows)``; the variant's facts may differ."""

    def run(trained: Path, folder: Path, facts: JSON, rows: list[JSON], **of_variant: Any) -> Report:
        engine, lock = open_engine(folder, 1), Lock()

        def answer(texts: list[str]) -> tuple[int, Any]:
            with lock:
                given = answers(engine.predict(texts), engine.labels, how=engine.how, all_scores=True)
            return 200, {"predictions": given}

        ctx = replace(context, serve=lambda _variant: served(answer, []))
        table = pa.Table.from_pylist([{"_row": f"r{at}", **row} for at, row in enumerate(rows)])
        test: Dataset = desk.dataset("test", table, facts={"task": facts["task"]})
        model: Model = desk.model("trained", trained, facts={**facts, "engine": "torch"})
        variant = desk.model("variant", folder, facts={**facts, "engine": "onnx", "variant": "onnx-fp32", **of_variant})
        spec = ParitySpec(adversarial_rows=40)
        return parity(spec, ParityInputs(model=model, variant=variant, test=test), ctx).parity

    return run


def test_several_labels_are_compared_as_sets(
    judge: Judge, trained_folder: Path, exported_folder: Path, tmp_path: Path
) -> None:
    facts = _facts("multi-label-classification", sorted(TOPICS), SEVERAL)
    trained, folder = _with(trained_folder, tmp_path / "a", facts), _with(exported_folder, tmp_path / "b", facts)
    rows = [{"text": row["text"], "labels": [row["label"]]} for row in questions(60, seed=5)]
    report = judge(trained, folder, facts, rows).facts
    assert (report["refused"], report["agreement"]) == ([], 1.0)


def test_other_thresholds_than_those_that_were_trained_are_refused(
    judge: Judge, trained_folder: Path, exported_folder: Path, tmp_path: Path
) -> None:
    facts = _facts("multi-label-classification", sorted(TOPICS), SEVERAL)
    trained = _with(trained_folder, tmp_path / "a", facts)
    folder = _with(exported_folder, tmp_path / "b", {**facts, "answers": {**SEVERAL, "thresholds": [0.99] * 4}})
    rows = [{"text": row["text"], "labels": [row["label"]]} for row in questions(60, seed=5)]
    assert any("thresholds" in reason for reason in judge(trained, folder, facts, rows).facts["refused"])


@pytest.mark.parametrize(("scale", "passes"), [(2.0, True), (3.0, False)])
def test_numbers_are_compared_by_how_far_they_are_apart(
    judge: Judge, trained_folder: Path, tmp_path: Path, scale: float, passes: bool
) -> None:
    from modelmint.compression.export import export_onnx

    facts = _facts("text-regression", [], NUMBER)
    trained = _one_number(_with(trained_folder, tmp_path / "a", facts))
    folder = tmp_path / "b"
    folder.mkdir()
    export_onnx(trained, folder / "model.onnx")
    for name in ("tokenizer.json", "config.json"):
        shutil.copyfile(trained / name, folder / name)
    (folder / "modelmint.json").write_text(json.dumps({**facts, "answers": {**NUMBER, "scale": scale}}))
    rows = [{"text": row["text"], "label": float(at)} for at, row in enumerate(questions(60, seed=5))]
    report = judge(trained, folder, facts, rows).facts
    assert (not report["refused"], "accuracy_model" in report) == (passes, False)


def test_a_student_is_held_against_its_own_folder(judge: Judge, untrained_folder: Path, exported_folder: Path) -> None:
    facts = _facts("text-classification", sorted(TOPICS), None)
    rows = [{"text": row["text"], "label": row["label"]} for row in questions(60, seed=5)]
    report = judge(untrained_folder, exported_folder, facts, rows, body="layers-1").facts
    assert (report["refused"], report["held_against"]) == ([], "the candidate's own folder")
    assert any("layers-1 is another body" in note for note in report["notes"])
    assert judge(untrained_folder, exported_folder, facts, rows).facts["refused"]


def test_a_task_that_the_endpoint_does_not_answer_is_an_error(judge: Judge, exported_folder: Path) -> None:
    facts = _facts("masked-language-model", sorted(TOPICS), None)
    with pytest.raises(InputError, match=r"the endpoint answers text-classification, .* is for masked-language-model"):
        judge(exported_folder, exported_folder, facts, [{"text": "a", "label": "card"}])


def _facts(task: str, labels: list[str], how: Mapping[str, Any] | None) -> JSON:
    facts = {"task": task, "labels": labels, "max_tokens": 32, "base": "tiny", "languages": ["en"]}
    return {**facts, **({"answers": dict(how)} if how else {})}


def _with(folder: Path, other: Path, facts: JSON) -> Path:
    shutil.copytree(folder, other)
    (other / "modelmint.json").write_text(json.dumps(facts))
    return other


def _one_number(folder: Path) -> Path:
    """The first of the head's outputs alone."""
    path = folder / "2_Dense" / "model.safetensors"
    save_file({name: tensor[:1].clone() for name, tensor in load_file(path).items()}, path)
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
