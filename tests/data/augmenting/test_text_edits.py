"""Changes to texts: small, of the kind asked for, and never to what carries the meaning."""

from collections import Counter
from random import Random

import pytest

from modelmint.data.augmenting.text_edits import NEIGHBOURS, TextEdits, edit_text, edit_tokens

ENGLISH = "Please tell me when my new card will arrive, because the old one expires on the 3rd of May."
CHINESE = "这家酒店的服务非常好，房间也很干净，下次我还会来住。"
NOTHING = {"delete": 0, "swap": 0, "typos": 0, "case": 0, "punctuation": 0}


def edited(text: str, number: int, **edits: float) -> str | None:
    found = edit_text(text, TextEdits(**({**NOTHING, **edits} if edits else {})), Random(number))
    return found and found[0]


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_most_of_a_text_stays(text: str) -> None:
    for number in range(200):
        changed = edited(text, number)
        assert changed
        assert (Counter(text) & Counter(changed)).total() >= 0.7 * len(text)


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_equal_dice_give_equal_texts(text: str) -> None:
    assert [edited(text, number) for number in range(20)] == [edited(text, number) for number in range(20)]


def test_deletion_only_drops_words() -> None:
    changed = edited(ENGLISH, 0, delete=0.2)
    assert changed is not None
    assert len(changed.split()) == len(ENGLISH.split()) - 4
    assert not Counter(changed.split()) - Counter(ENGLISH.split())


def test_swapping_keeps_every_word() -> None:
    changed = edited(ENGLISH, 1, swap=0.1)
    assert changed is not None
    assert sorted(changed.split()) == sorted(ENGLISH.split())


def test_typos_are_few_and_within_words() -> None:
    for number in range(100):
        changed = edited(ENGLISH, number, typos=0.05)
        assert changed is not None
        words = list(zip(ENGLISH.split(), changed.split(), strict=True))
        assert 1 <= sum(old != new for old, new in words) <= 5
        assert all(old[0] == new[0] for old, new in words)


def test_a_neighbour_on_the_keyboard_is_mutual() -> None:
    assert all(letter in NEIGHBOURS[other] for letter, near in NEIGHBOURS.items() for other in near)


def test_punctuation_changes_nothing_else() -> None:
    for number in range(50):
        changed = edited(ENGLISH, number, punctuation=0.1)
        assert changed is not None
        bare = ["".join(sign for sign in text if sign.isalnum() or sign == " ") for text in (ENGLISH, changed)]
        assert bare[0] == bare[1]


def test_case_changes_nothing_else() -> None:
    changed = edited(ENGLISH, 3, case=0.3)
    assert changed is not None
    assert changed != ENGLISH
    assert changed.lower() == ENGLISH.lower()


def test_spaces_and_line_breaks_between_words_stay() -> None:
    changed = edited("first line here\n\nsecond  line\tthere now", 2, typos=0.1)
    assert changed is not None
    assert [sign for sign in changed if sign.isspace()] == list("  \n\n  \t ")


@pytest.mark.parametrize(
    "kept", ["not", "NEVER,", "don't", "<PHONE>", "[NAME:3]", "ann@mail.com", "https://a.b", "42kg"]
)
def test_what_carries_the_meaning_is_neither_dropped_nor_mistyped(kept: str) -> None:
    text = f"this is {kept} what was wanted here"
    for number in range(60):
        assert kept.strip(",") in str(edited(text, number))


def test_chinese_negations_are_not_dropped() -> None:
    assert all("不" in str(edited("这个房间一点也不干净啊", number)) for number in range(60))


def test_chinese_swaps_are_of_neighbours() -> None:
    changed = edited("今天天气真好我们出去玩", 1, swap=0.01)
    assert changed is not None
    places = [at for at, (old, new) in enumerate(zip("今天天气真好我们出去玩", changed, strict=True)) if old != new]
    assert len(places) == 2
    assert places[1] - places[0] == 1


@pytest.mark.parametrize("text", ["", " ", "yes", "two words", "好的", "12 34 56 78"])
def test_what_is_too_short_or_has_no_words_is_left_alone(text: str) -> None:
    assert edit_text(text, TextEdits(punctuation=0), Random(0)) is None


def test_with_all_rates_zero_nothing_is_changed() -> None:
    assert edit_text(ENGLISH, TextEdits(**NOTHING), Random(0)) is None


def test_tokens_keep_their_tags() -> None:
    tokens, tags = ["he", "went", "to", "New", "York", "with", "Ann"], ["O", "O", "O", "B-LOC", "I-LOC", "O", "B-PER"]
    for number in range(100):
        changed = edit_tokens(tokens, tags, TextEdits(), Random(number))
        assert changed is not None
        assert [pair for pair in zip(*changed[:2], strict=True) if pair[1] != "O"] == [
            ("New", "B-LOC"),
            ("York", "I-LOC"),
            ("Ann", "B-PER"),
        ]


def test_a_token_between_two_entities_is_not_dropped() -> None:
    tokens, tags = ["go", "from", "Rome", "to", "Paris", "now", "please"], ["O", "O", "B-L", "O", "B-L", "O", "O"]
    edits = TextEdits(**{**NOTHING, "delete": 0.5})
    for number in range(50):
        changed = edit_tokens(tokens, tags, edits, Random(number))
        assert changed is not None
        assert "to" in changed[0]
