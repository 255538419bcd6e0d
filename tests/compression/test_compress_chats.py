"""compress for chat models: weights in fewer bits, each held against the trained model on the same answers."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.compress import CompressInputs, CompressOutputs, CompressSpec, compress
from modelmint.compression.genai import build
from modelmint.core.errors import InputError
from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.serving.writers import open_writer
from tests.tiny_causal import chats, write_causal
from tests.tiny_writer import chat_folder, trained_chat

pytest.importorskip("onnxruntime_genai")
Made = Callable[..., CompressOutputs]


@pytest.fixture
def model(desk: StagingDesk) -> Model:
    return trained_chat(desk)


@pytest.fixture
def made(model: Model, context: StageContext, desk: StagingDesk) -> Made:
    import pyarrow as pa

    def dataset(name: str, num_rows: int, seed: int) -> Dataset:
        rows = [{"_row": f"{name}{at}", **row} for at, row in enumerate(chats(num_rows, seed=seed))]
        schema = pa.schema([pa.field("_row", pa.string()), *FORMS["chat"].columns])
        return desk.dataset(name, pa.Table.from_pylist(rows, schema=schema), facts={"task": "chat"})

    def run(**spec: Any) -> CompressOutputs:
        inputs = CompressInputs(
            model=model,
            validation=dataset("validation", 210, 5),
            test=dataset("test", 30, 6),
            train=dataset("train", 60, 4),
        )
        given = CompressSpec(**{"timed_rows": 2, **spec})
        return compress(given, inputs, dataclasses.replace(context, num_threads=1))

    return run


@pytest.mark.slow
def test_every_form_is_tried_measured_and_one_is_chosen(made: Made) -> None:
    outputs = made()
    facts = outputs.compression.facts
    exact, *others = facts["variants"]
    assert [one["name"] for one in facts["variants"]] == ["genai-fp32", "genai-int8", "genai-int4-mixed", "genai-int4"]
    assert (exact["agreement"], exact["failures"], facts["metric"]) == (1.0, [], "answer_loss")
    assert abs(exact["accuracy_drop"]) < 1e-3
    assert exact["size_bytes"] > others[0]["size_bytes"] > others[-1]["size_bytes"]
    assert outputs.variant.facts["variant"] == facts["chosen"]
    open_writer(outputs.variant.files.folder(), num_threads=1)


@pytest.mark.slow
def test_a_smaller_body_is_written_and_measured_like_the_model(made: Made) -> None:
    bodies = {"epochs": 3, "learning_rate": 1e-2, "max_new_tokens": 12}
    body = made(**{"try": ["layers-1/genai-fp32"], "bodies": bodies}).compression.facts["variants"][0]
    assert (body["body"], body["made"]["steps"][0]["layers"]["kept"]) == ("layers-1", [0])
    assert body["agreement"] >= 0.9


@pytest.mark.parametrize("name", ["onnx-int8", "openvino-int8"])
def test_a_form_of_models_that_label_is_refused(made: Made, name: str) -> None:
    with pytest.raises(InputError, match=r"a model for chat has the forms genai-fp32"):
        made(**{"try": [name]})


def test_a_model_tuned_by_parts_beside_its_weights_is_refused(tmp_path: Path) -> None:
    (shutil.copytree(chat_folder(), tmp_path / "chat") / "tuning").mkdir()
    with pytest.raises(InputError, match="merged into the weights"):
        build(tmp_path / "chat", tmp_path / "built", "int8", scratch=tmp_path)


def test_sizes_that_mixed_bits_cannot_pack_are_named(tmp_path: Path) -> None:
    folder = write_causal(tmp_path / "narrow", width=32)
    with pytest.raises(InputError, match="hidden_size is 32"):
        build(folder, tmp_path / "built", "int4-mixed", scratch=tmp_path)
