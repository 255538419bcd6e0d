"""Parity of chats through the real server: clean candidates pass, planted faults are refused."""

import dataclasses
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.variants import Workshop
from modelmint.core.errors import DataError, InputError
from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Model
from modelmint.evaluation.parity import ParityInputs, ParitySpec, parity
from tests.tiny_causal import chats, write_causal
from tests.tiny_writer import chat_folder, trained_chat

pytest.importorskip("onnxruntime_genai")
Judge = Callable[..., dict[str, Any]]
Break = Callable[[Path], None]


@pytest.fixture
def judge(context: StageContext, desk: StagingDesk) -> Judge:
    """``judge(name, fault)``: the facts of parity for a variant whose folder the fault was planted in."""

    def run(
        name: str = "genai-fp32",
        fault: Break | None = None,
        *,
        source: Path | None = None,
        more: Sequence[Any] = (),
        **spec: Any,
    ) -> dict[str, Any]:
        model = trained_chat(desk)
        made_from = desk.model("other", source, facts=model.facts, licences=["MIT"]) if source else model
        workshop = Workshop(made_from, dataclasses.replace(context, num_threads=1))
        folder = workshop.make(name)
        if fault:
            fault(folder)
        variant = workshop.lay_down(name, folder)
        rows = [{"_row": f"r{at}", **row} for at, row in enumerate([*chats(20, seed=77), *more])]
        schema = pa.schema([pa.field("_row", pa.string()), *FORMS["chat"].columns])
        test = desk.dataset("test", pa.Table.from_pylist(rows, schema=schema), facts={"task": "chat"})
        inputs = ParityInputs(model=model, variant=variant, test=test)
        given = ParitySpec(**{"adversarial_rows": 12, **spec})
        return parity(given, inputs, dataclasses.replace(context, num_threads=1)).parity.facts

    return run


@pytest.mark.parametrize("name", ["genai-fp32", "genai-int8"])
def test_a_clean_candidate_passes(judge: Judge, name: str) -> None:
    facts = judge(name)
    assert facts["refused"] == []
    assert (facts["agreement"], facts["answers"]["same"]) == (1.0, 1.0)


def edited(file: str, change: Callable[[Any], None]) -> Break:
    def plant(folder: Path) -> None:
        value = json.loads((folder / file).read_text())
        change(value)
        (folder / file).write_text(json.dumps(value))

    return plant


def written(file: str, text: Callable[[str], str]) -> Break:
    def plant(folder: Path) -> None:
        (folder / file).write_text(text((folder / file).read_text()))

    return plant


def scaled(folder: Path) -> None:
    """The scales of every layer's weights half as large."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(folder / "model.onnx")
    for tensor in model.graph.initializer:
        if tensor.name.endswith("weight_scales"):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(0.5), tensor.name))
    (folder / "model.onnx.data").unlink()
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=0)


def swap_ids(value: Any) -> None:
    vocabulary = value["model"]["vocab"]
    vocabulary["r"], vocabulary["g"] = vocabulary["g"], vocabulary["r"]


FAULTS: dict[str, tuple[str, Break, str]] = {
    "another template": ("genai-fp32", written("chat_template.jinja", lambda text: text.replace("<|im_start|>", "[")), "chat template"),
    "no word before the answer": ("genai-fp32", written("chat_template.jinja", lambda text: text.replace("assistant\n", "")), "template"),
    "other ids of tokens": ("genai-fp32", edited("tokenizer.json", swap_ids), "vocabulary"),
    "small letters": ("genai-fp32", edited("tokenizer.json", lambda value: value.update(normalizer={"type": "Lowercase"})), "normalizer"),
    "shorter prompts": ("genai-fp32", edited("modelmint.json", lambda value: value.update(max_tokens=8)), "max_tokens"),
    "no end": ("genai-fp32", edited("modelmint.json", lambda value: value.update(stop_ids=[0])), "stop_ids"),
    "a wrong scale": ("genai-int8", scaled, "agreement|drift"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_refused_by_name(judge: Judge, fault: str) -> None:
    name, plant, reason = FAULTS[fault]
    refused = judge(name, plant)["refused"]
    assert re.search(reason, " ".join(refused)), refused


def test_other_weights_are_refused(judge: Judge, tmp_path: Path) -> None:
    """A stale adapter: the base before it learned."""
    other = write_causal(tmp_path / "other", width=64)
    folder = shutil.copytree(chat_folder(), tmp_path / "stale")
    from safetensors.torch import load_file, save_file

    fresh, taught = load_file(other / "model.safetensors"), load_file(folder / "model.safetensors")
    layers = {name: tensor for name, tensor in fresh.items() if ".layers.1." in name}
    save_file(taught | layers, folder / "model.safetensors", metadata={"format": "pt"})
    assert any("agreement" in reason for reason in judge(source=folder)["refused"])


def test_a_test_set_without_chats_is_refused(context: StageContext, desk: StagingDesk) -> None:
    model = trained_chat(desk)
    workshop = Workshop(model, dataclasses.replace(context, num_threads=1))
    variant = workshop.lay_down("genai-fp32", workshop.make("genai-fp32"))
    test = desk.dataset("test", pa.table({"_row": ["a"], "text": ["x"]}), facts={"task": "text-classification"})
    with pytest.raises(DataError, match="no column messages"):
        parity(ParitySpec(), ParityInputs(model=model, variant=variant, test=test), context)


def test_a_candidate_of_another_kind_is_refused(context: StageContext, desk: StagingDesk) -> None:
    model: Model = trained_chat(desk)
    test = desk.dataset("test", pa.table({"_row": ["a"], "text": ["x"]}), facts={"task": "chat"})
    with pytest.raises(InputError, match="a genai form"):
        parity(ParitySpec(), ParityInputs(model=model, variant=model, test=test), context)


def test_a_row_that_is_too_long_for_the_api_is_counted_and_compared_no_further(judge: Judge) -> None:
    long = {"messages": [{"role": "user", "content": "red " * 6_000}, {"role": "assistant", "content": "stop"}]}
    facts = judge(more=[long])
    assert (facts["refused"], facts["num_too_long_rows"], facts["num_rows"]) == ([], 1, 21)
