"""A search that is stopped or killed goes on, and ends as if it had not been."""

from typing import Any

import pytest

from modelmint.core.errors import StageError
from tests.training.searching.conftest import HEAD, QUICK, Searching

MANY = {"trials": 6, "space": {**HEAD, "warmup": [0.06, 0.2]}, "train": QUICK}


class KilledError(Exception):
    """Stands for the end of the process."""


class Dying:
    """Progress that ends the process at the nth word."""

    def __init__(self, after: int) -> None:
        self.left, self.trials = after, set[str]()

    def __call__(self, _done: int, _total: int, message: str) -> None:
        self.trials.add(message.partition(",")[0])
        self.left -= 1
        if self.left == 0:
            raise KilledError


def test_a_search_killed_again_and_again_gives_an_equal_study(searching: Searching) -> None:
    whole = searching.find(**MANY)
    pieces, kills = None, 0
    while pieces is None:
        try:
            pieces = searching.find(**MANY, context_changes={"say": Dying(9 + 6 * kills)})
        except KilledError:
            kills += 1
    assert kills > 3
    assert pieces.digest == whole.digest


def test_trials_that_have_ended_are_not_trained_again(searching: Searching) -> None:
    first, second = Dying(30), Dying(10_000)
    with pytest.raises(KilledError):
        searching.find(**MANY, context_changes={"say": first})
    searching.find(**MANY, context_changes={"say": second})
    assert len(first.trials & second.trials - {"reading rows and base"}) == 1


def test_the_trial_under_way_goes_on_from_its_checkpoint(searching: Searching) -> None:
    said: list[str] = []
    with pytest.raises(StageError, match="timeout_s"):  # a deadline writes a checkpoint
        searching.find(**MANY, context_changes={"deadline_s": 0.0})
    searching.find(**MANY, context_changes={"say": lambda _done, _total, message: said.append(message)})
    assert "trial 1 of 6, going on from a checkpoint" in said


def test_a_search_stopped_by_time_and_killed_before_it_reported_ends_the_same(searching: Searching) -> None:
    spec = {**MANY, "trials": None, "minutes": 0.02}

    def no_report(*_arguments: Any, **_named: Any) -> Any:
        raise KilledError

    class Desk:
        report = staticmethod(no_report)

    with pytest.raises(KilledError):
        searching.find(**spec, context_changes={"desk": Desk()})
    kept = sorted(path.name for path in (searching.context.checkpoints / "trials").glob("*.json"))
    study = searching.find(**spec)
    assert [f"{trial['number']:05d}.json" for trial in study.facts["trials"]] == kept
    assert study.facts["ended_by"] == "minutes"


def test_proposed_together_the_trials_do_not_hang_on_each_other(searching: Searching) -> None:
    together = searching.find(**MANY, at_once=3)
    pieces = None
    dying = 0
    while pieces is None:
        try:
            pieces = searching.find(**MANY, at_once=3, context_changes={"say": Dying(30 + 15 * dying)})
        except KilledError:
            dying += 1
    assert pieces.digest == together.digest
    assert dying
