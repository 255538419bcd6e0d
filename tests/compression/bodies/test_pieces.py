"""Trimmed tokenizers: texts that they were made for are cut as before, and other texts are cut finer, never lost."""

import json
import random

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from modelmint.compression.bodies.pieces import kept_tokens, with_tokens
from modelmint.core.errors import InputError
from modelmint.core.types import JSON
from modelmint.training.scratch.spec import TokenizerSpec
from modelmint.training.scratch.tokenizers import ENCODER, learn_tokenizer
from tests.tiny_base import questions

KINDS = ("wordpiece", "bpe", "unigram")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LEARNED = [
    *(f"{row['text']} {word}" for row in questions(100) for word in ("unusually", "overdrawn", "overview")),
    *(LETTERS[at:] + LETTERS[:at] for at in range(26)),
]
TEXTS = [row["text"] for row in questions(40, seed=1)]


def tokenizer(kind: str) -> Tokenizer:
    if kind == "wordpiece":
        return _word_pieces()
    spec = TokenizerSpec.model_validate({"name": kind, "vocabulary_size": 400})
    return learn_tokenizer(spec, LEARNED, ENCODER)


def _word_pieces() -> Tokenizer:
    words = sorted({word for text in LEARNED[:300] for word in text.split()})
    pieces = [*ENCODER.tokens, *LETTERS, *(f"##{letter}" for letter in LETTERS), *words, "##ing", "un", "over"]
    whole = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]"))
    whole.normalizer, whole.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.BertPreTokenizer()
    whole.post_processor = processors.TemplateProcessing(
        single=ENCODER.single, pair=ENCODER.pair, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    whole.add_special_tokens(ENCODER.tokens)
    return whole


def trimmed(whole: Tokenizer, **changes: int) -> tuple[Tokenizer, list[int]]:
    about: JSON = json.loads(whole.to_str())
    used = {token_id for encoding in whole.encode_batch(TEXTS) for token_id in encoding.ids}
    kept = kept_tokens(about, used, **changes)
    return Tokenizer.from_str(json.dumps(with_tokens(about, kept))), kept


@pytest.mark.parametrize("kind", KINDS)
def test_texts_that_it_was_made_for_are_cut_as_before(kind: str) -> None:
    whole = tokenizer(kind)
    small, kept = trimmed(whole)
    assert len(kept) < whole.get_vocab_size()
    assert [[kept[at] for at in one.ids] for one in small.encode_batch(TEXTS)] == [
        one.ids for one in whole.encode_batch(TEXTS)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_with_other_words_is_cut_finer_and_nothing_of_it_is_unknown(kind: str) -> None:
    whole = tokenizer(kind)
    small, _ = trimmed(whole)
    before, after = (one.encode("unusually overdrawn") for one in (whole, small))
    assert len(after.ids) > len(before.ids)
    assert "[UNK]" not in after.tokens


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_and_templates_have_their_new_ids(kind: str) -> None:
    small, _ = trimmed(tokenizer(kind))
    encoding = small.encode("card", "cash")
    assert [token for token in encoding.tokens if token.startswith("[")] == ["[CLS]", "[SEP]", "[SEP]"]
    assert [small.token_to_id(token) for token in encoding.tokens] == encoding.ids


@pytest.mark.parametrize("kind", KINDS)
def test_a_larger_vocabulary_holds_the_first_of_the_other_tokens(kind: str) -> None:
    whole = tokenizer(kind)
    _, few = trimmed(whole)
    _, more = trimmed(whole, at_least=len(few) + 5)
    assert len(more) >= len(few) + 5
    assert set(few) <= set(more)


def test_bpe_keeps_every_merge_that_a_random_text_of_kept_words_needs() -> None:
    whole = tokenizer("bpe")
    small, kept = trimmed(whole)
    dice = random.Random(3)
    words = sorted({word for text in TEXTS for word in text.split()})
    texts = [" ".join(dice.choices(words, k=6)) for _ in range(100)]
    known = {token_id for one in whole.encode_batch(texts) for token_id in one.ids} <= set(kept)
    same = [[kept[at] for at in one.ids] for one in small.encode_batch(texts)] == [
        one.ids for one in whole.encode_batch(texts)
    ]
    assert same or not known


def test_ids_until_that_of_padding_stay() -> None:
    about: JSON = json.loads(tokenizer("wordpiece").to_str())
    assert kept_tokens(about, {50}, pad_id=9)[:10] == list(range(10))


def test_a_piece_that_single_characters_do_not_make_up_stays() -> None:
    vocabulary = {"[UNK]": 0, "a": 1, "##b": 2, "ab": 3, "xy": 4}
    about: JSON = json.loads(Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]")).to_str())
    assert kept_tokens(about, {1}) == [0, 1, 2, 4]


def test_a_tokenizer_of_whole_words_is_refused() -> None:
    about: JSON = json.loads(tokenizer("words").to_str())
    with pytest.raises(InputError, match="WordLevel"):
        kept_tokens(about, {1})
