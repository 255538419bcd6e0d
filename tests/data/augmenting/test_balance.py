"""Evening labels out: numbers of copies, rows that stay, weights."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from modelmint.data.augmenting.balance import Plan, label_weights, plan

LABEL = np.repeat(np.arange(3, dtype=np.int32), [60, 30, 10])
DRAW = np.random.default_rng(0).permutation(100).astype(np.uint64)


def planned(**changes: object) -> Plan:
    asked = {"copies": 0, "balance": "none", "ratio": 1.0, "max_copies": 50, **changes}
    return plan(LABEL, DRAW, **asked)  # type: ignore[arg-type]


def rows_after(made: Plan) -> list[int]:
    return np.bincount(LABEL, made.kept * (1 + made.copies)).astype(int).tolist()


@pytest.mark.parametrize(("ratio", "expected"), [(1.0, [60, 60, 60]), (0.5, [60, 30, 30]), (0.1, [60, 30, 10])])
def test_oversampling_reaches_the_ratio(ratio: float, expected: list[int]) -> None:
    assert rows_after(planned(balance="oversample", ratio=ratio)) == expected


@pytest.mark.parametrize(("ratio", "expected"), [(1.0, [10, 10, 10]), (0.5, [20, 20, 10]), (0.2, [50, 30, 10])])
def test_undersampling_reaches_the_ratio(ratio: float, expected: list[int]) -> None:
    assert rows_after(planned(balance="undersample", ratio=ratio)) == expected


def test_copies_of_every_row_come_before_evening_out() -> None:
    assert rows_after(planned(copies=1, balance="oversample")) == [120, 120, 120]


def test_copies_are_spread_evenly_over_a_labels_rows() -> None:
    made = planned(balance="oversample").copies[LABEL == 2]
    assert set(made.tolist()) == {5}


def test_labels_that_cannot_reach_the_ratio_are_named() -> None:
    made = planned(balance="oversample", max_copies=2)
    assert (rows_after(made), made.short) == ([60, 60, 30], [2])


def test_inverse_weights_are_the_balanced_ones_of_scikit_learn() -> None:
    expected = compute_class_weight("balanced", classes=np.arange(3), y=LABEL)
    made = label_weights(np.bincount(LABEL), ratio=1, rule="inverse", beta=0.9)
    np.testing.assert_allclose(made, expected)


def test_effective_weights_are_those_of_cui_et_al() -> None:
    counts = np.array([5000, 100, 10])
    raw = (1 - 0.999) / (1 - 0.999**counts)
    made = label_weights(counts, ratio=1, rule="effective", beta=0.999)
    np.testing.assert_allclose(made / made[0], raw / raw[0])


@pytest.mark.parametrize("rule", ["inverse", "effective"])
@pytest.mark.parametrize("ratio", [1.0, 0.3])
def test_weights_are_one_on_average(rule: str, ratio: float) -> None:
    counts = np.array([900, 90, 10])
    made = label_weights(counts, ratio=ratio, rule=rule, beta=0.99)  # type: ignore[arg-type]
    assert (made * counts).sum() / counts.sum() == pytest.approx(1)


def test_a_gentler_ratio_leaves_rare_labels_that_share_of_the_heaviest() -> None:
    counts = np.array([1000, 10])
    made = label_weights(counts, ratio=0.25, rule="inverse", beta=0.9)
    assert (made * counts)[1] / (made * counts)[0] == pytest.approx(0.25)
