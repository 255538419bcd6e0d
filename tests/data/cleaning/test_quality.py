"""Each published rule by a text that fails exactly that rule, in English and Chinese; real text passes."""

import csv
import gzip
import itertools
import re
from pathlib import Path

import pytest

from modelmint.data.cleaning.limits import PRESETS, QualityLimits
from modelmint.data.cleaning.quality import RULES, first_failed
from modelmint.data.cleaning.wording import Wording

WEB = PRESETS["web"]
_WORDS = re.findall(
    r"\w+",
    "river garden window letter market doctor summer bridge forest silver mountain teacher island station kitchen "
    "morning village picture history science harbour engine flower winter castle planet copper meadow orchard lantern "
    "thunder canyon pepper saddle marble velvet falcon timber walnut canvas ribbon anchor basket beacon candle cradle "
    "dagger feather goblet hammer jacket kettle ladder mirror needle oyster parcel quarry rocket",
)


def prose(num_sentences: int = 8) -> str:
    """Sentences of eight words, none of which repeats a phrase of another."""
    words = itertools.cycle(_WORDS)
    return "\n".join(
        f"{next(words).title()} and the {next(words)} have {next(words)} {next(words)} with {next(words)} {number}x."
        for number in range(num_sentences)
    )


def failed(text: str, limits: QualityLimits = WEB) -> set[str]:
    """The name of every rule that the text fails, each asked alone."""
    return {rule.name for rule in RULES if rule.is_on(limits) and first_failed(text, (rule,), limits)}


def num_failed(texts: list[str], limits: QualityLimits) -> int:
    """How many texts fail some rule."""
    on = tuple(rule for rule in RULES if rule.is_on(limits))
    return sum(first_failed(text, on, limits) is not None for text in texts)


FAILING = {
    "gopher_word_count": prose(5).replace(" and the", ""),
    "gopher_mean_word_length": "\n".join(
        f"The {' '.join(f'{letter}{number}' for letter in 'abcdefghijklmnopqrstuvwxyz')} and {line}"
        for number, line in enumerate(prose().split("\n"))
    ),
    "gopher_symbol_ratio": prose().replace(" and the", "# and # the"),
    "gopher_bullet_lines": "\n".join(f"- {line}" for line in prose(12).split("\n")),
    "gopher_ellipsis_lines": "\n".join(
        line.replace(".", "...") if at < 5 else line for at, line in enumerate(prose(14).split("\n"))
    ),
    "gopher_alphabetic_words": re.sub(
        r"(\d+)x\.", lambda found: f"{found[1]}11 {found[1]}22 {found[1]}333 {found[1]}4444.", prose()
    ),
    "gopher_duplicate_lines": prose(12) + "\nYes, so be it." * 7,
    "gopher_duplicate_paragraphs": "\n\n".join([*prose(12).split("\n"), *["So be it now.\nYes, I am sure."] * 1, *["Yes."] * 8]),
    "c4_sentences": prose(8).replace(".\n", ", ").replace(".", "") + ".",
    "c4_lorem_ipsum": prose() + "\nHere the writer put lorem ipsum and no more.",
    "c4_curly_brackets": prose() + "\nHere is { a bracket of code in this line.",
    "fineweb_punctuated_lines": prose(20).replace(".\n", ". Then\n") + " Then",
    "fineweb_short_lines": re.sub(r" have ", ".\nhave ", prose(20)).replace(" with ", ".\nwith "),
    "gopher_stop_words": prose().replace(" the", " some").replace("and", "or").replace("have", "had").replace("with", "near"),
}  # fmt: skip


def test_good_prose_passes_every_rule() -> None:
    assert failed(prose()) == set()


@pytest.mark.parametrize("name", sorted(FAILING))
def test_a_text_fails_the_rule_it_was_made_for(name: str) -> None:
    assert failed(FAILING[name]) <= {name, *_KIN.get(name, ())}
    assert name in failed(FAILING[name])


_KIN = {  # what cannot be had without the other
    "gopher_duplicate_lines": {"gopher_duplicate_line_chars", "fineweb_repeated_lines", "gopher_top_ngram",
                               "gopher_duplicate_ngrams", "fineweb_short_lines"},
    "gopher_duplicate_paragraphs": {"gopher_duplicate_lines", "fineweb_short_lines"},
}  # fmt: skip

ALONE = {
    "gopher_duplicate_line_chars": (prose() + ("\n" + prose(1)) * 3, QualityLimits(max_duplicate_line_chars=0.2)),
    "gopher_duplicate_paragraph_chars": (
        "\n\n".join([prose(4), *[prose(2)] * 2]),
        QualityLimits(max_duplicate_paragraph_chars=0.2),
    ),
    "gopher_top_ngram": ("very good " * 12, QualityLimits(max_top_ngrams=(0.2, 0.18, 0.16))),
    "gopher_duplicate_ngrams": (
        f"{prose(2)} {prose(2)}",
        QualityLimits(max_duplicate_ngrams=(0.15, 0.14, 0.13, 0.12, 0.11, 0.10)),
    ),
    "fineweb_repeated_lines": (prose(8) + "\n" + prose(1), QualityLimits(max_repeated_line_chars=0.1)),
}


@pytest.mark.parametrize("name", sorted(ALONE))
def test_a_rule_can_stand_alone(name: str) -> None:
    text, limits = ALONE[name]
    assert failed(text, limits) == {name}
    assert failed(prose(), limits) == set()


def test_every_rule_has_a_text() -> None:
    assert {rule.name for rule in RULES} == {*FAILING, *ALONE}


def test_chinese_characters_count_as_words() -> None:
    assert len(Wording("我的卡在哪里？The card is here.").words) == 10


def test_chinese_sentences_end_with_chinese_marks() -> None:
    assert Wording("你好。今天天气很好！去哪里？好……").num_sentences == 4


def test_chinese_prose_passes_the_rules_for_the_web() -> None:
    letters = "".join(map(chr, range(0x5100, 0x5200)))
    lines = [
        f"我{letters[at : at + 9]}，在{letters[at + 9 : at + 20]}的{letters[at + 20 : at + 24]}。"
        for at in range(0, 144, 24)
    ]
    assert failed("\n".join(lines)) == set()


def test_chinese_repetition_fails() -> None:
    assert "gopher_top_ngram" in failed("非常不错的" * 20)


def test_a_preset_for_short_texts_lets_messages_pass_and_finds_noise() -> None:
    short = PRESETS["short"]
    assert failed("ok, see u @ 5", short) | failed("我的卡呢", short) | failed("Where is my card?", short) == set()
    assert failed("645 123 99", short) == {"gopher_alphabetic_words"}


def test_real_messages_pass_the_preset_for_short_texts(shared: Path) -> None:
    with gzip.open(shared / "sms_spam/all.csv.gz", "rt", encoding="utf-8") as stream:
        texts = [row["text"] for row in csv.DictReader(stream)]
    with (shared / "chnsenticorp/dev.csv").open(encoding="utf-8") as stream:
        texts += [row["text"] for row in csv.DictReader(stream)]
    assert num_failed(texts, PRESETS["short"]) < 0.002 * len(texts)


def test_encyclopedia_articles_pass_the_preset_for_the_web(shared: Path) -> None:
    with gzip.open(shared / "wikitext2/test.txt.gz", "rt", encoding="utf-8") as stream:
        articles = [one for one in re.split(r"\n = [^=\n]+ = \n", stream.read()) if len(one) > 200]
    assert num_failed(articles, WEB) <= 0.07 * len(articles)
