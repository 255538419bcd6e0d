"""Several workers: that they learn what one learns, end with the same bits when one of them is lost, and what is refused."""

from importlib.util import find_spec

import pytest

from modelmint.core.errors import InputError
from modelmint.training.train import TrainOutputs, TrainSpec
from tests.training.workers.conftest import TOGETHER, Killer

STILL = {"encoder_dropout": 0.0, "head_dropout": 0.0}
"""Nothing is left out by chance: where dropout falls hangs on the number of workers."""
LONG = {"epochs": 8, "patience": 0, "encoder_dropout": 0.1}
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")


def test_two_workers_have_the_loss_of_one(together: TOGETHER) -> None:
    one, two = together(**STILL), together(workers=2, **STILL)
    assert two.training.measured["workers"] == 2
    assert losses(two) == pytest.approx(losses(one), rel=1e-5)


@pytest.mark.slow
def test_micro_batches_of_two_workers_give_the_same_step(together: TOGETHER) -> None:
    whole = together(**STILL, max_steps=9, ema=0.9)
    pieces = together(workers=2, micro_batch_size=3, **STILL, max_steps=9, ema=0.9)
    assert losses(pieces) == pytest.approx(losses(whole), rel=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_model_in_parts_learns_what_a_whole_one_learns(together: TOGETHER) -> None:
    one, parts = together(**STILL, ema=0.9), together(workers=2, sharding="full", micro_batch_size=3, ema=0.9, **STILL)
    assert losses(parts) == pytest.approx(losses(one), rel=1e-5)
    assert scores(parts) == pytest.approx(scores(one), rel=1e-3)


@pytest.mark.destructive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("sharding", ["none", pytest.param("full", marks=pytest.mark.slow)])
def test_a_training_that_lost_a_worker_ends_with_the_same_bits(together: TOGETHER, sharding: str) -> None:
    calm = together(workers=2, sharding=sharding, **LONG)
    killer = Killer("training.workers.worker", at_step=25)
    harmed = together(workers=2, sharding=sharding, say=killer, **LONG)
    assert killer.killed
    assert "a worker was lost: going on from the last checkpoint with new ones" in killer.said
    assert (harmed.model.digest, harmed.training.digest) == (calm.model.digest, calm.training.digest)


@needs_ray
@pytest.mark.slow
@pytest.mark.destructive
@pytest.mark.timeout(900)
def test_on_ray_a_lost_worker_is_replaced_and_the_bits_are_those_of_workers_here(together: TOGETHER) -> None:
    here = together(workers=2, **LONG)
    killer = Killer("RayTrainWorker", at_step=25)
    there = together(workers=2, ray_address="local", say=killer, **LONG)
    assert killer.killed
    assert (there.model.digest, there.training.digest) == (here.model.digest, here.training.digest)


@pytest.mark.slow
def test_two_workers_begin_from_nothing_too(together: TOGETHER) -> None:
    nothing = {"base": "none", "architecture": "text-cnn", "tokenizer": "words", "max_steps": 9, "patience": 0}
    one, two = together(**nothing, **STILL), together(workers=2, **nothing, **STILL)
    assert losses(two) == pytest.approx(losses(one), rel=1e-5)


@pytest.mark.slow
def test_a_worker_that_fails_says_why(together: TOGETHER) -> None:
    with pytest.raises(InputError, match="max_tokens"):
        together(workers=2, max_tokens=5000)


def test_parts_without_workers_are_refused() -> None:
    with pytest.raises(ValueError, match="sharding: must be none with one worker"):
        TrainSpec(sharding="full")


def losses(made: TrainOutputs) -> list[float]:
    return [point["loss"] for point in made.training.facts["curve"]]


def scores(made: TrainOutputs) -> list[float]:
    return [row["validation_loss"] for row in made.training.facts["history"]]
