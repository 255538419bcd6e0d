"""Recommendation: what follows what is learned, the baselines beside it, the folder, what is not known, bad rows."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.evaluation.metrics.recommendation import measure
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainOutputs
from tests.training.tasks.made import Rows, digests, fit

Recommended = Callable[..., TrainOutputs]
NUM_ITEMS = 24


@pytest.fixture
def recommended(context: StageContext, desk: StagingDesk) -> Recommended:
    """``recommended(options={...})``: train on users who go round the items, each from a place of their own."""

    def run(rows: Rows | None = None, *, context_changes: Any = None, **spec: Any) -> TrainOutputs:
        options = {"width": 16, "max_history": 8, "baselines": False, **spec.pop("options", {})}
        wanted = {
            "epochs": 12,
            "ema": 0.0,
            "batch_size": 16,
            "learning_rate": 1e-2,
            "encoder_dropout": 0.1,
            "options": options,
        }
        given = dataclasses.replace(context, num_threads=1, **(context_changes or {}))
        return fit(
            given, desk, "recommendation", walks(0, 10) if rows is None else rows, walks(10, 11), **wanted | spec
        )

    return run


def walks(start: int, stop: int, *, num_users: int = 60) -> Rows:
    """What each user takes between two times: the items in their order, and over again."""
    return [
        {"user": f"u{user}", "item": f"i{(user + time) % NUM_ITEMS:02}", "rating": float(time % 5), "time": float(time)}
        for user in range(num_users)
        for time in range(start, stop)
    ]


def asked(outputs: TrainOutputs, **columns: list[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = open_model(outputs.model.files.folder()).predict(columns)
    return found


def best_ndcg(outputs: TrainOutputs) -> float:
    return max(row["validation_ndcg_at_10"] for row in outputs.training.facts["history"])


@pytest.mark.parametrize(("model", "num_layers", "least"), [("sequence", 2, 0.9), ("two-tower", 1, 0.7)])
def test_what_comes_next_is_learned(recommended: Recommended, model: str, num_layers: int, least: float) -> None:
    options = {"model": model, "num_layers": num_layers}
    assert best_ndcg(recommended(options=options, epochs=30)) > least  # by chance it is 0.32


def test_a_loss_over_drawn_items_learns_too(recommended: Recommended) -> None:
    assert best_ndcg(recommended(options={"num_negatives": 12}, epochs=20)) > 0.9


def test_the_baselines_stand_in_the_report(recommended: Recommended) -> None:
    told = recommended(options={"baselines": True}, epochs=1).training.facts["baselines"]
    assert sorted(told) == ["als", "item-knn", "popularity"]
    assert told["popularity"]["ndcg_at_10"]["value"] < told["item-knn"]["ndcg_at_10"]["value"]


def test_two_runs_give_equal_folders(recommended: Recommended) -> None:
    found = [digests(recommended(epochs=2).model.files.folder()) for _ in range(2)]
    assert found[0] == found[1]


@pytest.mark.parametrize("num_negatives", [None, 5])
def test_a_run_that_was_stopped_goes_on_to_the_same_folder(recommended: Recommended, num_negatives: int | None) -> None:
    how: dict[str, Any] = {"epochs": 2, "options": {"num_negatives": num_negatives}}
    whole = digests(recommended(**how).model.files.folder())
    with pytest.raises(StageError):
        recommended(context_changes={"deadline_s": 0.0}, **how)
    assert digests(recommended(go_on=True, **how).model.files.folder()) == whole


def test_the_folder_answers_for_users_by_name_as_validation_said(recommended: Recommended) -> None:
    outputs = recommended(epochs=3)
    rows = walks(11, 12)
    answers = asked(outputs, user=[row["user"] for row in rows])
    assert measure({"item": [row["item"] for row in rows]}, answers, seed=0)["ndcg_at_10"]["n"] == len(rows)
    assert all(answer["by"] == "history" for answer in answers)


def test_a_history_and_a_user_with_it_get_the_same_answer(recommended: Recommended) -> None:
    outputs = recommended(epochs=1)
    history = [f"i{(3 + time) % NUM_ITEMS:02}" for time in range(11)]
    of_user, of_history = asked(outputs, user=["u3"])[0], asked(outputs, history=[history])[0]
    assert [one["item"] for one in of_user["items"]] == [one["item"] for one in of_history["items"]]
    assert not {one["item"] for one in of_user["items"]} & set(history)


def test_who_and_what_is_not_known_is_said(recommended: Recommended) -> None:
    outputs = recommended(epochs=1)
    stranger, mixed = asked(outputs, user=["nobody"])[0], asked(outputs, history=[["i01", "never"]])[0]
    assert (stranger["by"], len(stranger["items"])) == ("popularity", 10)
    assert (mixed["by"], mixed["unknown_items"]) == ("history", ["never"])


def test_without_histories_no_user_is_in_the_folder(recommended: Recommended) -> None:
    outputs = recommended(epochs=1, options={"keep_histories": False})
    assert not [name for name in digests(outputs.model.files.folder()) if "users" in name or "histories" in name]
    assert asked(outputs, user=["u3"])[0]["by"] == "popularity"


def test_as_many_items_as_are_wanted_are_given(recommended: Recommended) -> None:
    answers = asked(recommended(epochs=1), history=[["i01"], ["i02"]], num_items=[3, 100])
    assert [len(answer["items"]) for answer in answers] == [3, NUM_ITEMS - 1]


def test_rows_rated_too_low_are_left_out(recommended: Recommended) -> None:
    facts = recommended(epochs=1, options={"min_rating": 3}).training.facts
    assert facts["num_interactions"] == sum(row["rating"] >= 3 for row in walks(0, 10))


def test_a_model_to_start_from_keeps_what_it_knows_of_items(context: StageContext, recommended: Recommended) -> None:
    first = recommended(epochs=20)
    from modelmint.training.train import TrainInputs, TrainSpec, train
    from tests.training.tasks.made import rows_of

    inputs = TrainInputs(
        train=rows_of(context.desk, "train", "recommendation", walks(0, 10)),  # type: ignore[arg-type]
        validation=rows_of(context.desk, "validation", "recommendation", walks(10, 11)),  # type: ignore[arg-type]
        start=first.model,
    )
    spec = TrainSpec(
        epochs=1, learning_rate=1e-6, precision="fp32", options={"width": 16, "max_history": 8, "baselines": False}
    )
    (context.scratch / "model").rename(context.scratch / "before")
    assert best_ndcg(train(spec, inputs, context)) > 0.9


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"user": f"u{at}", "item": f"i{at}"} for at in range(5)], "a user with two rows"),
        ([{"user": f"u{at % 2}", "item": "i"} for at in range(5)], "at least 2 items"),
        (
            [{"user": "u", "item": f"i{at}", "time": [None, 1.0][at % 2]} for at in range(6)],
            "a time in each row or in none",
        ),
        ([{"user": "u", "item": ["", "i"][at % 2]} for at in range(6)], "a user and an item in each row"),
    ],
)
def test_rows_that_teach_nothing_are_refused(recommended: Recommended, rows: Rows, says: str) -> None:
    with pytest.raises(DataError, match=says):
        recommended(rows)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"method": "lora"}, "method: must be"),
        ({"architecture": "lstm"}, "architecture: must be left out"),
        ({"max_tokens": 20}, "max_tokens: must be left out"),
        ({"options": {"width": 15}}, "num_heads: must divide"),
    ],
)
def test_what_has_no_meaning_is_refused(recommended: Recommended, spec: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        recommended(**spec)


def test_the_rank_counts_what_the_user_had_not_yet() -> None:
    from modelmint.training.recommendation.histories import Questions, ranks

    scores = np.array([[9, 8, 7, 7, 1]], np.float32)
    found = [
        int(ranks(lambda _: scores.copy(), Questions(histories=(np.array([0]),), items_q=np.array([item])), 5)[0])
        for item in (1, 2, 3, 0, -1)
    ]
    assert found == [0, 1, 2, -1, -1]


def test_als_solves_the_equations_of_the_paper() -> None:
    from modelmint.training.recommendation.als import solve

    random = np.random.default_rng(0)
    fixed, seen = random.normal(size=(7, 3)), np.array([1, 4])
    confidence, preference = np.ones(7), np.zeros(7)
    confidence[seen], preference[seen] = 1 + 5.0, 1.0
    left = fixed.T @ np.diag(confidence) @ fixed + 0.3 * np.eye(3)
    expected = np.linalg.solve(left, fixed.T @ np.diag(confidence) @ preference)
    assert np.allclose(solve(fixed, [seen], penalty=0.3, alpha=5.0)[0], expected)
