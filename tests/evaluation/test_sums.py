"""Figures that add up: of some rows, how sure they are, and tests between groups."""

import numpy as np
import pytest

from modelmint.evaluation.metrics.answers import measure as measure_answers
from modelmint.evaluation.metrics.chat import measure as measure_chats
from modelmint.evaluation.metrics.regression import measure as measure_numbers
from modelmint.evaluation.metrics.retrieval import measure_reranked
from modelmint.evaluation.metrics.translation import measure as measure_translation
from modelmint.evaluation.significance import Floats
from modelmint.evaluation.sums import Sums, adding, apart, holm


def shares(right: list[int]) -> Sums:
    numbers = np.column_stack([right, np.ones(len(right))]).astype(float)
    return Sums(names=("accuracy",), numbers_nk=numbers, combine=lambda sums: sums[:, :1] / sums[:, 1:], rows=np.arange(len(right)))  # fmt: skip


def root(sums: Floats) -> Floats:
    return np.sqrt(sums[:, :1] / sums[:, 1:])


def squares(errors: Floats) -> Sums:
    numbers = np.column_stack([errors**2, np.ones(len(errors))])
    return Sums(names=("rmse",), numbers_nk=numbers, combine=root, rows=np.arange(len(errors)))


def test_a_figure_of_some_rows_is_that_of_those_rows_alone() -> None:
    truth, told = {"label": [1.0, 2.0, 3.0, 7.0]}, [{"value": one} for one in (1.5, 2.0, 5.0, 7.0)]
    with adding() as kept:
        measure_numbers(truth, told, seed=0)
    among = kept[0].among(np.array([True, False, True, False]))
    assert among.value("rmse") == pytest.approx(np.sqrt((0.25 + 4.0) / 2))


def test_the_influence_of_rows_tells_the_spread_of_the_figure() -> None:
    random = np.random.default_rng(0)
    drawn = [squares(random.normal(0, 2, 200)) for _ in range(400)]
    told = np.mean([np.sqrt((one.influence("rmse") ** 2).sum()) for one in drawn])
    assert told == pytest.approx(np.std([one.value("rmse") for one in drawn]), rel=0.1)


def test_two_groups_that_are_alike_are_told_apart_as_often_as_alpha_says() -> None:
    random = np.random.default_rng(1)
    p_values = [apart(squares(random.normal(0, 1, 60)), squares(random.normal(0, 1, 150)), "rmse") for _ in range(500)]
    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.09


def test_shares_are_told_apart_by_fisher_s_exact_test() -> None:
    from scipy.stats import fisher_exact

    first, second = shares([1] * 8 + [0] * 22), shares([1] * 70 + [0] * 30)
    assert apart(first, second, "accuracy") == pytest.approx(fisher_exact([[8, 22], [70, 30]]).pvalue)


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_rows_that_do_not_count_are_left_out_by_their_place() -> None:
    told = [
        {"loss": 0.0, "tokens": 0, "content": "", "finish": "stop"},
        {"loss": 2.0, "tokens": 4, "content": "", "finish": "stop"},
    ]
    with adding() as kept:
        measure_chats({"messages": [[], []]}, told, seed=0)
    assert kept[0].rows.tolist() == [1]


def test_a_list_of_candidates_counts_for_its_first_row() -> None:
    truth = {"text": ["q", "only", "q", "z", "z"], "text_pair": list("abcde"), "label": list("10100")}
    told = [{"score": score, "is_positive": right} for score, right in ((0.9, True), (0.5, True), (0.1, False), (0.2, False), (0.8, True))]  # fmt: skip
    with adding() as kept:
        measure_reranked(truth, told, seed=0)
    assert kept[0].rows.tolist() == [0, 3]


def test_the_figure_of_each_row_is_its_own() -> None:
    truth = {"answer": ["the red fox", "blue"], "question": ["", ""]}
    with adding() as kept:
        measure_answers(truth, [{"answer": "red fox"}, {"answer": "green"}], seed=0)
    assert kept[0].each("f1").tolist() == [1.0, 0.0]


def test_answers_without_two_words_in_order_are_told_apart_without_a_nan() -> None:
    targets = [f"a small red house number {at} stands here today" for at in range(40)]
    answers = [{"text": "a a a a a a a a"} for _ in range(40)]
    with adding() as kept:
        measure_translation({"target": targets}, answers, seed=0)
    bleu = next(one for one in kept if "bleu" in one.names)
    first = np.arange(40) < 20
    assert 0 <= apart(bleu.among(first), bleu.among(~first), "bleu") <= 1
