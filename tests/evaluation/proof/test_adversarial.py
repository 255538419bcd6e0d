"""The odd texts: of every kind, different, repeatable, and within what the API takes but for the one that is not."""

import unicodedata

import pytest

from modelmint.evaluation.proof.adversarial import TOO_LONG, Odd, adversarial

TEXTS = ["Where is my card?", "I want a loan", "exchange rates today"]


def made(num_rows: int = 200, seed: int = 1) -> list[Odd]:
    return adversarial(TEXTS, num_rows=num_rows, max_tokens=32, max_characters=20_000, seed=seed, markers=["<eot>"])


def test_every_kind_is_there_and_no_text_is_twice() -> None:
    kinds, texts = {one.kind for one in made()}, [one.given for one in made()]
    assert kinds >= {"blank", "one character", "longer than the model reads", "template markers", "emoji", "right to left",
                     "mixed scripts", "control characters", "combining forms", "full width", "HTML", TOO_LONG}  # fmt: skip
    assert len(set(texts)) == len(texts) <= 200


def test_the_same_seed_gives_the_same_texts_and_another_others() -> None:
    assert made() == made()
    assert made() != made(seed=2)


def test_empty_texts_nul_and_the_special_tokens_of_the_model_are_among_them() -> None:
    texts = [one.given for one in made()]
    assert "" in texts
    assert any("\x00" in text for text in texts)
    assert any("<eot>" in text for text in texts)


def test_accents_come_composed_and_apart() -> None:
    by_kind = {one.kind: one.given for one in made()}
    assert unicodedata.is_normalized("NFC", by_kind["accents"])
    assert not unicodedata.is_normalized("NFC", by_kind["combining forms"])


def test_one_text_alone_is_longer_than_the_api_takes() -> None:
    assert [one.kind for one in made() if len(one.given) > 20_000] == [TOO_LONG]


@pytest.mark.parametrize("texts", [[""], ["\x00"], ["a" * 30_000], ["👍🏽"]])
def test_rows_that_are_odd_themselves_are_no_trouble(texts: list[str]) -> None:
    assert adversarial(texts, num_rows=100, max_tokens=32, max_characters=20_000, seed=1)


def test_none_are_made_where_none_are_asked_for() -> None:
    assert made(num_rows=0) == []
