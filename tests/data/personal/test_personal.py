"""Patterns and engines together, and counting what is left."""

import pytest

from modelmint.data.personal.recognizers import Span
from modelmint.data.personal.search import count_personal, joined

TEXT = "Ann Lee ann@x.org, 12 Main Street"


def span(part: str, kind: str, score: float = 1.0) -> Span:
    start = TEXT.index(part)
    return Span(start=start, end=start + len(part), kind=kind, score=score)


@pytest.mark.parametrize(
    ("first", "more", "expected"),
    [
        ([], [("Ann Lee", "person")], [("Ann Lee", "person")]),
        ([("ann@x.org", "email")], [("Ann Lee ann@x.org", "person")], [("Ann Lee", "person"), ("ann@x.org", "email")]),
        ([("ann@x.org", "email")], [("ann", "person")], [("ann@x.org", "email")]),
        ([("12 Main", "address")], [("Main Street", "address")], [("12 Main Street", "address")]),
        ([("12 Main Street", "address")], [("Main", "place")], [("12 Main Street", "address")]),
    ],
)
def test_a_pattern_wins_and_the_rest_of_a_name_stays(
    first: list[tuple[str, str]], more: list[tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    text = TEXT.replace("ann@", "ann@")
    found = joined(text, [_of(each) for each in first], [_of(each) for each in more])
    assert [(text[one.start : one.end], one.kind) for one in found] == expected


def _of(each: tuple[str, str]) -> Span:
    return span(*each)


def test_what_is_left_is_counted_by_kind() -> None:
    assert count_personal(["a@b.org and c@d.org", "电话13812345678", "nothing"]) == {"email": 2, "phone": 1}


def test_only_the_kinds_asked_for_are_counted() -> None:
    assert count_personal(["a@b.org 电话13812345678"], kinds=["phone"]) == {"phone": 1}
