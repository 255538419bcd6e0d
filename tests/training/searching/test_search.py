"""search: what it finds, that it repeats itself exactly, when it ends, and what it refuses."""

import json
from typing import Any

import pytest

from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.types import Report
from modelmint.training.searching import budget
from tests.tiny_base import questions
from tests.training.searching.conftest import HEAD, QUICK, SPACE, Searching

SLOW = {"optimizer": ["adamw", "sgd"], "warmup": {"low": 0, "high": 0.5}}
"""Of which one choice learns far more slowly."""


def scores(study: Report) -> list[float]:
    return [trial["score"] for trial in study.facts["trials"]]


def states(study: Report) -> list[str]:
    return [trial["state"] for trial in study.facts["trials"]]


def test_the_winner_has_the_best_score_of_all_and_beats_the_defaults(searching: Searching) -> None:
    study = searching.find(trials=6, space=HEAD, train=QUICK)
    assert study.facts["best"]["score"] == max(scores(study)) > study.facts["default"]["score"]


def test_the_winner_trained_again_has_the_score_that_it_had_in_the_search(searching: Searching) -> None:
    study = searching.find()
    history = searching.learn(study).training.facts["history"]
    assert max(row["validation_accuracy"] for row in history) == study.facts["best"]["score"]


def test_the_training_takes_the_best_values_and_says_so(searching: Searching) -> None:
    study = searching.find()
    facts = searching.learn(study).training.facts
    best = study.facts["best"]["values"]
    assert {key: facts["hyperparameters"][key] for key in best} == best == facts["found"]["values"]
    assert facts["found"]["study"] == study.digest


def test_two_searches_give_equal_studies(searching: Searching) -> None:
    assert searching.find(trials=6).digest == searching.find(trials=6).digest


def test_another_seed_gives_other_trials(searching: Searching) -> None:
    other = searching.find(context_changes={"seed": 4})
    assert other.facts["trials"][1]["values"] != searching.find().facts["trials"][1]["values"]


def test_the_first_trial_has_the_values_of_no_search(searching: Searching) -> None:
    space = {**SPACE, "batch_size": [32, 16], "schedule": ["cosine", "linear"]}
    first = searching.find(trials=1, space=space).facts["trials"][0]
    assert first["values"] == {"learning_rate": 2e-4, "batch_size": 32, "schedule": "linear"}


def test_values_are_within_their_space(searching: Searching) -> None:
    space = {
        "learning_rate": {"low": 1e-4, "high": 1e-3, "log": True},
        "epochs": {"low": 1, "high": 3},
        "warmup": {"low": 0, "high": 0.2, "step": 0.1},
        "optimizer": ["adamw", "sgd"],
    }
    for trial in searching.find(trials=6, space=space, train={"epochs": None}).facts["trials"]:
        values = trial["values"]
        assert 1e-4 <= values["learning_rate"] <= 1e-3
        assert isinstance(values["epochs"], int)
        assert values["warmup"] in (0.0, 0.1, 0.2)
        assert values["optimizer"] in ("adamw", "sgd")


def test_parts_of_the_method_are_searched(searching: Searching) -> None:
    study = searching.find(trials=2, train={"method": "lora"}, space={"method.rank": [2, 4]})
    assert {trial["values"]["method.rank"] for trial in study.facts["trials"]} == {2, 4}
    told = searching.learn(study, train_spec={"method": "lora"}).training.facts["hyperparameters"]["method"]
    assert told["rank"] == study.facts["best"]["values"]["method.rank"]


def test_a_space_that_is_used_up_ends_the_search(searching: Searching) -> None:
    study = searching.find(trials=20, space={"batch_size": [8, 16], "schedule": ["linear", "cosine"]})
    tried = [json.dumps(trial["values"]) for trial in study.facts["trials"]]
    assert (study.facts["ended_by"], len(tried), len(set(tried))) == ("space", 4, 4)


def test_trials_that_are_behind_are_left_early(searching: Searching) -> None:
    study = searching.find(trials=8, space=SLOW, train={**QUICK, "epochs": 5}, sampler="random")
    pruned = [trial for trial in study.facts["trials"] if trial["state"] == "pruned"]
    assert pruned
    assert all(len(trial["scores"]) < 5 for trial in pruned)
    assert study.facts["best"]["score"] > max(trial["score"] for trial in pruned)


def test_without_pruning_every_trial_is_whole(searching: Searching) -> None:
    study = searching.find(trials=8, space=SLOW, train={**QUICK, "epochs": 5}, sampler="random", pruning="none")
    assert set(states(study)) == {"complete"}


def test_importances_tell_the_knob_that_matters_from_one_that_does_not(searching: Searching) -> None:
    space = {**HEAD, "max_grad_norm": [0.9, 1.0, 1.1]}
    shares = searching.find(trials=9, space=space, train=QUICK, pruning="none", sampler="random").facts["importances"]
    assert shares["head_learning_rate"] > 0.6 > shares["max_grad_norm"]
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)


def test_the_budget_in_time_ends_it_after_the_first_trial(searching: Searching) -> None:
    study = searching.find(trials=500, minutes=1e-6)
    assert (study.facts["ended_by"], states(study)) == ("minutes", ["complete"])


