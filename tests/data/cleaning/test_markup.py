"""Text out of HTML."""

import time

import pytest

from modelmint.data.cleaning.markup import page_text, strip_markup


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("<p>Hello <b>world</b></p>", "\nHello world\n"),
        ("a<br/>b", "a\nb"),
        ("Tom &amp; Jerry &lt;3 &#8364;5", "Tom & Jerry <3 €5"),
        ("<script>alert('x')</script>bye<style>p{}</style>", " bye "),
        ("x<!-- a\ncomment -->y", "x y"),
        ("List<int> and a < b > c", "List<int> and a < b > c"),
        ("https://a.example/?a=1&copy=2", "https://a.example/?a=1&copy=2"),
        ('<a href="x>y">link</a>', 'y">link'),
        ("<DIV CLASS=x>你好</DIV>", "\n你好\n"),
    ],
)
def test_markup_goes_and_text_stays(raw: str, expected: str) -> None:
    assert strip_markup(raw) == expected


def test_the_main_text_is_taken_out_of_a_page() -> None:
    body = "This is the main text of the page, long enough to be found. " * 5
    page = f"<html><body><nav>Home About</nav><article><h1>Title</h1><p>{body}</p></article><footer>Imprint</footer>"
    assert page_text(page) == f"Title\n{body.strip()}"


def test_a_fragment_is_no_page() -> None:
    assert page_text("<b>Hi</b> there") == "Hi there"


@pytest.mark.parametrize("bomb", ["<script>", "<!--", "<p ", "<", "&", "&#x1F;", "<html><body><div>"])
def test_a_cell_full_of_unclosed_markup_costs_no_more_than_its_length(bomb: str) -> None:
    began = time.process_time()
    page_text(bomb * 20_000)
    assert time.process_time() - began < 2
