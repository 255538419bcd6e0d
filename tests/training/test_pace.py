"""How fast a training goes: a figure a point of the curve, tokens without padding, and nothing of it in the facts."""

import shutil
from collections.abc import Callable

import pytest

from modelmint.core.errors import StageError
from modelmint.core.stage import StageContext
from modelmint.training.train import TrainOutputs
from tests.tiny_base import questions

Learn = Callable[..., TrainOutputs]


def test_every_point_of_the_curve_has_its_pace(learn: Learn) -> None:
    training = learn(questions(30)).training
    pace = training.measured["pace"]
    assert pace["step"] == [point["step"] for point in training.facts["curve"]]
    assert {len(column) for column in pace.values()} == {len(pace["step"])}


def test_tokens_are_counted_without_their_padding(learn: Learn) -> None:
    rows = [{"text": "card", "label": "card"}, {"text": "cash my is the", "label": "cash"}]
    measured = learn(rows * 8, batch_size=16, epochs=1).training.measured
    assert measured["padding"] == pytest.approx(1 - (3 + 6) / (6 + 6), abs=1e-4)  # with [CLS] and [SEP]
    seconds = measured["pace"]["seconds"][-1]
    assert measured["tokens_per_s"] == pytest.approx(8 * 9 / seconds, rel=0.2)


def test_memory_is_that_of_a_process_with_pytorch(learn: Learn) -> None:
    held = learn(questions(30)).training.measured["pace"]["memory_bytes"]
    assert all(50e6 < one < 1e12 for one in held)


def test_the_pace_is_no_fact(learn: Learn) -> None:
    training = learn(questions(30)).training
    assert "examples_per_s" not in str(training.facts)
    assert learn(questions(30)).training.digest == training.digest


def test_a_run_that_went_on_keeps_the_pace_of_before(learn: Learn, context: StageContext) -> None:
    shutil.rmtree(context.checkpoints)
    with pytest.raises(StageError):
        learn(questions(30), context_changes={"deadline_s": 0.0})
    training = learn(questions(30)).training
    assert training.measured["pace"]["step"] == [point["step"] for point in training.facts["curve"]]


def test_more_steps_than_points_share_them(learn: Learn) -> None:
    training = learn(questions(30), epochs=105, batch_size=8, patience=0).training  # 420 steps
    pace = training.measured["pace"]
    assert len(pace["step"]) == len(training.facts["curve"]) == 210
    assert pace["seconds"] == sorted(pace["seconds"])


def test_the_page_draws_speed_and_memory(learn: Learn) -> None:
    with learn(questions(30)).training.files.open("report.html") as stream:
        page = stream.read().decode()
    assert "Rows a second" in page
    assert "Tokens a second" in page
    assert "Memory in MB" in page


def test_micro_batches_count_as_their_batch(learn: Learn) -> None:
    whole, parts = (
        learn(questions(32), epochs=1, batch_size=32, micro_batch_size=size).training.measured for size in (None, 8)
    )
    assert len(whole["pace"]["step"]) == len(parts["pace"]["step"])
    assert parts["padding"] < whole["padding"]  # a part is as wide as its own longest row
