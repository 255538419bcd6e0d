"""Runs, models and trainings beside each other."""

from collections.abc import Callable

import pytest

from modelmint.core.errors import InputError, NotFoundError
from modelmint.core.types import JSON
from modelmint.workspace import Workspace

Ran = Callable[..., str]

pytestmark = pytest.mark.timeout(600)


def row(body: JSON, name: str, of: str = "test") -> JSON:
    return next(one for one in body["metrics"] if (one["name"], one["of"]) == (name, of))


def test_figures_on_the_same_rows_have_a_paired_difference(workspace: Workspace, ran: Ran) -> None:
    body = workspace.compare(ran("questions"), ran("questions", "train.learning_rate=0.003", name="较快"))
    accuracy = row(body, "accuracy")
    first, second = (one["value"] for one in accuracy["values"])
    difference = accuracy["differences"][1]
    assert difference["value"] == pytest.approx(second - first, abs=2e-6)
    assert difference["low"] <= difference["value"] <= difference["high"]
    told = body["paired"][1]
    num_rows = accuracy["values"][0]["n"]
    assert told["num_second_only"] - told["num_first_only"] == round((second - first) * num_rows)


def test_only_what_was_set_otherwise_is_told(workspace: Workspace, ran: Ran) -> None:
    body = workspace.compare(ran("questions"), ran("questions", "train.learning_rate=0.003", name="较快"))
    assert body["config"] == [{"key": "train.learning_rate", "values": [0.0002, 0.003]}]


def test_a_knob_set_to_its_default_is_no_difference(workspace: Workspace, ran: Ran) -> None:
    body = workspace.compare(ran("questions"), ran("questions", "train.learning_rate=0.0002", name="told"))
    assert body["config"] == []
    assert body["notes"] == ["B is the same model as A, bit by bit."]


def test_other_test_rows_are_said_to_be_so(workspace: Workspace, ran: Ran) -> None:
    body = workspace.compare(ran("questions"), ran("questions", "split.test=0.3", name="fewer"))
    assert not body["paired"][1]["same_rows"]
    assert "they were tested on other rows" in body["paired"][1]["why"]
    assert row(body, "accuracy")["differences"] == [None, None]
    changed = [one["key"] for one in body["config"]]
    assert {"split.test", "data.train.digest", "data.test.digest", "data.test.rows"} <= set(changed)


def test_figures_of_other_tasks_stand_beside_a_gap(workspace: Workspace, ran: Ran) -> None:
    body = workspace.compare(ran("questions"), ran("numbers"))
    assert row(body, "accuracy")["values"][1] is None
    assert row(body, "rmse")["values"][0] is None
    assert "other tasks" in " ".join(body["notes"])
    assert "they are for other tasks" in body["paired"][1]["why"]


def test_a_task_whose_answers_are_numbers_is_paired_too(workspace: Workspace, ran: Ran) -> None:
    body = workspace.compare(ran("numbers"), ran("numbers", "train.learning_rate=0.003", name="faster"))
    rmse = row(body, "rmse")
    assert rmse["differences"][1]["value"] == pytest.approx(
        rmse["values"][1]["value"] - rmse["values"][0]["value"], abs=2e-6
    )
    assert body["paired"][1] == {"same_rows": True}


def test_a_run_without_a_training_is_compared_as_far_as_it_went(workspace: Workspace, ran: Ran) -> None:
    body = workspace.compare(ran("questions"), ran("questions", name="half", until="split"))
    assert body["curves"][1] == {"training": None, "points": 0, "epochs": 0}
    assert any(note.startswith("B has no training") for note in body["notes"])
    assert "has no evaluation" in body["paired"][1]["why"]


def test_a_model_and_a_training_stand_for_the_stages_that_made_them(workspace: Workspace, ran: Ran) -> None:
    one, other = ran("questions"), ran("questions", "train.learning_rate=0.003", name="较快")
    of_runs = workspace.compare(one, other)
    model, training = of_runs["sides"][0]["model"], of_runs["sides"][1]["training"]
    of_parts = workspace.compare(model, training)
    assert of_parts["metrics"] == of_runs["metrics"]
    assert of_parts["config"] == of_runs["config"]


def test_what_it_took_is_told(workspace: Workspace, ran: Ran) -> None:
    body = workspace.compare(ran("questions"), ran("numbers"))
    took = {one["name"]: one["values"] for one in body["took"]}
    assert {"seconds", "cost", "memory_bytes", "examples_per_s", "tokens_per_s", "size_bytes"} <= took.keys()
    assert all(value > 0 for value in took["tokens_per_s"])


def test_three_are_each_compared_with_the_first(workspace: Workspace, ran: Ran) -> None:
    runs = [ran("questions"), ran("questions", "train.learning_rate=0.003", name="较快"), ran("numbers")]
    body = workspace.compare(*runs)
    assert [told and told["same_rows"] for told in body["paired"]] == [None, True, False]
    assert [side["letter"] for side in body["sides"]] == ["A", "B", "C"]


def test_an_id_that_is_not_there_names_a_near_one(workspace: Workspace, ran: Ran) -> None:
    known = ran("questions")
    with pytest.raises(NotFoundError) as caught:
        workspace.compare(known, known[:-1])
    assert caught.value.remedy == f"Did you mean {known}?"


def test_the_name_of_a_run_names_the_run(workspace: Workspace, ran: Ran) -> None:
    known = ran("questions", "train.learning_rate=0.003", name="较快")
    with pytest.raises(NotFoundError) as caught:
        workspace.compare(ran("questions"), "较快")
    assert caught.value.remedy == f"Did you mean {known}?"


@pytest.mark.parametrize("num", [0, 1, 9])
def test_too_few_and_too_many_are_refused(workspace: Workspace, ran: Ran, num: int) -> None:
    with pytest.raises(InputError, match="must be 2 to 8"):
        workspace.compare(*[ran("questions")] * num)


def test_the_same_twice_is_refused(workspace: Workspace, ran: Ran) -> None:
    with pytest.raises(InputError, match="stands twice"):
        workspace.compare(ran("questions"), ran("questions"))


def test_a_dataset_is_nothing_to_compare(workspace: Workspace, ran: Ran) -> None:
    data = workspace.show(ran("questions"))["stages"][0]["roles"]["data"][0]
    with pytest.raises(InputError, match="must be a run, a model, or the report"):
        workspace.compare(ran("questions"), data)
