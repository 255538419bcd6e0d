"""Answers cut from texts: SQuAD's exact match and F1, Chinese by characters, and the sentence as a cheap answer."""

from typing import Any

import pytest

from modelmint.evaluation.metrics.answers import exact, f1, measure
from modelmint.evaluation.same_sentence import same_sentence, sentences


@pytest.mark.parametrize(
    ("told", "right", "same", "shared"),
    [
        ("The Norman Conquest.", "norman conquest", 1, 1),
        ("in the 10th century", "10th and 11th centuries", 0, 2 / 7),
        ("Denver Broncos", "the Broncos", 0, 2 / 3),
        ("北京大学", "北京 大学。", 1, 1),
        ("北京大学", "北京", 0, 2 / 3),
        ("", "", 1, 1),
        ("", "anything", 0, 0),
        ("the", "a", 1, 1),
    ],
)
def test_answers_are_compared_as_squad_does(told: str, right: str, same: float, shared: float) -> None:
    assert (exact(told, right), f1(told, right)) == (same, pytest.approx(shared))


def test_the_right_answer_that_fits_best_counts() -> None:
    truth: dict[str, list[Any]] = {
        "answer": ["Denver Broncos", None],
        "answers": [["Denver Broncos", "Broncos"], None],
    }
    figures = measure(truth, [{"answer": "the Broncos"}, {"answer": "x"}], seed=1)
    assert {name: figure["value"] for name, figure in figures.items()} == {"f1": 0.5, "exact_match": 0.5}


def test_the_cheap_answer_is_the_sentence_most_like_the_question() -> None:
    context = "The card was lost. Cash came on Monday, e.g. notes. Who knows?"
    answers = same_sentence({"question": ["when has cash come"], "context": [context]})
    assert answers[0]["answer"] == "Cash came on Monday, e.g. notes."
    assert context[answers[0]["answer_start"] :].startswith("Cash")


def test_the_cheap_answer_is_found_in_chinese() -> None:
    rows = {"question": ["大学在哪里？"], "context": ["银行在上海。大学在北京。商店关门了。"]}
    assert same_sentence(rows)[0]["answer"] == "大学在北京。"


def test_a_context_without_words_has_no_sentence() -> None:
    assert (sentences(" \n "), same_sentence({"question": ["x"], "context": [""]})[0]["answer"]) == ([], "")
