"""The knobs of the loop: each changes what it says, repeats itself exactly, and goes on after a stop as if there were none."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from modelmint.core.errors import InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.training.knobs import Knobs
from modelmint.training.optimization import learning_rate_factor
from modelmint.training.spec import TrainSpec
from modelmint.training.train import TrainOutputs
from tests.tiny_base import questions

Learn = Callable[..., TrainOutputs]
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adamw": {},
    "adam": {},
    "sgd": {"learning_rate": 0.1, "head_learning_rate": 0.3},
    "adagrad": {"learning_rate": 0.02, "head_learning_rate": 0.05},
    "adafactor": {"learning_rate": 0.01, "head_learning_rate": 0.03},
    "muon": {"learning_rate": 0.01},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_learns(learn: Learn, name: str) -> None:
    history = learn(questions(240), optimizer=name, epochs=6, **OPTIMIZERS[name]).training.facts["history"]
    assert history[-1]["validation_accuracy"] > 0.7


@pytest.mark.parametrize("knobs", [
    *({"optimizer": name, **rates} for name, rates in OPTIMIZERS.items()),
    {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.1},
    {"ema": 0.9},
    {"micro_batch_size": 3},
    {"gradient_checkpointing": True},
    {"schedule": "cosine"},
    {"max_steps": 7},
], ids=lambda knobs: "-".join(str(value) for value in knobs.values()))  # fmt: skip
def test_a_run_stopped_at_some_steps_gives_equal_artifacts(
    learn: Learn, context: StageContext, knobs: dict[str, Any]
) -> None:
    whole = learn(questions(32), **knobs)
    shutil.rmtree(context.checkpoints)
    for _ in range(3):
        with pytest.raises(StageError):
            learn(questions(32), **knobs, context_changes={"deadline_s": 0.0})
    pieces = learn(questions(32), **knobs)
    assert (pieces.model.digest, pieces.training.digest) == (whole.model.digest, whole.training.digest)


@pytest.mark.parametrize("knobs", [{"ema": 0.9}, {"schedule": "constant"}, {"max_steps": 5}, {"warmup": 0.5}])
def test_a_knob_makes_another_model(learn: Learn, context: StageContext, knobs: dict[str, Any]) -> None:
    plain = learn(questions(40))
    shutil.rmtree(context.checkpoints)
    assert learn(questions(40), **knobs).model.digest != plain.model.digest


def test_micro_batches_add_up_to_the_step_of_the_whole_batch(learn: Learn, context: StageContext) -> None:
    same = {"encoder_dropout": 0.0, "head_dropout": 0.0, "epochs": 1}
    whole = learn(questions(40), **same).training.facts["curve"]
    shutil.rmtree(context.checkpoints)
    parts = learn(questions(40), micro_batch_size=3, **same).training.facts["curve"]
    assert [point["loss"] for point in parts] == pytest.approx([point["loss"] for point in whole], abs=2e-4)


def test_gradient_checkpointing_gives_the_same_numbers(learn: Learn, context: StageContext) -> None:
    whole = learn(questions(40)).training.facts["curve"]
    shutil.rmtree(context.checkpoints)
    again = learn(questions(40), gradient_checkpointing=True).training.facts["curve"]
    assert [point["loss"] for point in again] == pytest.approx([point["loss"] for point in whole], abs=1e-4)


def test_half_precision_without_a_gpu_is_refused(learn: Learn) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match="precision: fp16 must have a GPU"):
        learn(questions(20), precision="fp16")


def test_no_more_than_max_steps_are_made(learn: Learn) -> None:
    facts = learn(questions(40), max_steps=7, epochs=3).training.facts
    assert (facts["steps"], len(facts["curve"])) == (7, 7)


@pytest.mark.parametrize(("schedule", "halfway", "at_the_end"), [
    ("linear", 0.5, 0.0), ("cosine", 0.5, 0.0), ("constant", 1.0, 1.0), ("polynomial", 0.25, 0.0),
])  # fmt: skip
def test_a_schedule_falls_as_its_name_says(schedule: Any, halfway: float, at_the_end: float) -> None:
    knobs = Knobs(schedule=schedule, warmup=0.0)
    assert learning_rate_factor(51, 101, knobs) == pytest.approx(halfway, abs=0.02)
    assert learning_rate_factor(101, 101, knobs) == pytest.approx(at_the_end)


def test_every_knob_of_the_loop_can_be_set() -> None:
    assert set(Knobs.__slots__) <= set(TrainSpec.model_fields)


@pytest.mark.parametrize("knobs", [{"optimizer": "lion"}, {"learning_rate": -1}, {"ema": 1.0}, {"epochs": 0}])
def test_a_value_that_makes_no_sense_is_refused(knobs: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(knobs))):
        TrainSpec(**knobs)


def test_an_architecture_without_a_base_starts_from_nothing() -> None:
    assert TrainSpec(architecture="lstm").base == "none"  # type: ignore[arg-type]
    assert TrainSpec(tokenizer="characters", base="starter").base == "starter"  # type: ignore[arg-type]
