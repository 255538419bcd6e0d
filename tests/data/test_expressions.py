"""Patterns of users: what RE2 does not take is said, and no pattern runs away."""

import time

import pytest

from modelmint.core.errors import InputError
from modelmint.data.expressions import MAX_PATTERN_CHARS, compile_expression


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "is empty"),
        ("a" * (MAX_PATTERN_CHARS + 1), r"has 1,001 characters; at most 1,000"),
        (r"(a)\1", "backreference"),
        (r"(?P<x>a)(?P=x)", "cannot be compiled|backreference"),
        (r"(?<x>a)\k<x>", "backreference"),
        ("a(?=b)", r"lookaround \(\(\?=\.\.\.\)"),
        ("a(?!b)", "lookaround"),
        ("(?<=a)b", "lookaround"),
        ("(?<!a)b", "lookaround"),
        ("(?>a)b", "atomic group"),
        ("a++", "possessive"),
        ("(", r"missing \)"),
        ("[b-a]", "invalid character class range"),
        ("a{1001}", "invalid repetition size"),
        ("(a{1000}){1000}", "invalid repetition size"),
        (r"(\p{L}{0,30}){0,30}", "too large when compiled"),
        (r"\p{L}{1,100}", "steps and 0 groups: too large"),
        ("()" * 51, "51 groups"),
        ("a\0", "holds a NUL"),
        ("a\udc80", "half of a surrogate pair"),
        (r"a\\\C", r"uses \\C"),
    ],
)
def test_a_pattern_that_re2_does_not_take_is_named(pattern: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        compile_expression(pattern, parameter="patterns")
    assert raised.value.parameter == "patterns"


def test_a_pattern_that_matches_everywhere_is_refused_where_it_may_not() -> None:
    with pytest.raises(InputError, match="matches the empty text"):
        compile_expression(r"\d*", parameter="patterns", may_be_empty=False)


def test_an_escaped_backslash_before_c_is_no_byte_class() -> None:
    assert compile_expression(r"\\C", parameter="patterns").found(r"a\C")


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|aa)+$", r"(a|a?)+$", r"(.*a){12}$", r"^(([a-z])+.)+[A-Z]([a-z])+$"]
)
def test_a_pattern_that_kills_backtracking_ends_at_once(pattern: str) -> None:
    expression = compile_expression(pattern, parameter="patterns")
    began = time.monotonic()
    expression.found("a" * 100_000 + "!")
    assert time.monotonic() - began < 2


def test_places_are_in_characters() -> None:
    expression = compile_expression(r"(\d+)元", parameter="patterns")
    assert list(expression.spans("共计12元，🙂另付7元")) == [(2, 5), (9, 11)]


def test_places_of_a_group() -> None:
    expression = compile_expression(r"no (?P<number>\d+)|none", parameter="patterns")
    assert list(expression.spans("no 12, none", "number")) == [(3, 5)]


def test_half_of_a_surrogate_pair_in_the_text_costs_no_error() -> None:
    expression = compile_expression(r"\d+", parameter="patterns")
    assert expression.replace("a\udc80 12 b", "N") == "a\udc80 N b"


def test_what_matched_is_given_to_the_replacement() -> None:
    expression = compile_expression(r"[a-z]+", parameter="patterns")
    assert expression.replace("ab 1 c", str.upper) == "AB 1 C"


def test_a_replacement_is_no_template() -> None:
    assert compile_expression("(a)", parameter="patterns").replace("a", r"\1\g<0>") == r"\1\g<0>"


def test_a_whole_match_needs_every_character() -> None:
    expression = compile_expression("a+", parameter="patterns")
    assert (expression.whole("aaa"), expression.whole("aab")) == (True, False)
