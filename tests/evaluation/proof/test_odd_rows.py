"""Odd rows of a table: equal arguments give equal rows, each kind changes what it says."""

from typing import Any

from modelmint.core.columns import Columns, RowCodes
from modelmint.core.inputs import cells_of, fits
from modelmint.evaluation.proof.adversarial import TOO_LONG
from modelmint.evaluation.proof.odd_rows import odd_rows

ROWS: list[dict[str, Any]] = [
    {"fee": 20.5, "contract": "monthly", "empty": None},
    {"fee": 70.0, "contract": "yearly", "empty": None},
    {"fee": "what a test row may hold", "contract": None, "empty": None},
]
COLUMNS = Columns.fit({"fee": [1, 2], "contract": ["monthly", "yearly"], "empty": [None, None]})


def test_equal_seeds_give_equal_rows_of_every_kind() -> None:
    found = odd_rows(ROWS, COLUMNS, num_rows=60, seed=3)
    assert found == odd_rows(ROWS, COLUMNS, num_rows=60, seed=3)
    assert (len(found), len({one.kind for one in found})) == (60, 19)


def test_some_must_be_refused_and_most_be_answered() -> None:
    codes = RowCodes(COLUMNS)
    odd = odd_rows(ROWS[:2], COLUMNS, num_rows=200, seed=0)
    refused = {one.kind for one in odd if codes.wrong(cells_of(one.given)) is not None or not fits(one.given)}
    assert refused == {
        "a word for a number", "a column that is not known", "a column is left out", "two cells change places", TOO_LONG,
    }  # fmt: skip


def test_none_are_made_where_none_are_wanted() -> None:
    assert odd_rows(ROWS, COLUMNS, num_rows=0, seed=0) == []
