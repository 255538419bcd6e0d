"""Tuning methods: each learns, trains little, repeats itself exactly, and answers from its folder as it did."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from modelmint.core.errors import InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.training.tasks.text_classification import load_classifier
from modelmint.training.train import TrainOutputs
from tests.tiny_base import questions

Learn = Callable[..., TrainOutputs]
HAS_BITS = importlib.util.find_spec("bitsandbytes") is not None
needs_bits = pytest.mark.skipif(not HAS_BITS, reason="the extra `qlora` is not installed")
METHODS: dict[str, dict[str, Any]] = {
    "freeze": {"num_layers": 1},
    "lora": {"rank": 4},
    "rslora": {"rank": 4},
    "dora": {"rank": 4},
    "qlora": {"rank": 4},
    "adalora": {"rank": 4},
    "ia3": {},
    "adapter": {"width": 8},
    "prefix": {"num_tokens": 4},
    "prompt": {"num_tokens": 4},
    "p-tuning": {"num_tokens": 4, "width": 16},
}
NAMES = [pytest.param(name, marks=needs_bits) if name == "qlora" else name for name in METHODS]
BESIDE = ("adapter", "prefix", "prompt", "p-tuning")
"""What is laid beside the base, since it cannot be merged into its weights."""
MODEL = "model.safetensors"


def method(name: str) -> dict[str, Any]:
    return {"name": name, **METHODS[name]}


def renamed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows with labels of another name: what is learned of them is in the encoder alone."""
    return [{**row, "label": f"old {row['label']}"} for row in rows]


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_and_trains_less_than_the_whole(learn: Learn, context: StageContext, name: str) -> None:
    base = learn(renamed(questions(200)), renamed(questions(60, seed=9)), epochs=4).model.files.folder()
    shutil.rmtree(context.checkpoints)
    made = learn(questions(160), base=str(base), method=method(name), epochs=4, learning_rate=5e-3)
    rows = questions(60, seed=7)
    classifier = load_classifier(made.model.files.folder())
    answers = [classifier.labels[at] for at in classifier.logits([row["text"] for row in rows]).argmax(axis=1)]
    assert np.mean([one == row["label"] for one, row in zip(answers, rows, strict=True)]) > 0.8
    assert made.training.facts["trained_parameters"] < made.training.facts["parameters"]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_stopped_at_some_steps_gives_equal_artifacts(learn: Learn, context: StageContext, name: str) -> None:
    whole = learn(questions(32), method=method(name))
    shutil.rmtree(context.checkpoints)
    for _ in range(3):
        with pytest.raises(StageError):
            learn(questions(32), method=method(name), context_changes={"deadline_s": 0.0})
    pieces = learn(questions(32), method=method(name))
    assert (pieces.model.digest, pieces.training.digest) == (whole.model.digest, whole.training.digest)


@pytest.mark.parametrize("name", BESIDE)
def test_what_cannot_be_merged_leaves_the_base_as_it_was(learn: Learn, base: Path, name: str) -> None:
    folder = learn(questions(32), method=method(name)).model.files.folder()
    before, after = load_file(base / MODEL), load_file(folder / MODEL)
    shared = [tensor for tensor in after if "pooler" not in tensor]
    assert all(np.array_equal(before[tensor], after[tensor]) for tensor in shared)
    assert not json.dumps(sorted(path.name for path in (folder / "tuning").iterdir())).count(".bin")


@pytest.mark.parametrize("name", ["lora", "adalora", "ia3", pytest.param("qlora", marks=needs_bits)])
def test_what_can_be_merged_is_a_plain_folder(learn: Learn, base: Path, name: str) -> None:
    folder = learn(questions(32), method=method(name)).model.files.folder()
    assert not (folder / "tuning").exists()
    before = {tensor for tensor in load_file(base / MODEL) if "pooler" not in tensor}
    assert set(load_file(folder / MODEL)) == before


def test_a_model_whose_parts_lie_beside_goes_on_with_the_same_method(learn: Learn, context: StageContext) -> None:
    start = learn(questions(240), method=method("adapter"), epochs=5, learning_rate=1e-2)
    shutil.rmtree(context.checkpoints)
    still = {"epochs": 1, "learning_rate": 1e-8, "head_learning_rate": 1e-8}
    warm = learn(questions(16, seed=3), method=method("adapter"), start=start.model, **still)
    known = max(row["validation_accuracy"] for row in start.training.facts["history"])
    assert warm.training.facts["history"][0]["validation_accuracy"] >= known - 0.05


def test_a_model_whose_parts_lie_beside_refuses_another_method(learn: Learn, context: StageContext) -> None:
    start = learn(questions(32), method=method("prefix")).model
    shutil.rmtree(context.checkpoints)
    with pytest.raises(InputError, match="method: must be that of the model to start from"):
        learn(questions(16), start=start)


def test_a_method_without_a_name_it_knows_is_refused() -> None:
    from pydantic import ValidationError

    from modelmint.training.spec import TrainSpec

    with pytest.raises(ValidationError, match="lora"):
        TrainSpec(method="lorra")  # type: ignore[arg-type]
