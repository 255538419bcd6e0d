import numpy as np
import pytest
from scipy.stats import binomtest

from modelmint.evaluation.significance import bootstrap, mcnemar


def test_mcnemar_is_the_binomial_test_of_the_rows_that_tell_the_two_apart() -> None:
    first = [True] * 50 + [False] * 12 + [True] * 3
    second = [True] * 50 + [True] * 12 + [False] * 3
    test = mcnemar(first, second)
    assert test.p_value == pytest.approx(binomtest(3, 15).pvalue, abs=1e-6)
    assert test.first_is_worse(0.05)


def test_equal_answers_are_never_significant() -> None:
    test = mcnemar([True, False, True], [True, False, True])
    assert test.p_value == 1.0
    assert not test.first_is_worse(0.5)


def test_being_significantly_better_is_not_being_worse() -> None:
    assert not mcnemar([True] * 30, [False] * 30).first_is_worse(0.05)


def test_drawing_counts_has_the_spread_of_drawing_rows() -> None:
    counts = np.asarray([30, 50, 20])
    figure = bootstrap(lambda drawn: drawn[:, :1] / drawn.sum(axis=1, keepdims=True), counts, seed=7)[0]
    rows = np.random.default_rng(7).choice(3, size=(20_000, 100), p=counts / 100) == 0
    low, high = np.quantile(rows.mean(axis=1), [0.025, 0.975])
    assert (figure["low"], figure["high"]) == pytest.approx((low, high), abs=0.011)
