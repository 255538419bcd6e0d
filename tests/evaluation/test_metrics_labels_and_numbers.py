"""Figures of several labels a row and of numbers, beside those of scikit-learn and SciPy."""

import random
from typing import Any

import numpy as np
import pytest

from modelmint.evaluation.metrics import labels, regression

NAMES = list("abcde")


def _rows(num_rows: int = 200) -> tuple[list[list[str]], list[list[str]]]:
    """Sets, and answers that leave some out and add `z`, which no row has."""
    dice = random.Random(0)
    asked = [dice.sample(NAMES, dice.randint(0, 3)) for _ in range(num_rows)]
    given = [[name for name in [*names, "z"] if dice.random() < 0.7] for names in asked]
    return asked, given


def _hot(rows: list[list[str]], names: list[str]) -> list[list[int]]:
    return [[int(name in row) for name in names] for row in rows]


def _measured(asked: list[list[str]], given: list[list[str]], seed: int = 1) -> dict[str, float]:
    figures = labels.measure({"labels": asked}, [{"labels": names} for names in given], seed=seed)
    return {name: figure["value"] for name, figure in figures.items()}


def test_several_labels_are_measured_as_scikit_learn_does() -> None:
    from sklearn.metrics import accuracy_score, f1_score

    asked, given = _rows()
    every = [*NAMES, "z"]
    found = _measured(asked, given)
    assert found["micro_f1"] == pytest.approx(
        f1_score(_hot(asked, every), _hot(given, every), average="micro"), abs=1e-6
    )
    assert found["subset_accuracy"] == pytest.approx(accuracy_score(_hot(asked, every), _hot(given, every)), abs=1e-6)


def test_the_mean_over_labels_is_over_those_that_occur_as_truth() -> None:
    from sklearn.metrics import f1_score

    asked, given = _rows()
    expected = f1_score(_hot(asked, NAMES), _hot(given, NAMES), average="macro")
    assert _measured(asked, given)["macro_f1"] == pytest.approx(expected, abs=1e-6)


def test_rows_without_labels_that_get_none_are_right() -> None:
    found = _measured([[], []], [[], []])
    assert (found["micro_f1"], found["subset_accuracy"], found["jaccard"]) == (1.0, 1.0, 1.0)


def test_a_label_twice_in_a_row_counts_once() -> None:
    assert _measured([["a", "a"]], [["a"]])["subset_accuracy"] == 1.0


def test_a_seed_gives_one_interval() -> None:
    asked, given = _rows(50)
    answers: list[dict[str, Any]] = [{"labels": names} for names in given]
    assert labels.measure({"labels": asked}, answers, seed=3) == labels.measure({"labels": asked}, answers, seed=3)


def test_the_table_has_a_row_for_each_label_that_occurs_or_was_given() -> None:
    table = labels.per_label([["a"], ["a", "b"]], [["a"], ["c"]])
    assert [(row["label"], row["precision"], row["recall"], row["f1"], row["support"]) for row in table] == [
        ("a", 1.0, 0.5, 0.666667, 2),
        ("b", 0.0, 0.0, 0.0, 1),
        ("c", 0.0, 0.0, 0.0, 0),
    ]


def _numbers(asked: Any, given: Any) -> dict[str, float]:
    figures = regression.measure({"label": list(asked)}, [{"value": float(one)} for one in given], seed=1)
    return {name: figure["value"] for name, figure in figures.items()}


@pytest.mark.parametrize(("middle", "scale"), [(0.0, 1.0), (1e6, 3.0), (0.0, 1e3), (-5.0, 0.01)])
def test_numbers_are_measured_as_scikit_learn_and_scipy_do(middle: float, scale: float) -> None:
    from scipy.stats import pearsonr, spearmanr
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    random_ = np.random.default_rng(0)
    asked = middle + random_.normal(size=300) * scale
    given = asked + random_.normal(size=300) * scale * 0.4
    expected = {
        "rmse": root_mean_squared_error(asked, given),
        "mae": mean_absolute_error(asked, given),
        "r2": r2_score(asked, given),
        "pearson": pearsonr(asked, given)[0],
        "spearman": spearmanr(asked, given)[0],
    }
    assert _numbers(asked, given) == pytest.approx(expected, abs=2e-6, rel=1e-5)


def test_always_saying_the_mean_explains_nothing() -> None:
    found = _numbers([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    assert (found["r2"], found["pearson"], found["spearman"]) == (0.0, 0.0, 0.0)


def test_equal_truths_have_no_variance_to_explain() -> None:
    found = _numbers([2.0, 2.0], [2.0, 3.0])
    assert (found["r2"], found["pearson"], found["mae"]) == (0.0, 0.0, 0.5)


def test_the_interval_holds_the_value() -> None:
    random_ = np.random.default_rng(1)
    asked = random_.normal(size=80)
    given = [{"value": float(one)} for one in asked + random_.normal(size=80)]
    assert all(
        one["low"] <= one["value"] <= one["high"]
        for one in regression.measure({"label": asked}, given, seed=1).values()
    )
