"""compress: variants that the serving engine opens, that answer as the trained model does, and one that is chosen."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelmint.compression.compress import CompressInputs, CompressOutputs, CompressSpec, compress
from modelmint.compression.export import export_onnx
from modelmint.compression.quantize import quantize_int8
from modelmint.compression.variants import FORMS, Given, Workshop, split_name
from modelmint.core.errors import DataError, InputError, RecipeError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.loop.recipe import compile_recipe
from modelmint.serving.engines import open_engine
from modelmint.training.tasks.text_classification import load_classifier
from tests.tiny_base import questions

TEXTS = [row["text"] for row in questions(50, seed=11)]
ONNX = [name for name, form in FORMS.items() if form.engine == "onnx"]
OPENVINO = [name for name, form in FORMS.items() if form.engine == "openvino"]


@pytest.fixture
def workshop(model: Model, context: StageContext, dataset: Callable[..., Dataset]) -> Workshop:
    return Workshop(model, dataclasses.replace(context, num_threads=1), Given(train=dataset(questions(60))))


@pytest.fixture
def made(model: Model, context: StageContext, dataset: Callable[..., Dataset]) -> Callable[..., CompressOutputs]:
    """The whole stage, timed on a few texts."""

    def run(num_validation: int = 220, num_test: int = 60, num_train: int = 60, **spec: Any) -> CompressOutputs:
        inputs = CompressInputs(
            model=model,
            validation=dataset(questions(num_validation, seed=21)),
            test=dataset(questions(num_test, seed=22)),
            train=dataset(questions(num_train)),
        )
        given = CompressSpec(**{"timed_rows": 5, **spec})
        return compress(given, inputs, dataclasses.replace(context, num_threads=1))

    return run


@pytest.mark.parametrize("name", ["onnx-fp32", "onnx-fp16"])
def test_a_variant_in_floats_answers_as_the_trained_model_does(workshop: Workshop, model: Model, name: str) -> None:
    served = open_engine(workshop.make(name), num_threads=1).predict(TEXTS)
    np.testing.assert_allclose(
        served, load_classifier(model.files.folder()).logits(TEXTS), atol=1e-4 if "32" in name else 0.02
    )


@pytest.mark.parametrize("name", ["onnx-int8", "onnx-int8-mixed", "onnx-int8-static", "onnx-int8-static-mixed"])
def test_a_quantized_variant_gives_the_labels_of_the_trained_model(workshop: Workshop, model: Model, name: str) -> None:
    served = open_engine(workshop.make(name), num_threads=1).predict(TEXTS).argmax(axis=1)
    trained = load_classifier(model.files.folder()).logits(TEXTS).argmax(axis=1)
    assert (served == trained).mean() >= 0.96


@pytest.mark.parametrize("name", OPENVINO)
def test_openvino_gives_the_labels_of_the_trained_model(workshop: Workshop, model: Model, name: str) -> None:
    pytest.importorskip("openvino")
    try:
        engine = open_engine(workshop.make(name), num_threads=1)
    except InputError as error:
        pytest.skip(error.message)  # a processor without bfloat16
    trained = load_classifier(model.files.folder()).logits(TEXTS).argmax(axis=1)
    assert (engine.predict(TEXTS).argmax(axis=1) == trained).mean() >= 0.96


@pytest.mark.parametrize("name", ONNX)
def test_a_text_alone_and_in_a_batch_are_answered_alike(workshop: Workshop, name: str) -> None:
    engine = open_engine(workshop.make(name), num_threads=1)
    alone = np.concatenate([engine.predict([text]) for text in TEXTS[:8]])
    np.testing.assert_allclose(alone, engine.predict(TEXTS[:8]), atol=1e-4)


def test_static_int8_shares_a_batch_where_dynamic_int8_does_not(workshop: Workshop) -> None:
    batches = [open_engine(workshop.make(name), 1).max_batch for name in ("onnx-int8", "onnx-int8-static")]
    assert batches == [1, 32]


def test_half_the_bits_are_about_half_the_file(workshop: Workshop) -> None:
    sizes = [(workshop.make(name) / "model.onnx").stat().st_size for name in ("onnx-fp32", "onnx-fp16")]
    assert sizes[1] < sizes[0]


def test_two_workshops_make_equal_files(workshop: Workshop, context: StageContext) -> None:
    first = {name: (workshop.make(name) / "model.onnx").read_bytes() for name in ONNX}
    shutil.rmtree(context.scratch)
    context.scratch.mkdir()
    again = Workshop(workshop._model, workshop._ctx, workshop._given)
    assert {name: (again.make(name) / "model.onnx").read_bytes() for name in ONNX} == first


def test_one_training_row_is_too_few_to_calibrate(
    model: Model, context: StageContext, dataset: Callable[..., Dataset]
) -> None:
    with pytest.raises(DataError, match="at least 16 training rows; got 1"):
        Workshop(model, context, Given(train=dataset(questions(1)))).make("onnx-int8-static")


def test_each_variant_is_measured_one_is_chosen_and_one_that_cannot_be_made_is_named(made: Any) -> None:
    outputs = made(num_train=1, num_validation=50, try_=("onnx-int8-static", "onnx-fp32", "onnx-int8"))
    facts, measured = outputs.compression.facts, outputs.compression.measured
    assert [one["name"] for one in facts["variants"] if one["chosen"]] == [facts["chosen"]] == [outputs.variant.name]
    assert [one["name"] for one in facts["failed"]] == ["onnx-int8-static"]
    assert "16 training rows" in facts["failed"][0]["reason"]
    assert "fewer than 200 validation rows" in facts["notes"][0]
    assert list(measured["variants"]) == ["onnx-fp32", "onnx-int8"]
    for timed in (measured["model"], *measured["variants"].values()):
        assert 0 < timed["p50_ms"] <= timed["p99_ms"]
        assert timed["load_ms"] > 0 < timed["peak_mb"]
        assert timed["cost_per_million"].endswith(" USD")


def test_where_nothing_can_be_made_the_stage_fails(made: Any) -> None:
    with pytest.raises(StageError, match="no variant could be made: onnx-int8-static: train: "):
        made(num_train=1, try_=("onnx-int8-static",))


def test_variants_carry_the_facts_and_the_licence_of_the_model(workshop: Workshop) -> None:
    variant = workshop.lay_down("onnx-int8", workshop.make("onnx-int8"))
    assert (variant.facts["engine"], variant.facts["variant"], variant.facts["body"]) == ("onnx", "onnx-int8", None)
    assert variant.manifest["licences"] == ["MIT"]


def test_files_hold_nothing_of_this_machine(trained_folder: Path, model: Model, tmp_path: Path) -> None:
    export_onnx(model.files.folder(), tmp_path / "model.onnx")
    quantize_int8(tmp_path / "model.onnx", tmp_path / "int8.onnx")
    assert str(Path.cwd()).encode() not in (tmp_path / "model.onnx").read_bytes()
    assert str(tmp_path).encode() not in (tmp_path / "int8.onnx").read_bytes()


def test_a_setting_that_openvino_is_not_told_is_refused(workshop: Workshop) -> None:
    pytest.importorskip("openvino")
    folder = workshop.make("openvino-fp32")
    about = json.loads((folder / "modelmint.json").read_text())
    (folder / "modelmint.json").write_text(json.dumps(about | {"settings": {"CACHE_DIR": "/tmp"}}))
    with pytest.raises(InputError, match=r"settings\.CACHE_DIR"):
        open_engine(folder, 1)


def test_a_variant_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="each variant once"):
        CompressSpec(try_=("onnx-fp32", "onnx-fp32"))


def test_a_form_with_a_typo_is_named() -> None:
    with pytest.raises(InputError, match="Did you mean layers-2/onnx-int8"):
        split_name("layers-2/onnx-int9")


def test_a_recipe_names_the_key_try_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    (tmp_path / "q.csv").write_text("text,label\na,b\n")
    stages = "stages:\n- collect: {source: q.csv}\n- split\n- train\n- compress: {%s: [onnx-int8]}\n"
    file.write_text(stages % "try")
    assert compile_recipe(file).steps[-1].spec["try"] == ["onnx-int8"]
    file.write_text(stages % "try_")
    with pytest.raises(RecipeError, match="try_: unknown key; compress takes try, "):
        compile_recipe(file)
