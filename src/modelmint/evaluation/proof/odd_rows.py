"""Rows of a table that find what ordinary ones do not: made from evaluation rows, a cell or the whole row changed.

The endpoint must answer them as the trained model does, and refuse those that nobody can answer.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, TypeAlias

from modelmint.core.columns import Column, Columns
from modelmint.core.stage import MAX_TEXT_CHARACTERS
from modelmint.evaluation.proof.adversarial import TOO_LONG, Odd

Row: TypeAlias = Mapping[str, Any]
Change: TypeAlias = Callable[[Row, Column, Random], Row]
HUGE = (1e308, -1e308, 1e18, -1e-300, 2**63, 10**30)
UNSEEN = ("a word that nobody wrote", "😀", "非", "0x1F", "-0.0", "\x00", "' OR 1=1")
NOTHING = ("", " ", "N/A", "nan", "None", "?", "-", None)


def odd_rows(rows: Sequence[Row], columns: Columns, *, num_rows: int, seed: int) -> list[Odd]:
    """At most `num_rows` changed rows, of every kind about as many; the last has a text longer than the API takes.

    Args:
        rows: of evaluation; at least one.
        columns: those that the trained model learned from.
    """
    if num_rows == 0:
        return []
    random = Random(seed)  # noqa: S311  # which cells are changed is no secret
    found: list[Odd] = []
    kinds = [(kind, wanted, change) for kind, (wanted, change) in _KINDS.items()]
    for at in range(num_rows - 1):
        kind, wanted, change = kinds[at % len(kinds)]
        fitting = [column for column in columns.columns if wanted is None or column.kind in wanted]
        if fitting:
            row = rows[random.randrange(len(rows))]
            found.append(Odd(kind=kind, given={"row": dict(change(row, random.choice(fitting), random))}))
    name = columns.columns[0].name
    too_long = {**rows[0], name: "x" * (MAX_TEXT_CHARACTERS + 1)}
    return [*found, Odd(kind=TOO_LONG, given={"row": too_long})]


def _put(value: Callable[[Any, Column, Random], Any]) -> Change:
    return lambda row, column, random: {**row, column.name: value(row.get(column.name), column, random)}


def _shuffled(row: Row, _column: Column, random: Random) -> Row:
    names = list(row)
    random.shuffle(names)
    return {name: row[name] for name in names}


def _swapped(row: Row, column: Column, random: Random) -> Row:
    """The cell of a column and that of another change places."""
    other = random.choice(list(row))
    return {**row, column.name: row.get(other), other: row.get(column.name)}


def _or_one(cell: Any) -> float:
    return float(cell) if isinstance(cell, int | float) else 1.0


_NUMBERS, _WORDS = ("number",), ("category",)
_KINDS: dict[str, tuple[tuple[str, ...] | None, Change]] = {
    "a cell is null": (None, _put(lambda _cell, _column, _random: None)),
    "all cells are null": (None, lambda row, _column, _random: dict.fromkeys(row)),
    "a word for nothing": (None, _put(lambda _cell, _column, random: random.choice(NOTHING))),
    "a category that training never saw": (_WORDS, _put(lambda _cell, _column, random: random.choice(UNSEEN))),
    "a category in other letters": (_WORDS, _put(lambda cell, _column, _random: str(cell).upper())),
    "spaces around": (_WORDS, _put(lambda cell, _column, _random: f"  {cell}\t")),
    "a rare category": (_WORDS, _put(lambda _cell, column, _random: column.categories[-1])),
    "another category": (_WORDS, _put(lambda _cell, column, random: random.choice(column.categories))),
    "a number for a category": (_WORDS, _put(lambda _cell, _column, random: random.choice((1, 1.0, True, -7.5)))),
    "a huge number": (_NUMBERS, _put(lambda _cell, _column, random: random.choice(HUGE))),
    "another number": (_NUMBERS, _put(lambda cell, _column, random: round(random.uniform(-2, 3) * _or_one(cell), 3))),
    "a number as a text": (_NUMBERS, _put(lambda cell, _column, _random: f" {cell or 0} ")),
    "true for a number": (_NUMBERS, _put(lambda _cell, _column, random: random.random() < 0.5)),
    "columns in another order": (None, _shuffled),
    "two cells change places": (None, _swapped),
    "a word for a number": (_NUMBERS, _put(lambda _cell, _column, _random: "twelve")),
    "a column that is not known": (None, lambda row, _column, _random: {**row, "a column of nobody": 1}),
    "a column is left out": (None, lambda row, column, _random: {name: row[name] for name in row if name != column.name}),
}  # fmt: skip
"""By kind: of which kinds of columns (None: any), and how a row is changed."""
