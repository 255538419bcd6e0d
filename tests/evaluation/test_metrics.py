import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from modelmint.evaluation.metrics.classification import calibration, compare, confusions, macro_f1, measure, per_class

LABELS = ["a", "b", "c", "d"]


def guesses(num_rows: int, seed: int, right: float = 0.8) -> tuple[list[str], list[str]]:
    dice = np.random.default_rng(seed)
    truth = dice.choice(LABELS, num_rows, p=[0.5, 0.3, 0.15, 0.05])
    return truth.tolist(), np.where(dice.random(num_rows) < right, truth, dice.choice(LABELS, num_rows)).tolist()


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    truth, predicted = guesses(300, seed)
    figures = measure(truth, predicted, seed=1)
    assert figures["accuracy"]["value"] == pytest.approx(sklearn_metrics.accuracy_score(truth, predicted), abs=1e-6)
    macro_f1_there = sklearn_metrics.f1_score(truth, predicted, average="macro")
    assert figures["macro_f1"]["value"] == pytest.approx(macro_f1_there, abs=1e-6)


def test_accuracy_interval_is_that_of_the_binomial_in_a_large_sample() -> None:
    truth, predicted = guesses(2000, 3)
    figure = measure(truth, predicted, seed=5)["accuracy"]
    half = 1.96 * (figure["value"] * (1 - figure["value"]) / 2000) ** 0.5
    assert (figure["low"], figure["high"]) == pytest.approx((figure["value"] - half, figure["value"] + half), abs=0.003)


def test_the_interval_holds_the_true_accuracy_in_about_95_of_100_samples() -> None:
    true = 0.8 + 0.2 / len(LABELS)
    held = [
        figure["low"] <= true <= figure["high"]
        for figure in (measure(*guesses(200, seed), seed=seed)["accuracy"] for seed in range(200))
    ]
    assert 0.90 <= np.mean(held) <= 0.99


def test_the_same_seed_gives_the_same_figures_and_another_seed_other_intervals() -> None:
    truth, predicted = guesses(150, 4)
    assert measure(truth, predicted, seed=1) == measure(truth, predicted, seed=1)
    assert measure(truth, predicted, seed=1) != measure(truth, predicted, seed=2)


@pytest.mark.parametrize("predicted", ["a", "b"])
def test_an_accuracy_of_0_or_1_has_an_interval_that_is_not_a_point(predicted: str) -> None:
    figure = measure(["a"] * 20, [predicted] * 20, seed=1)["accuracy"]
    assert figure["high"] - figure["low"] == pytest.approx(0.168, abs=0.002)  # Clopper and Pearson, 20 of 20


def test_macro_f1_counts_only_labels_that_are_true_somewhere() -> None:
    figures = measure(["a", "a", "b"], ["a", "z", "b"], seed=1)
    assert figures["macro_f1"]["value"] == pytest.approx((2 / 3 + 1) / 2, abs=1e-6)
    assert macro_f1(["a", "a", "b"], ["a", "z", "b"]) == pytest.approx((2 / 3 + 1) / 2)


def test_an_interval_holds_its_value_even_with_very_rare_labels() -> None:
    truth = [str(at // 2) for at in range(120)]
    figure = measure(truth, ["0" if at % 3 == 0 else label for at, label in enumerate(truth)], seed=1)["macro_f1"]
    assert figure["low"] <= figure["value"] <= figure["high"]


def test_a_paired_difference_is_tighter_than_two_intervals_apart() -> None:
    truth, first = guesses(1000, 5)
    second = [truth[at] if at % 10 == 0 else label for at, label in enumerate(first)]  # a little better
    figure = compare(truth, second, first, seed=1)["accuracy"]
    assert figure["low"] > 0
    alone = measure(truth, first, seed=1)["accuracy"]
    assert figure["high"] - figure["low"] < 0.5 * (alone["high"] - alone["low"])


def test_the_table_by_class_and_the_confusions_list_what_went_wrong() -> None:
    truth, predicted = ["a", "a", "a", "b", "c"], ["a", "b", "b", "b", "a"]
    assert per_class(truth, predicted)[0] == {
        "label": "a",
        "precision": 0.5,
        "recall": 0.333333,
        "f1": 0.4,
        "support": 3,
    }
    assert confusions(truth, predicted) == [
        {"truth": "a", "predicted": "b", "count": 2},
        {"truth": "c", "predicted": "a", "count": 1},
    ]


def test_calibration_of_sure_and_half_wrong_answers() -> None:
    probabilities = np.asarray([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]], dtype=np.float32)
    found = calibration(["a", "b", "b", "unknown"], ["a", "b"], probabilities)
    assert found["ece"] == pytest.approx(0.5 * 0.4 + 0.5 * 0.3, abs=1e-6)
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.1, 0.8, 1e-12]).mean(), abs=1e-4)
