"""When two models find the same."""

import numpy as np
import pytest

from modelmint.evaluation.nearness import nearest, same_first, same_nearest

ONE = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])


def test_the_nearest_of_a_text_is_another_text() -> None:
    assert nearest(ONE, range(4)).tolist() == [1, 0, 3, 2]


def test_vectors_that_are_turned_alike_find_the_same() -> None:
    assert same_nearest(ONE, ONE[:, ::-1], range(4)).all()


def test_a_text_whose_nearest_is_another_is_not_the_same() -> None:
    other = ONE.copy()
    other[1] = [0.0, -1.0]
    assert same_nearest(ONE, other, range(4)).tolist() == [False, True, True, True]


def test_of_two_that_are_as_near_either_is_the_nearest() -> None:
    one = np.array([[1.0, 0.0], [0.99, 0.1], [0.99, 0.1001]])
    other = np.array([[1.0, 0.0], [0.5, 0.5], [0.99, 0.1]])
    assert same_nearest(one, other, range(3))[0]


def test_a_vector_that_is_missing_is_not_the_same() -> None:
    other = ONE.copy()
    other[0] = np.nan
    assert not same_nearest(ONE, other, range(4))[0]


@pytest.mark.parametrize(
    ("scores", "same"), [([0.7, 0.2, 0.1], True), ([0.2, 0.7, 0.1], False), ([0.2, np.nan, 0.1], False)]
)
def test_a_list_is_the_same_by_its_first(scores: list[float], same: bool) -> None:
    assert same_first(np.array([0.9, 0.5, 0.1]), np.array(scores), [0, 0, 0]).tolist() == [same] * 3
