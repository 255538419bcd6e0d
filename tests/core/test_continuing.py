"""How texts are gone on with: what is read again, and what new tokens say."""

import pytest

from modelmint.core.continuing import continued, parts, prompt_of
from modelmint.training.scratch.spec import TokenizerSpec
from modelmint.training.scratch.tokenizers import WRITER, learn_tokenizer

TEXTS = ["one two three", "three two one", "twenty-one two"] * 4


def test_a_long_text_is_read_anew_in_halves() -> None:
    found = [(part.first, part.start, part.end) for part in parts(num_prompt=10, num_new=20, max_tokens=16)]
    assert found == [(2, 10, 18), (10, 18, 26), (14, 26, 30)]


def test_what_fits_is_read_once() -> None:
    assert [(part.first, part.end) for part in parts(num_prompt=3, num_new=8, max_tokens=64)] == [(0, 11)]


@pytest.mark.parametrize("name", ["unigram", "bpe", "characters", "words", "wordpiece"])
def test_the_space_before_a_word_is_said(name: str) -> None:
    tokenizer = learn_tokenizer(TokenizerSpec(name=name, vocabulary_size=290), TEXTS, WRITER)
    whole, prompt = (tokenizer.encode(text).ids for text in ("one two three", "one two"))
    assert continued(tokenizer, prompt, whole[len(prompt) :]) == " three"


def test_an_empty_text_begins_one() -> None:
    tokenizer = learn_tokenizer(TokenizerSpec(name="characters"), TEXTS, WRITER)
    end = tokenizer.token_to_id("</s>")
    assert prompt_of(tokenizer, "", [end]) == [end]
