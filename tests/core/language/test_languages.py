"""Which language a text is in, and when that cannot be told."""

import csv
import gzip
from pathlib import Path

import pytest

from modelmint.core.language.languages import UNKNOWN, detect, is_one_of, language_of
from modelmint.core.language.model import classify
from modelmint.core.language.scripts import Scripts, chinese_script


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("Where is my card? I ordered it two weeks ago.", "en"),
        ("Ich warte seit zwei Wochen auf meine neue Karte.", "de"),
        ("¿Dónde está mi tarjeta? La pedí hace dos semanas.", "es"),
        ("Où est ma carte? Je l'ai commandée il y a deux semaines.", "fr"),
        ("Где моя карта? Я заказал её две недели назад.", "ru"),
        ("Де моя картка? Я замовив її два тижні тому.", "uk"),
        ("我的银行卡还没有到，请问什么时候发货？", "zh-Hans"),
        ("我的銀行卡還沒有到，請問什麼時候發貨？", "zh-Hant"),
        ("私のカードはどこですか", "ja"),
        ("제 카드는 어디에 있나요", "ko"),
        ("บัตรของฉันอยู่ที่ไหน", "th"),
        ("أين بطاقتي؟ لقد طلبتها منذ أسبوعين.", "ar"),
        ("मेरा कार्ड कहाँ है? मैंने दो सप्ताह पहले मंगवाया था।", "hi"),
        ("", UNKNOWN),
        ("12345 !!!", UNKNOWN),
        ("ok", UNKNOWN),
        ("https://example.com/a/b?c=d", UNKNOWN),
    ],
)
def test_a_text_has_its_language(text: str, tag: str) -> None:
    assert language_of(text)[0] == tag


def test_chinese_with_english_names_stays_chinese() -> None:
    assert language_of("我的iPhone坏了，想换一个新的手机")[0] == "zh-Hans"


def test_characters_common_to_both_scripts_decide_nothing() -> None:
    assert chinese_script("我的卡") == "zh"


def test_the_share_of_a_mixed_text_is_that_of_its_main_script() -> None:
    scripts = Scripts.of("我的手机 abcdef")
    assert (scripts.main, round(scripts.share, 2)) == ("Han", 0.67)


def test_tags_fall_under_their_language() -> None:
    assert is_one_of("zh-Hans", ["en", "zh"])
    assert is_one_of("zh", ["zh-Hant"])
    assert not is_one_of("zh-Hans", ["zh-Hant", "de"])


def test_detect_gives_the_shares() -> None:
    assert detect(["Where is my card now?", "我的卡在哪里", "你好吗", "?!"]) == {"zh": 0.5, "en": 0.25, "und": 0.25}
    assert detect([]) == {}


def test_many_at_once_score_as_the_library_does_one_by_one() -> None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    theirs = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    theirs.set_languages(["ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tg", "tt", "ba"])
    texts = ["Где моя карта?", "Де моя картка і коли вона прийде", "да", "Къде е картата ми, моля", "МОЯ КАРТА"]
    one_by_one = [theirs.classify(text) for text in texts]
    for ours, (name, probability) in zip(classify(texts, "Cyrillic"), one_by_one, strict=True):
        assert ours == (name, pytest.approx(float(probability), abs=1e-4))


def test_german_and_english_captions_are_told_apart(shared: Path) -> None:
    with gzip.open(shared / "multi30k_de_en/test.csv.gz", "rt", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert detect(row["de"] for row in rows)["de"] > 0.99
    assert detect(row["en"] for row in rows)["en"] > 0.98


def test_reviews_are_chinese(shared: Path) -> None:
    with (shared / "chnsenticorp/dev.csv").open(encoding="utf-8") as stream:
        assert detect(row["text"] for row in csv.DictReader(stream)) == {"zh": 1.0}
