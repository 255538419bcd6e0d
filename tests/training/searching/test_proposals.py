"""What is proposed, and which trials are behind: on made-up scores, without a training."""

import statistics
from collections.abc import Callable
from typing import Any

import pytest

from modelmint.core.types import JSON
from modelmint.training.searching.proposals import Proposals, by_percent
from modelmint.training.searching.spec import SearchSpec
from modelmint.training.searching.trial import Trial, best_of
from modelmint.training.spec import TrainSpec

SPACE = {
    "learning_rate": {"low": 1e-5, "high": 1e-1, "log": True},
    "weight_decay": {"low": 0.0, "high": 0.5},
    "batch_size": [16, 32, 64],
}


def proposals(*, seed: int = 1, **spec: Any) -> Proposals:
    given = SearchSpec.model_validate({"space": SPACE, "trials": 30, **spec})
    return Proposals(given, TrainSpec(), options=None, defaults={}, seed=seed)


def trial(number: int, values: JSON, score: float, *, state: Any = "complete", **more: Any) -> Trial:
    return Trial(number=number, values=values, state=state, score=score, **more)


def loss(values: JSON) -> float:
    """Best at a learning rate of 1e-3, a decay of 0.1 and 32 rows."""
    from math import log10

    far = (log10(values["learning_rate"]) + 3) ** 2 + 10 * (values["weight_decay"] - 0.1) ** 2
    return far + (0.0 if values["batch_size"] == 32 else 0.5)


def searched(made: Proposals, score: Callable[[JSON], float], num_trials: int = 30) -> list[Trial]:
    trials: list[Trial] = []
    for number in range(num_trials):
        (values,) = made.propose(trials, [number])
        trials.append(trial(number, values, score(values), higher_is_better=False))
    return trials


def test_tpe_comes_nearer_to_the_best_than_random_values_do() -> None:
    best = {
        sampler: statistics.mean(
            best_of(searched(proposals(seed=seed, sampler=sampler), loss)).score  # type: ignore[union-attr]
            for seed in range(8)
        )
        for sampler in ("tpe", "random")
    }
    assert best["tpe"] < 0.6 * best["random"]


def test_a_proposal_hangs_on_the_seed_and_the_trials_before_alone() -> None:
    trials = searched(proposals(), loss, 14)
    assert proposals().propose(trials[:13], [13]) == [trials[13].values]
    assert proposals(seed=2).propose(trials[:13], [13]) != [trials[13].values]


def test_trials_proposed_together_are_the_same_when_some_of_them_have_ended() -> None:
    trials = searched(proposals(), loss, 12)
    assert proposals().propose(trials, [12, 13, 14])[:2] == proposals().propose(trials, [12, 13])


def test_failed_trials_are_kept_away_from() -> None:
    def breaks(values: JSON) -> bool:
        return bool(values["learning_rate"] > 1e-3)

    made, trials = proposals(), list[Trial]()
    for number in range(30):
        (values,) = made.propose(trials, [number])
        state = "failed" if breaks(values) else "complete"
        trials.append(trial(number, values, 0.5 + values["weight_decay"] / 10, state=state))
    early, late = ([breaks(one.values) for one in part] for part in (trials[:10], trials[20:]))
    assert sum(late) < sum(early)


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_trial_below_the_median_at_the_same_share_is_behind(higher_is_better: bool) -> None:
    sign = 1 if higher_is_better else -1
    finished = [
        trial(
            number,
            {"learning_rate": 1e-3, "weight_decay": 0.1, "batch_size": 16},
            sign * 0.9,
            higher_is_better=higher_is_better,
            scores=tuple((epoch / 4, sign * (0.5 + epoch / 10)) for epoch in range(1, 5)),
        )
        for number in range(5)
    ]
    made = proposals()

    def is_behind(*scores: tuple[float, float]) -> bool:
        return made.is_behind(finished, scores, higher_is_better=higher_is_better)

    assert is_behind((0.5, sign * 0.65))  # 0.7 is the median after half of the training
    assert not is_behind((0.5, sign * 0.75))
    assert not is_behind((0.1, sign * 0.1))  # too early to tell
    assert is_behind(*((epoch / 10, sign * 0.65) for epoch in range(1, 6)))  # ten epochs against four
    assert not is_behind((0.2, sign * 0.7), (0.4, sign * 0.1))  # the best so far counts


def test_before_five_have_finished_none_is_behind() -> None:
    finished = [
        trial(number, {"learning_rate": 1e-3, "weight_decay": 0.1, "batch_size": 16}, 0.9, scores=((0.5, 0.9), (1.0, 0.9)))
        for number in range(4)
    ]  # fmt: skip
    assert not proposals().is_behind(finished, [(0.5, 0.1)], higher_is_better=True)


def test_scores_are_those_of_the_best_epoch_so_far_at_each_per_cent() -> None:
    found = by_percent([(0.5, 0.8), (1.0, 0.6)], higher_is_better=True, to_the_end=True)
    assert (min(found), max(found), found[50], found[99], found[100]) == (50, 100, 0.8, 0.8, 0.8)


def test_choices_of_any_kind_come_back_as_they_were() -> None:
    space = {
        "optimizer": ["adamw", "sgd"],
        "architecture.windows": [[2, 3], [3, 4, 5]],
        "freeze_embeddings": [True, False],
    }
    made = proposals(space=space, train={"architecture": "text-cnn"})
    trials = searched(made, lambda _values: 1.0, 8)
    assert {str(one.values["architecture.windows"]) for one in trials} == {"[2, 3]", "[3, 4, 5]"}
    assert all(isinstance(one.values["freeze_embeddings"], bool) for one in trials)
