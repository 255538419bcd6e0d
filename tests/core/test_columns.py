"""What columns hold, and rows as numbers by it: alike for training and for an endpoint."""

import datetime
import math
from typing import Any

import numpy as np
import pytest

from modelmint.core.columns import Columns, RowCodes, json_cell

CELLS: dict[str, list[Any]] = {
    "tenure": [5, 12, 40],
    "fee": [20.5, None, 70.0],
    "contract": ["monthly", "yearly", "monthly"],
    "since": [datetime.date(2024, 5, 1), datetime.date(1970, 1, 2), datetime.date(2000, 1, 1)],
    "empty": [None, "", "n/a"],
}
ROW: dict[str, Any] = {"tenure": 5, "fee": 20.5, "contract": "yearly", "since": "2024-05-01"}


@pytest.fixture
def columns() -> Columns:
    fitted = Columns.fit(CELLS)
    return Columns.from_json(fitted.to_json(), fitted.left_out)


def test_each_column_says_what_it_holds_and_whether_a_cell_was_missing(columns: Columns) -> None:
    assert [(one.name, one.kind, one.has_missing) for one in columns.columns] == [
        ("tenure", "number", False),
        ("fee", "number", True),
        ("contract", "category", False),
        ("since", "date", False),
    ]


def test_rows_of_json_are_the_numbers_of_training(columns: Columns) -> None:
    names = list(CELLS)
    rows = [dict(zip(names, map(json_cell, cells), strict=True)) for cells in zip(*CELLS.values(), strict=True)]
    np.testing.assert_array_equal(RowCodes(columns).encode(rows), columns.encode(CELLS))


@pytest.mark.parametrize(
    ("cell", "number"),
    [(7, 7.0), (" 7.5 ", 7.5), (True, 1.0), (None, math.nan), ("N/A", math.nan), (1e308, 1e308), (10**400, math.nan)],
)
def test_a_number_may_be_a_text_of_one_and_true_is_1(columns: Columns, cell: Any, number: float) -> None:
    np.testing.assert_equal(RowCodes(columns).encode([{**ROW, "fee": cell}])[0, 1], number)


def test_a_number_that_is_missing_where_training_had_all_is_the_median(columns: Columns) -> None:
    assert RowCodes(columns).encode([{**ROW, "tenure": None, "since": None}])[0, [0, 3]].tolist() == [12.0, 10_957.0]


@pytest.mark.parametrize(
    ("cell", "place"),
    [("monthly", 0.0), ("  yearly\n", 1.0), ("weekly", math.nan), ("Monthly", math.nan), (None, math.nan)],
)
def test_a_category_that_training_never_saw_is_missing(columns: Columns, cell: Any, place: float) -> None:
    np.testing.assert_equal(RowCodes(columns).encode([{**ROW, "contract": cell}])[0, 2], place)


def test_json_s_true_and_1_are_the_words_of_a_file() -> None:
    codes = RowCodes(Columns.fit({"a": ["true", "false", "x"], "b": ["1", "2", "x"]}))
    assert codes.encode([{"a": True, "b": 1.0}, {"a": False, "b": 2}]).tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("cell", ["2024-05-01", "2024-05-01T00:00:00Z", "2024-05-01T02:00:00+02:00"])
def test_a_date_is_a_text_in_iso_8601(columns: Columns, cell: str) -> None:
    assert RowCodes(columns).encode([{**ROW, "since": cell}])[0, 3] == 19_844.0


@pytest.mark.parametrize(
    ("change", "said", "mends"),
    [
        ({"tenur": 5}, "there is no column 'tenur'", "Did you mean tenure?"),
        ({"tenure": "five"}, "tenure must be a number; got 'five'", "null"),
        ({"tenure": 10**400}, "tenure must be a number; got '1000", "null"),
        ({"since": "yesterday"}, "since must be a date such as .*; got 'yesterday'", "null"),
        ({"since": 19_844}, "since must be a date such as", "null"),
    ],
)
def test_what_cannot_be_answered_is_named_with_what_mends_it(
    columns: Columns, change: dict[str, Any], said: str, mends: str
) -> None:
    import re

    wrong = RowCodes(columns).wrong({**ROW, **change})
    assert wrong is not None
    assert re.match(said, wrong[0])
    assert mends in wrong[1]


def test_a_column_may_be_left_out_where_training_had_missing_cells(columns: Columns) -> None:
    codes = RowCodes(columns)
    assert codes.wrong({name: cell for name, cell in ROW.items() if name != "fee"}) is None
    assert codes.wrong({name: cell for name, cell in ROW.items() if name != "tenure"}) == (
        "must have the column tenure",
        "Give null where the value is not known.",
    )


def test_a_column_that_training_left_out_may_be_given(columns: Columns) -> None:
    assert RowCodes(columns).wrong({**ROW, "empty": "anything"}) is None


def test_null_says_of_any_column_that_it_is_not_known(columns: Columns) -> None:
    assert RowCodes(columns).wrong(dict.fromkeys(ROW)) is None
