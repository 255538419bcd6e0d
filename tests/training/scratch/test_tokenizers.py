"""Tokenizers learned from texts, English and Chinese."""

from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import DataError, InputError
from modelmint.training.batches import open_tokenizer
from modelmint.training.scratch.spec import TokenizerSpec
from modelmint.training.scratch.tokenizers import (
    ENCODER,
    READER_WRITER,
    WRITER,
    learn_tokenizer,
    save_tokenizer,
)

KINDS = ("bpe", "unigram", "wordpiece", "words", "characters")
TEXTS = [
    *["the lowest price is lower than the low one", "wider and newer is the widest", "Low prices, new wares!"] * 5,
    *["这家酒店的早餐很好，服务也不错。", "酒店的房间很小，服务很好。", "早餐不错\n房间也不错"] * 5,
]


def learned(name: Any, special: Any = ENCODER, size: int = 400, **changes: Any) -> Any:
    return learn_tokenizer(TokenizerSpec(name=name, vocabulary_size=size, **changes), TEXTS, special)


@pytest.mark.parametrize("name", KINDS)
def test_equal_texts_give_an_equal_tokenizer(name: str) -> None:
    assert learned(name).to_str() == learned(name).to_str()


@pytest.mark.parametrize("name", KINDS)
def test_nothing_that_was_learned_from_is_unknown_in_either_language(name: str) -> None:
    tokenizer = learned(name)
    assert not [text for text in TEXTS if "[UNK]" in tokenizer.encode(text).tokens]


@pytest.mark.parametrize("name", KINDS)
def test_a_text_stands_between_start_and_end(name: str) -> None:
    tokens = learned(name).encode("the low price").tokens
    assert (tokens[0], tokens[-1]) == ("[CLS]", "[SEP]")


@pytest.mark.parametrize("name", KINDS)
def test_the_vocabulary_is_no_larger_than_was_asked_for(name: str) -> None:
    assert learned(name, size=270).get_vocab_size() <= 270


@pytest.mark.parametrize("name", KINDS)
def test_padding_is_0(name: str) -> None:
    assert learned(name, WRITER).token_to_id("[PAD]") == 0


@pytest.mark.parametrize("name", ["bpe", "characters", "unigram"])
@pytest.mark.parametrize("text", ["the lower price", "房间也不错\n早餐很好"])
def test_a_text_comes_back_as_it_was(name: str, text: str) -> None:
    tokenizer = learned(name, WRITER)
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_bpe_knows_what_it_has_never_seen() -> None:
    tokenizer = learned("bpe", WRITER)
    assert tokenizer.decode(tokenizer.encode("Ünïcode 🎈 龘").ids) == "Ünïcode 🎈 龘"


def test_characters_are_one_token_each() -> None:
    assert len(learned("characters", WRITER).encode("the low 酒店\n").ids) == 11


def test_a_rare_character_is_unknown_alone() -> None:
    assert learned("characters", WRITER).encode("a龘e").tokens == ["a", "[UNK]", "e"]


def test_pieces_are_shorter_than_characters() -> None:
    assert len(learned("unigram").encode(TEXTS[0]).ids) < len(TEXTS[0]) / 2


def test_lowercase_reads_capitals_as_small_letters() -> None:
    tokenizer = learned("words", lowercase=True)
    assert tokenizer.encode("LOW").ids == tokenizer.encode("low").ids


def test_a_pair_has_an_end_after_each_text() -> None:
    assert learned("words").encode("low", "lower").tokens == ["[CLS]", "low", "[SEP]", "lower", "[SEP]"]


def test_a_source_of_sequence_to_sequence_ends_with_its_end() -> None:
    assert learned("words", READER_WRITER).encode("low price").tokens[-1] == "</s>"


def test_it_is_read_again_from_its_folder(tmp_path: Path) -> None:
    tokenizer = learned("unigram")
    save_tokenizer(tokenizer, ENCODER, tmp_path, 512)
    assert open_tokenizer(tmp_path, 512)(TEXTS) == [tokenizer.encode(text).ids for text in TEXTS]


def test_transformers_reads_the_folder(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    save_tokenizer(learned("words"), ENCODER, tmp_path, 512)
    assert AutoTokenizer.from_pretrained(tmp_path).mask_token == "[MASK]"


def test_bpe_with_fewer_tokens_than_bytes_is_refused() -> None:
    with pytest.raises(InputError, match="at least 261 with bpe"):
        learned("bpe", size=100)


@pytest.mark.parametrize("name", KINDS)
def test_texts_of_nothing_are_refused(name: Any) -> None:
    with pytest.raises(DataError, match="all of them are empty"):
        learn_tokenizer(TokenizerSpec(name=name, vocabulary_size=400), ["", ""], WRITER)
