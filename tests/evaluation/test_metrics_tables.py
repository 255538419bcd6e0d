"""Metrics of tables: the AUC and its interval, log loss, and how far numbers are off."""

import numpy as np
import pytest

from modelmint.evaluation.metrics.tables import measure_classes, measure_numbers


def answers(chances: list[float]) -> list[dict[str, object]]:
    return [
        {"label": "yes" if chance > 0.5 else "no", "probabilities": {"no": 1 - chance, "yes": chance}}
        for chance in chances
    ]


def test_auc_counts_pairs_in_the_right_order_and_ties_half() -> None:
    found = measure_classes({"label": ["yes", "no", "yes", "no"]}, answers([0.9, 0.4, 0.4, 0.1]), seed=0)
    assert found["auc"]["value"] == pytest.approx(3.5 / 4)


def test_auc_s_interval_holds_the_truth_as_often_as_it_says() -> None:
    from scipy.stats import norm

    random, held = np.random.default_rng(0), 0
    true = norm.cdf(1 / np.sqrt(2))
    for _ in range(200):
        labels = ["yes"] * 40 + ["no"] * 60
        scores = norm.cdf(np.concatenate([random.normal(1, 1, 40), random.normal(0, 1, 60)]))
        from modelmint.evaluation.metrics.tables import auc_figure

        figure = auc_figure(np.array(labels) == "yes", scores, 40)
        held += figure["low"] <= true <= figure["high"]
    assert 180 <= held <= 199


def test_perfect_order_has_an_interval_still() -> None:
    figure = measure_classes({"label": ["no", "yes"] * 10}, answers([0.1, 0.9] * 10), seed=0)["auc"]
    assert figure["value"] == 1.0
    assert 0.6 < figure["low"] < 1.0


def test_one_label_in_the_truth_gives_no_auc() -> None:
    assert "auc" not in measure_classes({"label": ["yes", "yes"]}, answers([0.9, 0.8]), seed=0)


def test_log_loss_is_the_mean_of_the_true_labels() -> None:
    found = measure_classes({"label": ["yes", "no"]}, answers([0.8, 0.4]), seed=0)
    assert found["log_loss"]["value"] == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2, abs=1e-6)


def test_distances_of_numbers() -> None:
    found = measure_numbers({"label": [1.0, 2.0, 3.0]}, [{"value": 1.0}, {"value": 2.0}, {"value": 5.0}], seed=0)
    assert found["rmse"]["value"] == pytest.approx(np.sqrt(4 / 3), abs=1e-6)
    assert (found["mae"]["value"], found["r2"]["value"]) == pytest.approx((2 / 3, -1.0), abs=1e-6)
