"""Metrics of written texts: equal to sacreBLEU's own, and to counts made by hand."""

import random

import pytest

from modelmint.evaluation.metrics.translation import is_chinese, measure, rouge_l, rouge_n

WORDS = ["a", "dog", "runs", "over", "the", "green", "field", "while", "two", "men", "look", "at", "it", "."]
SIGNS = "一只狗在绿色的田野上跑两个人看着它。"


def _corpus(chinese: bool) -> tuple[list[str], list[str]]:
    """Targets, and texts with words changed, swapped and left out."""
    dice, join = random.Random(3), "" if chinese else " "
    words = list(SIGNS) if chinese else WORDS
    targets, texts = [], []
    for _ in range(40):
        target = dice.choices(words, k=dice.randint(2, 12))
        text = [dice.choice(words) if dice.random() < 0.2 else word for word in target if dice.random() > 0.1]
        targets.append(join.join(target))
        texts.append(join.join(text))
    return targets, texts


def _values(targets: list[str], texts: list[str]) -> dict[str, float]:
    figures = measure({"target": targets}, [{"text": text} for text in texts], seed=1)
    return {name: figure["value"] for name, figure in figures.items()}


@pytest.mark.parametrize("chinese", [False, True])
def test_bleu_and_chrf_are_those_of_sacrebleu(chinese: bool) -> None:
    from sacrebleu import corpus_bleu, corpus_chrf

    targets, texts = _corpus(chinese)
    found = _values(targets, texts)
    assert found["bleu"] == pytest.approx(
        corpus_bleu(texts, [targets], tokenize="zh" if chinese else "13a", force=True).score, abs=1e-6
    )
    assert found["chrf"] == pytest.approx(corpus_chrf(texts, [targets]).score, abs=1e-6)


def test_orders_without_a_match_are_smoothed_as_sacrebleu_does() -> None:
    from sacrebleu import corpus_bleu

    targets, texts = ["a dog runs over the field", "two men look"], ["the dog is over a field", "two women look"]
    assert _values(targets, texts)["bleu"] == pytest.approx(corpus_bleu(texts, [targets]).score, abs=1e-6)


def test_rouge_l_is_the_longest_common_subsequence_by_hand() -> None:
    # "police the gunman" against "police killed the gunman": 3 in common, of 3 and of 4.
    assert rouge_l("Police the gunman!", "police killed the gunman") == pytest.approx(100 * 2 * 3 / 7)
    assert rouge_l("the gunman police killed", "police killed the gunman") == pytest.approx(50)


def test_rouge_of_ngrams_by_hand() -> None:
    """Lin 2004: 3 of 4 words and 1 of 3 pairs of words are shared."""
    assert rouge_n("police kill the gunman", "police killed the gunman", 1) == pytest.approx(100 * 2 * 3 / 8)
    assert rouge_n("police kill the gunman", "police killed the gunman", 2) == pytest.approx(100 * 2 * 1 / 6)
    assert rouge_n("the the the", "the cat", 1) == pytest.approx(100 * 2 * 1 / 5)


@pytest.mark.parametrize(("text", "value"), [("dog", 100.0), ("cat", 0.0)])
def test_rouge_2_of_single_words_is_whether_they_are_the_same(text: str, value: float) -> None:
    assert rouge_n(text, "dog", 2) == value


def test_rouge_l_of_chinese_counts_characters() -> None:
    assert rouge_l("红色的狗", "红狗", chinese=True) == pytest.approx(100 * 2 * 2 / 6)


@pytest.mark.parametrize(
    ("text", "target", "value"), [("", "a", 0), ("a", "b", 0), ("!", "?", 100), ("a b", "a b", 100)]
)
def test_rouge_l_of_texts_without_words_or_matches(text: str, target: str, value: float) -> None:
    assert rouge_l(text, target) == value


def test_a_right_text_has_the_best_figures() -> None:
    targets, _ = _corpus(False)
    assert _values(targets, targets) == pytest.approx(
        {"bleu": 100, "chrf": 100, "rouge_1": 100, "rouge_2": 100, "rouge_l": 100, "exact_match": 1}
    )


def test_empty_texts_have_the_worst_figures() -> None:
    assert _values(["a dog runs over it"], [""]) == {
        "bleu": 0,
        "chrf": 0,
        "rouge_1": 0,
        "rouge_2": 0,
        "rouge_l": 0,
        "exact_match": 0,
    }


def test_intervals_hold_the_value_and_bleu_comes_first() -> None:
    targets, texts = _corpus(False)
    figures = measure({"target": targets}, [{"text": text} for text in texts], seed=1)
    assert next(iter(figures)) == "bleu"
    assert all(figure["low"] < figure["value"] < figure["high"] and figure["n"] == 40 for figure in figures.values())


def test_chinese_is_told_from_latin_with_some_signs_in_it() -> None:
    assert is_chinese([SIGNS, "GPT 模型的训练与评估"])
    assert not is_chinese(["the sign 狗 means dog"])