def test_a_trial_that_is_under_way_when_the_time_is_up_is_stopped(
    searching: Searching, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    def hours_pass(_done: int, _total: int, message: str) -> None:
        if message.startswith("trial 2, epoch 2"):
            clock[0] = 7200.0

    monkeypatch.setattr(budget, "monotonic_s", lambda: clock[0])
    study = searching.find(trials=None, minutes=60, context_changes={"say": hours_pass})
    assert study.facts["ended_by"] == "minutes"
    assert states(study) == ["complete", "stopped"]
    assert len(study.facts["trials"][1]["scores"]) == 1


def test_the_budget_in_money_is_that_of_the_machine(searching: Searching) -> None:
    study = searching.find(trials=None, money="0.01 USD", context_changes={"machine_hour": "36000 USD"})
    assert study.facts["ended_by"] == "money"


def test_money_of_another_currency_is_refused(searching: Searching) -> None:
    with pytest.raises(InputError, match="money: must be in the currency"):
        searching.find(money="1 EUR")


def test_a_trial_that_breaks_is_not_the_end(searching: Searching) -> None:
    study = searching.find(trials=3, space={"learning_rate": [10.0, 1e-3], "optimizer": ["sgd", "adamw"], "max_tokens": [4096, 8]}, train={"max_tokens": None, "momentum": 0.99, "max_grad_norm": 1e30})  # fmt: skip
    assert set(states(study)) <= {"complete", "failed"}
    assert study.facts["counts"]["failed"] >= 1
    assert any("failed" in warning for warning in study.facts["warnings"])


def test_when_all_trials_fail_the_error_says_why(searching: Searching) -> None:
    with pytest.raises(StageError, match=r"all 2 trials failed, the first with: max_tokens"):
        searching.find(trials=5, space={"max_tokens": [5000, 6000]}, train={"max_tokens": None})


def test_a_deadline_is_not_taken_for_a_failed_trial(searching: Searching) -> None:
    with pytest.raises(StageError, match="timeout_s"):
        searching.find(context_changes={"deadline_s": 0.0})


def test_no_validation_rows_are_refused(searching: Searching) -> None:
    with pytest.raises(DataError, match="validation: must have rows"):
        searching.find(validation=[])


def test_validation_rows_that_cannot_be_scored_are_refused(searching: Searching) -> None:
    with pytest.raises(DataError, match="validation: must have rows that the task can score"):
        searching.find(validation=[{"text": "the moon", "label": "astronomy"}])


def test_few_validation_rows_are_warned_of(searching: Searching) -> None:
    warnings = searching.find(trials=1, validation=questions(12, seed=3)).facts["warnings"]
    assert any("12 validation rows: chance decides" in warning for warning in warnings)


def test_a_best_value_at_the_edge_is_warned_of(searching: Searching) -> None:
    space = {"head_learning_rate": {"low": 1e-7, "high": 1.001e-3, "log": True}}  # the first trial's is 1e-3
    study = searching.find(trials=3, space=space, train=QUICK)
    assert study.facts["best"]["values"]["head_learning_rate"] == 1e-3
    assert any("lies at the edge" in warning and "higher" in warning for warning in study.facts["warnings"])


def test_a_knob_that_the_task_does_not_read_is_refused(searching: Searching) -> None:
    with pytest.raises(InputError, match=r"space.class_weights: must be left out, since text-embedding has no use"):
        searching.find(space={"class_weights": ["none", "balanced"]}, train={"task": "text-embedding"})


def test_an_option_that_the_task_does_not_have_is_refused(searching: Searching) -> None:
    with pytest.raises(InputError, match=r"space.options.depth: .*text-classification has none"):
        searching.find(space={"options.depth": [1, 2]})


def test_a_study_of_another_task_is_refused(searching: Searching) -> None:
    study = searching.find(trials=1)
    with pytest.raises(InputError, match="search: must be of a search for text-embedding"):
        searching.learn(study, train_spec={"task": "text-embedding"})


def test_a_knob_that_is_set_and_found_is_refused(searching: Searching) -> None:
    study = searching.find(trials=1)
    with pytest.raises(InputError, match="batch_size: must be left out where a search has found it; got 8"):
        searching.learn(study, train_spec={"batch_size": 8})


def test_progress_names_the_trial_the_epoch_and_the_best(searching: Searching) -> None:
    said: list[str] = []
    searching.find(trials=2, context_changes={"say": lambda _done, _total, message: said.append(message)})
    assert any(one.startswith("trial 2 of 2, epoch 1 of 2, loss") and ", best 0." in one for one in said)


def test_the_page_and_the_journal_of_optuna_show_every_trial(searching: Searching, tmp_path: Any) -> None:
    import optuna

    study = searching.find(trials=5)
    with study.files.open("report.html") as stream:
        page = stream.read().decode()
    assert page.count("<circle") >= 5 * 3
    with study.files.open("optuna.log") as stream:
        (tmp_path / "optuna.log").write_bytes(stream.read())
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "optuna.log"))
    read = optuna.load_study(study_name="search", storage=optuna.storages.JournalStorage(backend))
    assert (len(read.trials), read.best_value) == (5, study.facts["best"]["score"])
