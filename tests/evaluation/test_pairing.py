"""Two models on the same rows: the difference, paired row by row."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from modelmint.evaluation.metrics.regression import measure as measure_numbers
from modelmint.evaluation.metrics.tables import measure_classes
from modelmint.evaluation.pairing import pair_answers, pair_labels

Answers = Sequence[Mapping[str, Any]]


def numbers(num_rows: int, error: float, *, seed: int) -> tuple[list[float], list[dict[str, float]]]:
    """Truth, and answers that share the rows' own noise, so that what is hard is hard for all."""
    dice, own = random.Random(1), random.Random(seed)
    truth = [dice.gauss(0, 3) for _ in range(num_rows)]
    hard = [dice.gauss(0, 1) for _ in range(num_rows)]
    return truth, [{"value": one + noise + own.gauss(0, error)} for one, noise in zip(truth, hard, strict=True)]


def chances(truth: Sequence[str], sureness: float, *, seed: int) -> list[dict[str, Any]]:
    dice = random.Random(seed)
    found = []
    for label in truth:
        score = min(max((0.5 + sureness if label == "yes" else 0.5 - sureness) + dice.gauss(0, 0.25), 0.01), 0.99)
        found.append({"label": "yes" if score > 0.5 else "no", "probabilities": {"no": 1 - score, "yes": score}})
    return found


def test_a_model_beside_itself_differs_in_nothing() -> None:
    truth, answers = numbers(60, 0.5, seed=2)
    found = pair_answers("text-regression", {"label": truth}, answers, answers, seed=3)
    assert all((one["value"], one["low"], one["high"]) == (0, 0, 0) for one in found.figures.values())


def test_the_difference_is_that_of_the_figures() -> None:
    truth, first = numbers(80, 0.1, seed=2)
    _, second = numbers(80, 0.8, seed=4)
    found = pair_answers("text-regression", {"label": truth}, first, second, seed=3)
    one, other = (measure_numbers({"label": truth}, answers, seed=3) for answers in (first, second))
    assert {name: figure["value"] for name, figure in found.figures.items()} == pytest.approx(
        {name: one[name]["value"] - other[name]["value"] for name in one}, abs=2e-6
    )


def test_pairing_is_surer_than_two_intervals() -> None:
    truth, first = numbers(200, 0.1, seed=2)
    _, second = numbers(200, 0.3, seed=4)
    found = pair_answers("text-regression", {"label": truth}, first, second, seed=3).figures["mae"]
    apart = measure_numbers({"label": truth}, first, seed=3)["mae"]
    assert found["high"] - found["low"] < 0.7 * (apart["high"] - apart["low"])


def test_the_interval_is_that_of_resampled_rows() -> None:
    truth, first = numbers(150, 0.1, seed=2)
    _, second = numbers(150, 0.6, seed=4)
    found = pair_answers("text-regression", {"label": truth}, first, second, seed=3).figures["mae"]
    errors = [np.abs(np.array([one["value"] for one in answers]) - truth) for answers in (first, second)]
    rows = np.random.default_rng(9).integers(0, 150, (4000, 150))
    low, high = np.quantile((errors[0] - errors[1])[rows].mean(axis=1), [0.025, 0.975])
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.01)


def test_the_area_under_the_curve_is_paired_by_delong() -> None:
    dice = random.Random(5)
    truth = [dice.choice(["no", "yes"]) for _ in range(300)]
    first, second = chances(truth, 0.2, seed=1), chances(truth, 0.1, seed=2)
    found = pair_answers("tabular-classification", {"label": truth}, first, second, seed=3)
    areas = [measure_classes({"label": truth}, answers, seed=3)["auc"]["value"] for answers in (first, second)]
    assert found.figures["auc"]["value"] == pytest.approx(areas[0] - areas[1], abs=2e-6)
    rows = np.random.default_rng(9).integers(0, 300, (300, 300))
    drawn = [_area(truth, first, one) - _area(truth, second, one) for one in rows]
    width = found.figures["auc"]["high"] - found.figures["auc"]["low"]
    assert width == pytest.approx(2 * 1.96 * float(np.std(drawn)), rel=0.15)


def test_answers_that_are_right_or_wrong_are_tested() -> None:
    truth = ["a"] * 20
    found = pair_labels(truth, ["a"] * 20, ["a"] * 10 + ["b"] * 10, seed=1)
    assert found.test is not None
    assert (found.test.num_first_only, found.test.num_second_only) == (10, 0)
    assert found.figures["accuracy"]["value"] == 0.5


def test_figures_over_rows_of_their_own_are_left_out() -> None:
    answer = {"content": "", "finish": "stop", "loss": 1.0, "tokens": 2}
    messages = [[{"role": "assistant", "content": "yes"}]] * 4
    other = [answer, answer, answer, {**answer, "tokens": 0}]  # its tokenizer left nothing of the last chat
    assert pair_answers("chat", {"messages": messages}, [answer] * 4, other, seed=1).figures == {}


def _area(truth: Sequence[str], answers: Answers, rows: Any) -> float:
    yes = np.array([answers[row]["probabilities"]["yes"] for row in rows if truth[row] == "yes"])
    no = np.array([answers[row]["probabilities"]["yes"] for row in rows if truth[row] == "no"])
    return float((yes[:, None] > no).mean() + (yes[:, None] == no).mean() / 2)
