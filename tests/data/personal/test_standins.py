"""Stand-ins: equal for equal values, other for other keys, of the kind's own look, and nobody's."""

import pytest
from stdnum import iban, luhn
from stdnum.iso7064 import mod_11_2

from modelmint.data.personal.recognizers import FOUND_BY_PATTERN, recognize
from modelmint.data.personal.standins import StandIns

KEY = b"a secret of this tenant"


@pytest.fixture
def stand_ins() -> StandIns:
    return StandIns(KEY)


VALUES = [
    ("person", "John Smith"), ("person", "欧阳娜娜"), ("email", "joe@x.com"), ("phone", "13812345678"),
    ("phone", "(415) 555-2671"), ("phone", "+46 8 928 571 38"), ("id", "11010519491231002X"), ("id", "078-05-1120"),
    ("card", "4111 1111 1111 1111"), ("iban", "GB82 WEST 1234 5698 7654 32"), ("passport", "E12345678"),
    ("plate", "京A12345"), ("address", "北京市朝阳区人民路1号"), ("address", "12 Main Street"), ("ip", "1.2.3.4"),
    ("ip", "fe80::1"), ("date", "2024-02-29"), ("date", "Sunday"), ("date_of_birth", "15 February 1946"),
    ("year", "2004"), ("age", "33"), ("url", "http://x.y/z"), ("uscc", "91350100M000100Y43"), ("place", "London"),
    ("place", "北京市"), ("organisation", "Acme Ltd"), ("handle", "wx_abc12"), ("account", "12345678"), ("mine", "E1"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_a_value_keeps_one_stand_in_that_is_not_itself(kind: str, value: str) -> None:
    made = StandIns(KEY).of(kind, value)
    assert made == StandIns(KEY).of(kind, value)
    assert made != value


def test_another_tenant_has_other_stand_ins(stand_ins: StandIns) -> None:
    other = StandIns(b"a secret of another tenant")
    assert sum(stand_ins.of(kind, value) == other.of(kind, value) for kind, value in VALUES) <= 3  # small ranges meet


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("phone", "+86 138-1234-5678", "13812345678"),
        ("person", "JOHN smith", "John Smith"),
        ("email", "JOE@x.com", "joe@x.com"),
    ],
)
def test_ways_of_writing_one_value_share_a_stand_in(stand_ins: StandIns, kind: str, first: str, second: str) -> None:
    one, other = (
        "".join(letter for letter in stand_ins.of(kind, value).casefold() if letter.isalnum())[-8:]
        for value in (first, second)
    )
    assert one == other


def test_a_surname_keeps_its_stand_in_alone(stand_ins: StandIns) -> None:
    assert stand_ins.of("person", "Ms Smith").split()[1] == stand_ins.of("person", "John Smith").split()[1]


def test_a_chinese_surname_keeps_its_stand_in_before_a_title(stand_ins: StandIns) -> None:
    assert stand_ins.of("person", "张女士")[0] == stand_ins.of("person", "张三丰")[0]


def test_a_chinese_name_keeps_its_length_and_script(stand_ins: StandIns) -> None:
    made = stand_ins.of("person", "张三丰")
    assert len(made) == 3
    assert not made.isascii()


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("(415) 555-2671", r"\([2-9]\d\d\) 555-01\d\d"),
        ("+1 415 555 2671", r"\+1 [2-9]\d\d 555 01\d\d"),
        ("+44 7700 112233", r"\+44 7700 900\d\d\d"),
        ("13812345678", r"154\d{8}"),
        ("010-62345678", r"0\d\d-1\d{7}"),
    ],
)
def test_telephones_are_of_ranges_that_nobody_has(stand_ins: StandIns, value: str, pattern: str) -> None:
    import re

    assert re.fullmatch(pattern, stand_ins.of("phone", value))


def test_check_digits_are_right(stand_ins: StandIns) -> None:
    assert luhn.is_valid(stand_ins.of("card", "4111 1111 1111 1111").replace(" ", ""))
    assert iban.is_valid(stand_ins.of("iban", "GB82 WEST 1234 5698 7654 32"))
    assert mod_11_2.is_valid(stand_ins.of("id", "11010519491231002X"))


def test_a_chinese_card_of_a_stand_in_is_of_no_province(stand_ins: StandIns) -> None:
    made = stand_ins.of("id", "11010519491231002X")
    assert recognize(f"身份证{made}", ["id"]) == []


@pytest.mark.parametrize("kind", ["email", "ip", "card", "url", "date"])
def test_stand_ins_look_like_their_kind(stand_ins: StandIns, kind: str) -> None:
    value = next(value for name, value in VALUES if name == kind)
    made = stand_ins.of(kind, value)
    assert kind in {span.kind for span in recognize(f"card {made}", FOUND_BY_PATTERN)}


def test_different_people_seldom_share_a_stand_in(stand_ins: StandIns) -> None:
    assert len({stand_ins.of("email", f"joe{at}@x.com") for at in range(2000)}) > 1990


def test_hashes_keep_equal_values_equal_and_depend_on_the_key(stand_ins: StandIns) -> None:
    assert stand_ins.hashed("email", "JOE@x.com") == stand_ins.hashed("email", "joe@x.com")
    assert stand_ins.hashed("email", "joe@x.com") != StandIns(b"another secret here").hashed("email", "joe@x.com")
