from base64 import b64encode
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from modelmint.core.errors import InputError
from modelmint.core.inputs import (
    AUDIO,
    IMAGE,
    MAX_FILE_BYTES,
    PAIR,
    QUESTION,
    ROW,
    TAKEN,
    TEXT,
    WORDS,
    Columns,
    HTTPInput,
    check,
    fits,
    how_of,
    kept,
    of_rows,
    reads,
    shown,
    to_rows,
)

ROWS: dict[Columns, dict[str, list[Any]]] = {
    TEXT: {"text": ["a", "b"]},
    PAIR: {"text": ["a", "b"], "text_pair": ["c", "d"]},
    WORDS: {"tokens": [["a", "b"], []]},
    QUESTION: {"question": ["a", "b"], "context": ["c", ""]},
    IMAGE: {"image": [b"\x00", b"\xff\x01"]},
    AUDIO: {"audio": [b"RIFF", b"x"]},
    ROW: {"tenure": [5, None], "contract": ["monthly", "yearly"]},
    TAKEN: {"items": [["Fargo (1996)", "😀"], []], "num_items": [10, 10]},
}


@pytest.mark.parametrize("columns", ROWS)
def test_rows_are_inputs_that_http_takes_and_rows_again(columns: Columns) -> None:
    inputs = of_rows(ROWS[columns], columns)
    assert [TypeAdapter[Any](HTTPInput).validate_python(one) for one in inputs] == inputs
    assert to_rows(inputs, columns) == ROWS[columns]


@pytest.mark.parametrize(
    ("one", "columns", "message"),
    [
        ({"text": "a", "text_pair": "b"}, TEXT, r"input\[0\]: must be one text: `text`; got text and text_pair"),
        ("a", PAIR, r"must be two texts: `text` and `text_pair`; got text"),
        ("a", IMAGE, r"must be an image: `image`, a file in base64; got text"),
        ({"image": "AA=="}, AUDIO, r"must be a recording: .* got image"),
        ({"text": "a"}, ROW, r"must be a row of a table: `row`, its cells by column; got text"),
        ({"text": "a"}, TAKEN, r"must be what a user took, the oldest first: `items`; got text"),
    ],
)
def test_what_a_model_does_not_read_is_refused_with_what_it_reads(one: Any, columns: Columns, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check([one], columns)


def test_a_model_of_words_reads_a_text_too() -> None:
    check(["Anna left.", {"tokens": ["Anna"]}], WORDS)
    assert to_rows(["Anna left Rome-based Mr. 李明."], WORDS)["tokens"] == [
        ["Anna", "left", "Rome-based", "Mr", ".", "李", "明", "."]
    ]


@pytest.mark.parametrize(
    "one",
    [
        {"tokens": ["a" * 10_000, "b" * 10_000]},
        {"image": "A" * (MAX_FILE_BYTES * 4 // 3 + 5)},
        {"text": "a", "text_pair": "b" * 20_001},
        {"items": ["a"] * 1_001},
        {"items": ["a" * 1_001]},
        {"items": ["a" * 1_000] * 201},
    ],
)
def test_what_is_too_large_does_not_fit_and_is_refused_by_http(one: Any) -> None:
    assert not fits(one)
    with pytest.raises(ValidationError):
        TypeAdapter[Any](HTTPInput).validate_python(one)


@pytest.mark.parametrize("num_items", [0, 101, "many"])
def test_how_many_items_are_wanted_is_bounded(num_items: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[Any](HTTPInput).validate_python({"items": ["a"], "num_items": num_items})


def test_how_many_items_are_wanted_goes_to_the_rows() -> None:
    one: Any = {"items": ["a"], "num_items": 3}
    check([one], TAKEN)
    assert to_rows([one], TAKEN) == {"items": [["a"]], "num_items": [3]}


def test_a_file_that_is_no_base64_is_refused() -> None:
    with pytest.raises(InputError, match=r"image: must be a file in base64; got other signs"):
        to_rows([{"image": "$$$$"}], IMAGE)


def test_of_a_file_its_size_and_digest_are_kept() -> None:
    (one,) = [kept({"image": b64encode(b"abc").decode()})]
    assert isinstance(one, dict)
    assert (one["image"]["bytes"], one["image"]["sha256"][:8]) == (3, "ba7816bf")


def test_what_a_model_reads_and_answers_by_is_in_its_facts_or_its_task() -> None:
    assert (reads({"task": "image-classification"}), reads({"inputs": ["text", "text_pair"]}), reads({})) == (
        IMAGE,
        PAIR,
        TEXT,
    )
    assert how_of({"task": "token-classification", "entities": True}) == {"by": "tags", "entities": True}


@pytest.mark.parametrize("cell", [float("nan"), float("inf"), [1], {"a": 1}, "x" * 20_001])
def test_a_cell_that_no_table_has_is_refused(cell: Any) -> None:
    with pytest.raises(ValidationError, match=r"must (be a text, a finite number|have at most 20000 characters)"):
        TypeAdapter[Any](HTTPInput).validate_python({"row": {"fee": cell}})


def test_a_row_is_kept_whole_and_shown_by_column() -> None:
    row = {"row": {"tenure": 5, "contract": None}}
    assert (kept(row), shown(row), fits(row)) == (row, "tenure 5, contract None", True)
