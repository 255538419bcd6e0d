"""What about a source as a whole is likely not as it was meant: for `peek`, in words for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelmint.data.formulas import plain_cell
from modelmint.data.sources.cell_types import kind_of
from modelmint.data.sources.dialects import recognised, shares
from modelmint.data.sources.guesses import ColumnGuess


def doubts(
    records: Sequence[Mapping[str, Any]],
    columns: Sequence[ColumnGuess],
    *,
    header: Sequence[str],
    empty: bool,
    encoding: str | None,
    may_be_guarded: bool,
) -> list[str]:
    """A sentence for each doubt, with what mends it.

    Args:
        header: the names in the first line of a text table; none where it has none.
        empty: whether there are no rows at all.
        encoding: the one that was guessed from the letters; None where nothing had to be guessed.
        may_be_guarded: whether cells may have been made harmless for spreadsheets, and are read as they are.
    """
    found = [
        f"{name!r} is there {header.count(name)} times in the header: a column that is used must be there once."
        for name in dict.fromkeys(name for name in header if header.count(name) > 1)
    ]
    if empty:
        found.append("There are no rows.")
    if _is_row(header, columns):
        found.append(
            "The first line looks like a row: if it is one, name the columns with `header`, such as [text, label]."
        )
    if encoding is not None:
        found.append(f"The encoding {encoding} is a guess: if the texts look wrong, set `encoding`.")
    cells = (cell for record in records for cell in record.values() if isinstance(cell, str))
    if may_be_guarded and any(plain_cell(cell) != cell for cell in cells):
        found.append(
            "Apostrophes stand before signs that begin a formula: if the file was exported here, set `guarded: true`."
        )
    counts = shares(records)
    if recognised(records, None) is None and sum(counts.values()) * 2 > len(records):
        seen = ", ".join(f"{count:,} like {name}" for name, count in counts.items())
        found.append(
            f"Of the first {len(records):,} rows some look {seen}: give each kind a file of its own, or set `dialect`."
        )
    return found


def _is_row(header: Sequence[str], columns: Sequence[ColumnGuess]) -> bool:
    """Whether a header looks like a row: a number over numbers, or a name that is also one of its column's few values."""
    beneath = {one.name: one for one in columns}
    seen = [(name, beneath[name]) for name in header if name in beneath]
    numbers = any(one.kind in {"number", "integer"} and kind_of(name) != "text" for name, one in seen)
    return numbers or any(one.is_class and name in one.values for name, one in seen)
