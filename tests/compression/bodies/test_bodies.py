"""Bodies: folders that open like any model, are smaller, and answer as the trained model does."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from modelmint.compression.bodies import BodyInputs, BodyOptions, check_name, facts_of, make_body
from modelmint.compression.export import export_onnx
from modelmint.core.errors import InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.training.batches import open_tokenizer, pad_batch
from modelmint.training.tasks.table import open_model
from modelmint.training.tasks.text_classification import load_classifier
from tests.tiny_base import questions

TRAIN, HELD_OUT = questions(240), questions(60, seed=99)
TEXTS = [row["text"] for row in HELD_OUT]
Make = Callable[..., Path]


class Ending(StageContext):
    """A context that ends the stage in the midst of the training."""

    checks = 0

    def check(self) -> None:
        type(self).checks += 1
        if self.checks == 15:
            raise StageError("timeout_s: stopped", parameter="timeout_s")


@pytest.fixture
def make(model: Model, context: StageContext, dataset: Callable[..., Dataset]) -> Make:
    def run(name: str, rows: list[dict[str, Any]] = TRAIN, given: StageContext = context, **options: Any) -> Path:
        shutil.rmtree(context.scratch)
        context.scratch.mkdir()
        inputs = BodyInputs(
            folder=model.files.folder(),
            train=dataset(rows, "train"),
            validation=dataset(HELD_OUT, "validation"),
            options=BodyOptions(**options),
        )
        return make_body(name, inputs, dataclasses.replace(given, num_threads=1))

    return run


def agreement(folder: Path, model: Model) -> float:
    ours, theirs = (open_model(one).predict({"text": TEXTS}) for one in (folder, model.files.folder()))
    return float(np.mean([one["label"] == other["label"] for one, other in zip(ours, theirs, strict=True)]))


def test_a_trimmed_vocabulary_answers_with_the_same_bits(make: Make, model: Model) -> None:
    folder = make("vocabulary", [row for row in TRAIN if row["label"] != "rate"])
    texts = [row["text"] for row in TRAIN if row["label"] != "rate"]
    assert (load_classifier(folder).logits(texts) == load_classifier(model.files.folder()).logits(texts)).all()


@pytest.mark.parametrize(
    ("name", "epochs"),
    [("layers-1", 6), ("neurons-50", 3), ("static", 40), ("base-text-cnn", 10), ("layers-1+vocabulary", 6)],
)
def test_a_body_answers_as_the_model_does(make: Make, model: Model, name: str, epochs: int) -> None:
    assert agreement(make(name, epochs=epochs, learning_rate=5e-3), model) >= 0.9


@pytest.mark.parametrize("name", ["layers-1", "neurons-50"])
def test_a_cut_body_has_fewer_parameters(make: Make, name: str) -> None:
    told = facts_of(make(name, epochs=1))["parameters"]
    assert told["after"] < told["before"]


@pytest.mark.parametrize("name", ["layers-1", "static"])
def test_a_body_is_exported_with_its_own_answers(make: Make, name: str, tmp_path: Path) -> None:
    folder = make(name, epochs=1)
    export_onnx(folder, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    texts, ours = TEXTS[:8], load_classifier(folder)
    ids = open_tokenizer(folder, 16)(texts)
    inputs = {key: value.numpy() for key, value in pad_batch(ids, 0, torch.device("cpu")).items()}
    np.testing.assert_allclose(session.run(["logits"], inputs)[0], ours.logits(texts), atol=1e-4)


def test_a_text_alone_and_beside_a_longer_one_are_answered_alike_by_a_static_body(make: Make) -> None:
    opened = load_classifier(make("static", epochs=1))
    both = opened.logits(["the card", "please help my bank when the cash is"])
    np.testing.assert_allclose(opened.logits(["the card"]), both[:1], atol=1e-5)


def test_equal_rows_and_seeds_give_equal_folders(make: Make) -> None:
    first = {path.name: path.read_bytes() for path in make("layers-1", epochs=1).rglob("*") if path.is_file()}
    again = {path.name: path.read_bytes() for path in make("layers-1", epochs=1).rglob("*") if path.is_file()}
    assert first == again


def test_the_facts_tell_every_step(make: Make) -> None:
    facts = facts_of(make("neurons-50+layers-1+vocabulary", epochs=1))
    assert [step["step"] for step in facts["steps"]] == ["neurons-50", "layers-1", "vocabulary"]
    assert facts["steps"][0]["neurons"] == {"before": 64, "after": 32}
    assert facts["validation"]["num_rows"] == len(HELD_OUT)


def test_unlabelled_texts_are_learned_from(
    model: Model, context: StageContext, dataset: Callable[..., Dataset]
) -> None:
    more = dataset([{"text": row["text"]} for row in questions(50, seed=5)], "unlabelled")
    given = BodyInputs(
        folder=model.files.folder(),
        train=dataset(TRAIN, "train"),
        validation=dataset(HELD_OUT, "validation"),
        unlabelled=more,
        options=BodyOptions(epochs=1),
    )
    folder = make_body("layers-1", given, dataclasses.replace(context, num_threads=1))
    assert facts_of(folder)["steps"][0]["num_rows"] == len(TRAIN) + 50


def test_a_body_keeps_what_is_said_of_the_model(make: Make, model: Model) -> None:
    said = json.loads((make("layers-1", epochs=1) / "modelmint.json").read_text())
    assert said == json.loads((model.files.folder() / "modelmint.json").read_text())


def test_a_deadline_ends_it(model: Model, context: StageContext, dataset: Callable[..., Dataset]) -> None:
    given = BodyInputs(folder=model.files.folder(), train=dataset(TRAIN, "t"), validation=dataset(HELD_OUT, "v"))
    with pytest.raises(StageError, match="deadline"):
        make_body("layers-1", given, dataclasses.replace(context, deadline_s=0.0))


def test_one_that_was_stopped_goes_on_to_an_equal_folder(make: Make, context: StageContext) -> None:
    whole = {path.name: path.read_bytes() for path in make("layers-1", epochs=2).rglob("*") if path.is_file()}
    fields = {one.name: getattr(context, one.name) for one in dataclasses.fields(context)}
    with pytest.raises(StageError, match="stopped"):
        make("layers-1", epochs=2, given=Ending(**{**fields, "checkpoints": context.checkpoints / "again"}))
    assert list((context.checkpoints / "again").rglob("step-*"))
    onwards = dataclasses.replace(context, checkpoints=context.checkpoints / "again")
    again = {
        path.name: path.read_bytes() for path in make("layers-1", epochs=2, given=onwards).rglob("*") if path.is_file()
    }
    assert again == whole


@pytest.mark.parametrize(("name", "match"), [
    ("layers-2", "fewer layers"),
    ("static+vocabulary", "vocabulary\\+static"),
    ("static+neurons-50", "modelmint-static"),
    ("base-nothing-like-it", "text-cnn"),
])  # fmt: skip
def test_what_cannot_be_made_is_refused(make: Make, name: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        make(name, epochs=1)


@pytest.mark.parametrize(
    "name", ["layers", "layers-0", "heads-50", "layers-2+", "neurons-100", "../x", "layers-1+layers-1"]
)
def test_a_name_that_is_no_body_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="layers-N"):
        check_name(name)
