"""Text classifiers made from nothing: a Transformer, an LSTM, a text CNN."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelmint.compression.export import export_onnx
from modelmint.core.errors import InputError
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainOutputs
from tests.tiny_base import questions

KINDS: dict[str, dict[str, Any]] = {
    "transformer": {"name": "transformer", "num_layers": 1, "width": 32, "num_heads": 2},
    "lstm": {"name": "lstm", "width": 32},
    "text-cnn": {"name": "text-cnn", "width": 32, "windows": (1, 2, 3)},
}
each = pytest.mark.parametrize("kind", sorted(KINDS))
Learn = Callable[..., TrainOutputs]


def made(learn: Learn, kind: str, rows: list[dict[str, Any]] | None = None, **spec: Any) -> TrainOutputs:
    wanted = {"tokenizer": "words", "epochs": 2, "encoder_dropout": 0.0, "learning_rate": 1e-2, **spec}
    return learn(rows or questions(60), base="none", architecture=KINDS[kind], **wanted)


@each
def test_it_learns(learn: Learn, kind: str) -> None:
    done = made(learn, kind, questions(200), epochs=5)
    assert done.training.facts["history"][-1]["validation_accuracy"] > 0.8


@each
def test_two_runs_give_equal_artifacts(learn: Learn, kind: str) -> None:
    assert made(learn, kind).model.digest == made(learn, kind).model.digest


@each
def test_an_answer_does_not_depend_on_its_neighbours(learn: Learn, kind: str) -> None:
    model = open_model(made(learn, kind).model.files.folder())
    texts = ["card", "my cash please when will the bank help today"]
    alone = [model.predict({"text": [text]})[0]["score"] for text in texts]
    assert [one["score"] for one in model.predict({"text": texts})] == pytest.approx(alone, abs=1e-5)


@each
def test_the_exported_file_answers_the_same(learn: Learn, kind: str, tmp_path: Path) -> None:
    import onnxruntime

    from modelmint.training.batches import open_tokenizer, pad_batch

    folder = made(learn, kind).model.files.folder()
    export_onnx(folder, tmp_path / "model.onnx")
    texts = [row["text"] for row in questions(5, seed=3)]
    import torch

    batch = pad_batch(open_tokenizer(folder, 16)(texts), 0, torch.device("cpu"))
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {name: tensor.numpy() for name, tensor in batch.items()})
    np.testing.assert_allclose(found, open_model(folder).logits(texts), atol=1e-4)  # type: ignore[attr-defined]


@each
def test_training_goes_on_from_it(learn: Learn, kind: str) -> None:
    first = made(learn, kind, epochs=4)
    facts = learn(
        questions(60), start=first.model, epochs=1, learning_rate=1e-5, head_learning_rate=1e-5
    ).training.facts
    before = first.training.facts["history"][first.training.facts["best_epoch"] - 1]["validation_loss"]
    assert facts["history"][0]["validation_loss"] == pytest.approx(before, abs=0.02)


def test_chinese_is_read_by_characters(learn: Learn) -> None:
    signs = {"card": "卡", "cash": "钱", "loan": "贷", "rate": "率"}
    rows = [{"text": f"请问{signs[row['label']]}怎么办", "label": row["label"]} for row in questions(80)]
    done = learn(
        rows, rows, base="none", architecture=KINDS["text-cnn"], tokenizer="characters", epochs=6, learning_rate=1e-2
    )
    assert done.training.facts["history"][-1]["validation_accuracy"] == 1.0


def test_the_folder_says_what_it_is(learn: Learn) -> None:
    folder = made(learn, "lstm").model.files.folder()
    assert json.loads((folder / "config.json").read_text())["model_type"] == "modelmint-lstm"


def test_heads_that_do_not_share_the_width_are_refused(learn: Learn) -> None:
    with pytest.raises(InputError, match="multiple of num_heads 3"):
        learn(questions(20), base="none", architecture={"name": "transformer", "width": 32, "num_heads": 3})


def test_an_architecture_for_images_is_refused(learn: Learn) -> None:
    with pytest.raises(InputError, match="got cnn"):
        learn(questions(20), base="none", architecture="cnn")
