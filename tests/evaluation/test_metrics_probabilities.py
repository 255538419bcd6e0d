"""What a classifier believes: AUC, log loss, calibration, and rows whose label it never learnt."""

import numpy as np
import pytest

from modelmint.evaluation.metrics.classification import calibration
from modelmint.evaluation.metrics.probabilities import auc, measure_chances, out_of_scope

LABELS = ("a", "b", "c")


def made(num_rows: int, *, seed: int = 0, lift: float = 2.0) -> tuple[list[str], np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, num_rows)
    logits = random.normal(0, 1, (num_rows, 3))
    logits[np.arange(num_rows), truth] += lift
    powers = np.exp(logits)
    return [LABELS[at] for at in truth], (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def test_they_are_scikit_learn_s() -> None:
    from sklearn.metrics import log_loss, roc_auc_score

    truth, chances = made(300)
    found = measure_chances(truth, LABELS, chances, seed=1)
    double = chances.astype(np.float64) / chances.astype(np.float64).sum(axis=1, keepdims=True)
    assert found["auc"]["value"] == pytest.approx(roc_auc_score(truth, double, multi_class="ovr"), abs=1e-6)
    assert found["log_loss"]["value"] == pytest.approx(log_loss(truth, double, labels=LABELS), abs=1e-5)


def test_the_calibration_error_is_that_of_the_bins_with_an_interval() -> None:
    truth, chances = made(300)
    found = measure_chances(truth, LABELS, chances, seed=1)["ece"]
    assert found["value"] == pytest.approx(calibration(truth, LABELS, chances)["ece"], abs=1e-5)
    assert found["low"] <= found["value"] <= found["high"] != found["low"]


def test_the_interval_of_the_mean_auc_holds_the_truth_as_often_as_it_says() -> None:
    whole, chances = made(8_000, seed=9, lift=1.0)
    true = auc(np.array([LABELS.index(one) for one in whole]), chances)["value"]
    held = 0
    for seed in range(20):
        truth, part = made(150, seed=100 + seed, lift=1.0)
        found = auc(np.array([LABELS.index(one) for one in truth]), part)
        assert found is not None
        held += found["low"] <= true <= found["high"]
    assert 16 <= held <= 20


def test_rows_of_labels_that_it_does_not_know_are_told_apart_by_the_highest_probability() -> None:
    sure = np.array([0.9] * 95 + [0.3] * 5 + [0.5] * 50)
    found = out_of_scope(sure, np.array([True] * 100 + [False] * 50), seed=0)
    assert found["out_of_scope_auroc"]["value"] == pytest.approx(0.95)
    assert (found["out_of_scope_fpr"]["value"], found["out_of_scope_fpr"]["n"]) == (0.0, 50)


def test_equal_scores_pass_the_threshold_together() -> None:
    found = out_of_scope(np.full(40, 0.5), np.array([True] * 30 + [False] * 10), seed=0)
    assert found["out_of_scope_fpr"]["value"] == 1.0


def test_without_strange_labels_there_are_no_such_figures() -> None:
    truth, chances = made(50)
    assert not {"out_of_scope_auroc", "out_of_scope_fpr"} & set(measure_chances(truth, LABELS, chances, seed=1))
