"""Normal forms and fingerprints of texts."""

import ftfy
import numpy as np
import pytest
from ftfy.badness import is_bad

from modelmint.core.text import fingerprints, mend_encoding, mix, same_text_key, tidy, tidy_lines


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  a \t b\r\n c ", "a b c"),
        ("cafe\u0301", "caf\u00e9"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("bell\x07 and\x00 nul", "bell and nul"),
        ("全角\u3000空格\u00a0", "全角 空格"),
        ("a\u200db\u200c", "ab"),
        ("👨\u200d👩\u200d👧 ok", "👨\u200d👩\u200d👧 ok"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u202eevil\u202c", "evil"),
        ("\u200b", ""),
    ],
)
def test_tidy_normalises(raw: str, expected: str) -> None:
    assert tidy(raw) == expected


def test_mojibake_is_mended_on_request() -> None:
    assert tidy("cafÃ© dâ€™or", mojibake=True) == "café d’or"


def test_good_text_is_not_taken_for_mojibake() -> None:
    text = "Où est «l’été»? Größe, año, 我的卡在哪里，€5"
    assert tidy(text, mojibake=True) == text


def test_no_text_that_ftfy_would_mend_is_passed_over() -> None:
    letters = [chr(code) for code in (*range(0x20, 0x3000), *range(0xF8F0, 0xFB10), *range(0xFF00, 0x10000))]
    random = np.random.default_rng(7)
    odd = [letter for letter in letters if is_bad(f"Ã{letter}") or is_bad(f"{letter}Ã") or is_bad(f"a {letter}€")]
    texts = ["".join(random.choice(odd if at % 2 else letters, 5)) for at in range(400)]
    texts += [
        "a",
        *(f"{place}{word}" for place in ("", "a ") for word in ("Ã ", "Â ", "œ.", "Ã©", "â€™", "вЂ“", "ÐŸÑ")),
    ]
    assert [mend_encoding(text) for text in texts] == [ftfy.fix_encoding(text) for text in texts]


def test_lines_and_indentation_are_kept() -> None:
    assert tidy_lines("  if x:\r\n\treturn\u00a01 \n\n\n\n\ny\u2028z\n") == "  if x:\n\treturn 1\n\n\ny\nz"


def test_texts_of_one_key_share_a_fingerprint() -> None:
    same = fingerprints(["Where is  it?", "where is it?", "ｗｈｅｒｅ is it?\n"])
    assert len(set(same.tolist())) == 1


def test_casefold_can_be_switched_off() -> None:
    assert same_text_key("ABC", casefold=False) != same_text_key("abc", casefold=False)


def test_mix_spreads_neighbours_and_depends_on_the_seed() -> None:
    values = np.arange(10_000, dtype=np.uint64)
    mixed = mix(values, 1)
    assert abs(float((mixed > np.uint64(2**63)).mean()) - 0.5) < 0.02
    assert not (mixed == mix(values, 2)).any()
