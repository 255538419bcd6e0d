"""compress: variants that the serving engine opens, that answer as the trained model does, and one that is chosen."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelmint.compression.compress import CompressInputs, CompressOutputs, CompressSpec, compress
from modelmint.compression.export import export_onnx
from modelmint.compression.quantize import quantize_int8
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.serving.engines import open_engine
from modelmint.training.tasks.text_classification import load_classifier
from tests.tiny_base import questions

TEXTS = [row["text"] for row in questions(50, seed=11)]


@pytest.fixture
def made(model: Model, context: StageContext, dataset: Callable[..., Dataset]) -> Callable[..., CompressOutputs]:
    def run(num_validation: int = 220, num_test: int = 60, **spec: Any) -> CompressOutputs:
        validation = dataset(questions(max(1, num_validation), seed=21))
        inputs = CompressInputs(model=model, validation=validation, test=dataset(questions(num_test, seed=22)))
        return compress(CompressSpec(**spec), inputs, dataclasses.replace(context, num_threads=1))

    return run


def test_the_fp32_variant_answers_as_the_trained_model_does(made: Any, model: Model) -> None:
    variant = made(variants=("onnx-fp32",)).variant
    served = open_engine(variant.files.folder(), num_threads=1).predict(TEXTS)
    np.testing.assert_allclose(served, load_classifier(model.files.folder()).logits(TEXTS), atol=1e-4)


@pytest.mark.parametrize("name", ["onnx-int8", "onnx-int8-mixed"])
def test_a_quantized_variant_gives_the_labels_of_the_trained_model(made: Any, model: Model, name: str) -> None:
    variant = made(variants=(name,)).variant
    served = open_engine(variant.files.folder(), num_threads=1).predict(TEXTS).argmax(axis=1)
    trained = load_classifier(model.files.folder()).logits(TEXTS).argmax(axis=1)
    assert (served == trained).mean() >= 0.96


@pytest.mark.parametrize("name", ["onnx-fp32", "onnx-int8", "onnx-int8-mixed"])
def test_a_text_alone_and_in_a_batch_are_answered_alike(made: Any, name: str) -> None:
    engine = open_engine(made(variants=(name,)).variant.files.folder(), num_threads=1)
    alone = np.concatenate([engine.predict([text]) for text in TEXTS[:8]])
    np.testing.assert_allclose(alone, engine.predict(TEXTS[:8]), atol=1e-4)


def test_the_report_measures_each_variant_and_chooses_one(made: Any) -> None:
    outputs = made()
    facts, measured = outputs.compression.facts, outputs.compression.measured["variants"]
    assert [one["name"] for one in facts["variants"] if one["chosen"]] == [facts["chosen"]] == [outputs.variant.name]
    assert all(timed["p50_ms"] > 0 and timed["cost_per_million"].endswith(" USD") for timed in measured.values())


def test_few_validation_rows_leave_the_choice_to_the_test_rows(made: Any) -> None:
    facts = made(num_validation=50).compression.facts
    assert facts["chosen_by"] == "test"
    assert "fewer than 200 validation rows" in facts["notes"][0]


def test_variants_carry_the_facts_and_the_licence_of_the_model(made: Any) -> None:
    variant = made(variants=("onnx-int8",)).variants[0]
    assert (variant.facts["engine"], variant.facts["variant"]) == ("onnx", "onnx-int8")
    assert variant.manifest["licences"] == ["MIT"]


def test_two_compressions_give_equal_variants(made: Any, context: StageContext) -> None:
    first = made()
    shutil.rmtree(context.scratch)
    context.scratch.mkdir()
    assert [one.digest for one in made().variants] == [one.digest for one in first.variants]


def test_files_hold_nothing_of_this_machine(trained_folder: Path, model: Model, tmp_path: Path) -> None:
    export_onnx(model.files.folder(), tmp_path / "model.onnx")
    quantize_int8(tmp_path / "model.onnx", tmp_path / "int8.onnx")
    assert str(Path.cwd()).encode() not in (tmp_path / "model.onnx").read_bytes()
    assert str(tmp_path).encode() not in (tmp_path / "int8.onnx").read_bytes()


def test_a_variant_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="each variant once"):
        CompressSpec(variants=("onnx-fp32", "onnx-fp32"))
