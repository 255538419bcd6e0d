"""Parity of a language model through the real server: clean candidates pass, planted faults are refused."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.variants import Workshop
from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.evaluation.parity import ParityInputs, ParitySpec, parity
from tests.evaluation.test_parity_chats import edited, scaled
from tests.tiny_causal import rows_of
from tests.tiny_language import sayings, trained_language

pytest.importorskip("onnxruntime_genai")
Judge = Callable[..., dict[str, Any]]


@pytest.fixture
def judge(context: StageContext, desk: StagingDesk) -> Judge:
    """``judge(name, fault)``: the facts of parity for a variant whose folder the fault was planted in."""

    def run(name: str = "genai-fp32", fault: Any = None, *, rows: Any = None, **spec: Any) -> dict[str, Any]:
        model = trained_language(desk)
        alone = dataclasses.replace(context, num_threads=1)
        workshop = Workshop(model, alone)
        folder = workshop.make(name)
        if fault:
            fault(folder)
        variant = workshop.lay_down(name, folder)
        test = rows_of(context, "text-generation", "test", sayings(12, seed=77) if rows is None else rows)
        given = ParitySpec(**{"adversarial_rows": 16, "num_rows": 200, **spec})
        facts: dict[str, Any] = parity(given, ParityInputs(model=model, variant=variant, test=test), alone).parity.facts
        return facts

    return run


@pytest.mark.parametrize("name", ["genai-fp32", "genai-int8"])
def test_a_clean_candidate_passes(judge: Judge, name: str) -> None:
    facts = judge(name)
    assert facts["refused"] == []
    assert facts["adversarial"]["num_refused_as_must"] == 1
    if name == "genai-fp32":
        assert (facts["agreement"], facts["answers"]["same"], facts["adversarial"]["agreement"]) == (1.0, 1.0, 1.0)


def swap_ids(value: Any) -> None:
    vocabulary = value["model"]["vocab"]
    vocabulary["o"], vocabulary["e"] = vocabulary["e"], vocabulary["o"]


FAULTS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "another tokenizer": ("genai-fp32", edited("tokenizer.json", swap_ids), "the tokenizer differs"),
    "a text cut short": (
        "genai-fp32", edited("modelmint.json", lambda value: value.update(max_tokens=8)), "max_tokens of modelmint.json is 8",
    ),
    "no end": ("genai-fp32", edited("modelmint.json", lambda value: value.update(stop_ids=[])), "stop_ids of modelmint.json"),
    "weights of another scale": ("genai-int8", scaled, "agreement"),
}  # fmt: skip


QUICK = ("another tokenizer", "a text cut short")


@pytest.mark.parametrize(
    "fault", [pytest.param(one, marks=() if one in QUICK else pytest.mark.slow, id=one) for one in FAULTS]
)
def test_a_planted_fault_is_refused(judge: Judge, fault: str) -> None:
    name, plant, said = FAULTS[fault]
    assert said in " ".join(judge(name, plant)["refused"])


def stale(folder: Path) -> None:
    """Weights of an earlier step: every one a little off."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load(folder / "model.onnx")
    dice = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim == 2:
            moved = values + dice.normal(0, 0.2 * values.std(), values.shape).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(moved, tensor.name))
    (folder / "model.onnx.data").unlink()
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=0)


def test_stale_weights_are_refused(judge: Judge) -> None:
    assert "max_drift" in json.dumps(judge("genai-fp32", stale)["refused"])


def test_texts_that_are_all_empty_are_refused(judge: Judge) -> None:
    with pytest.raises(DataError, match="none that is not empty"):
        judge(rows=[{"text": ""}])
