"""ONNX and OpenVINO: what is written answers as PyTorch does, and what cannot be written is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelmint.compression.exports.probes import compare
from modelmint.core.errors import InputError, StageError
from modelmint.core.types import Model
from modelmint.training.tasks import open_model
from tests.compression.exports.conftest import Trained, Walk, run_readme
from tests.tiny_causal import chats, write_causal
from tests.tiny_spans import asked, sentences
from tests.tiny_texts import pairs


@pytest.mark.parametrize(
    ("form", "rows"),
    [
        ("text-pair-classification", pairs(32)),
        ("token-classification", sentences(32)),
        ("question-answering", asked(32)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_file_was_compared_with_pytorch(
    form: str, rows: list[dict[str, Any]], trained: Trained, walk: Walk, tmp_path: Path
) -> None:
    told = walk(trained(form, rows).model, tmp_path / "out", "onnx")
    assert told["checks"]["agrees_with_pytorch_to"] <= 1e-4
    assert told["checks"]["onnx_checker"] == "passed"


def test_the_lines_of_the_readme_give_the_model_s_logits(
    classifier: Model, walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(classifier, tmp_path / "out", "onnx")
    ours = open_model(classifier.files.folder()).logits(["the plastic card"])  # type: ignore[attr-defined]
    assert np.allclose(run_readme(tmp_path / "out", monkeypatch), ours, atol=1e-5)


def test_a_task_without_an_export_is_refused(trained: Trained, walk: Walk, tmp_path: Path) -> None:
    model = trained("chat", chats(16), base=write_causal(tmp_path / "causal"), max_tokens=128).model
    with pytest.raises(InputError, match="must be a format that holds a model for chat"):
        walk(model, tmp_path / "out", "onnx")


def test_logits_that_are_elsewhere_are_refused() -> None:
    ours = np.array([[1.0, 2.0]], np.float32)
    with pytest.raises(StageError, match="logits that differ by"):
        compare(ours, ours + 0.01, np.ones((1, 3), np.int64), "onnx")


def test_openvino_answers_as_the_model_does(
    classifier: Model, walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    told = walk(classifier, tmp_path / "out", "openvino")
    ours = open_model(classifier.files.folder()).logits(["the plastic card"])  # type: ignore[attr-defined]
    assert np.allclose(run_readme(tmp_path / "out", monkeypatch), ours, atol=1e-4)
    assert told["checks"]["same_answers"]


def test_openvino_s_telemetry_is_not_imported() -> None:
    pytest.importorskip("openvino")
    code = (
        "import sys; from modelmint.compression.exports.openvino_ir import import_openvino; import_openvino(); "
        "assert sys.modules.get('openvino_telemetry') is None, 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
