"""Which rows belong together: by a column, by length, by language, by label, or by what their texts are about.

It knows rows, never answers. N is the number of rows of the test set.
"""

import difflib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from modelmint.core.errors import DataError
from modelmint.core.forms import Form
from modelmint.evaluation.sums import Mask

LENGTH, LANGUAGE, LABEL, CLUSTER = "length", "language", "label", "cluster"
COMPUTED = (LENGTH, LANGUAGE, LABEL, CLUSTER)
"""Groups that are no column. Where the rows have a column of the name, it is the column."""
MAX_VALUES = 12
"""A column of numbers with more values is cut at its quartiles."""
MAX_GROUPS = 200
"""Of a column; the rarer are left out."""
MAX_NAME_CHARS = 60
_LATER = frozenset({"target", "positive", "negative", "chosen", "rejected"})
"""Texts that are answers, not what is asked."""

Columns: TypeAlias = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Rows with something in common: `column` is the column or one of `COMPUTED`."""

    column: str
    name: str
    rows: Mask

    @property
    def size(self) -> int:
        return int(self.rows.sum())


def groups_of(name: str, truth: Columns, form: Form, *, seed: int, parameter: str = "slices") -> list[Group]:
    """The groups of one column, or of one of `COMPUTED`; rows without a value are in none.

    Names stand in the order of their rows, numbers in theirs. Rows with several labels are in several groups.

    Raises:
        DataError: there is no such column.
    """
    if name in truth and not name.startswith("_"):
        return _of_cells(name, truth[name])
    if name == LABEL and form.label and form.label in truth:
        return _of_cells(LABEL, _labels(truth[form.label], form))
    texts = texts_of(truth, form)
    if name == LENGTH and texts:
        return _of_cells(LENGTH, [len(text) for text in texts])
    if name == LANGUAGE and texts:
        return _of_cells(LANGUAGE, languages(texts))
    if name == CLUSTER and texts:
        from modelmint.evaluation.slicing.clusters import clusters

        return _of_cells(CLUSTER, clusters(texts, seed=seed))
    raise _not_there(name, truth, form, parameter)


def automatic(truth: Columns, form: Form) -> list[str]:
    """What is looked at unasked."""
    found = [LENGTH, LANGUAGE] if texts_of(truth, form) else []
    return [*found, LABEL] if form.label and form.label in truth else found


def rows_where(conditions: Sequence[tuple[str, str, str]], truth: Columns, form: Form, *, seed: int) -> Mask:
    """(N,) the rows for which every condition (column, operator, value) holds.

    Raises:
        DataError: there is no such column, or no such value in it; says which there are.
    """
    found: Mask = np.ones(len(next(iter(truth.values()))), np.bool_)
    for column, operator, value in conditions:
        is_equal = operator == "="
        found &= (
            _equal(column, value, truth, form, seed) if is_equal else _compared(column, operator, value, truth, form)
        )
    return found


def texts_of(truth: Columns, form: Form) -> list[str]:
    """(N,) the text that is asked of each row; empty where the rows have none."""
    paths = [path for path in form.texts if path.split(".")[0] in truth and path.split(".")[0] not in _LATER]
    columns = [[_flat(cell, path.split(".")[1:]) for cell in truth[path.split(".")[0]]] for path in paths]
    return ["\n".join(cells) for cells in zip(*columns, strict=True)] if columns else []


def languages(texts: Sequence[str]) -> list[str | None]:
    """The primary language of each text, None where it cannot be told."""
    from modelmint.core.language.languages import UNKNOWN, languages_of, primary

    tags = [primary(tag) for tag, _ in languages_of(texts)]
    return [None if tag == UNKNOWN else tag for tag in tags]


def _compared(column: str, operator: str, value: str, truth: Columns, form: Form) -> Mask:
    """Rows whose number is on that side of the value; a row without one is on none."""
    cells = truth.get(column) or ([len(text) for text in texts_of(truth, form)] if column == LENGTH else None)
    numbers = _numbers(cells) if cells else None
    if numbers is None:
        if column not in truth and column != LENGTH:
            raise _not_there(column, truth, form, "gates")
        raise DataError(f"{column}{operator}{value} needs a column of numbers; {column} is none", parameter="gates")
    limit = float(value)
    sides = {">": numbers > limit, "<": numbers < limit, ">=": numbers >= limit, "<=": numbers <= limit}
    return np.asarray(sides[operator], np.bool_)


def _equal(column: str, value: str, truth: Columns, form: Form, seed: int) -> Mask:
    if column in truth:
        exact = np.array([_shown(cell) == value for cell in truth[column]], np.bool_)
        if exact.any():
            return exact
    there = groups_of(column, truth, form, seed=seed, parameter="gates")
    for group in there:
        if value in (group.name, group.name.casefold()):
            return group.rows
    ranked = sorted(there, key=lambda one: (-one.size, one.name))
    named = ", ".join(f"{one.name!r} ({one.size:,})" for one in ranked[:12])
    close = difflib.get_close_matches(value, [one.name for one in there], n=1, cutoff=0.6)
    raise DataError(
        f"no row of the test set has {column}={value}; there are {named or 'none'}"
        f"{f' and {len(there) - 12:,} more' if len(there) > 12 else ''}",
        parameter="gates",
        remedy=f"Did you mean {column}={close[0]}?" if close else None,
    )


def _of_cells(column: str, cells: Sequence[Any]) -> list[Group]:
    if any(isinstance(cell, list | tuple) for cell in cells):
        return _of_lists(column, cells)
    numbers = _numbers(cells)
    if numbers is not None and len(np.unique(numbers[np.isfinite(numbers)])) > MAX_VALUES:
        return _of_numbers(column, numbers)
    shown = [_shown(cell) for cell in cells]
    counts = Counter(one for one in shown if one)
    names = [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_GROUPS]]
    if numbers is not None:
        names.sort(key=float)
    place = {name: at for at, name in enumerate(names)}
    codes = np.array([place.get(one, -1) for one in shown])
    return [Group(column=column, name=name, rows=codes == at) for at, name in enumerate(names)]


def _of_lists(column: str, cells: Sequence[Any]) -> list[Group]:
    """Rows that hold each name, once; a row may be in several."""
    sets = [{_shown(one) for one in cell or () if _shown(one)} for cell in cells]
    counts = Counter(name for names in sets for name in names)
    ranked = sorted(counts, key=lambda name: (-counts[name], name))[:MAX_GROUPS]
    return [Group(column=column, name=name, rows=np.array([name in one for one in sets])) for name in ranked]


def _of_numbers(column: str, numbers: Any) -> list[Group]:
    finite = numbers[np.isfinite(numbers)]
    edges = np.unique(np.quantile(finite, [0.25, 0.5, 0.75]))
    place = np.where(np.isfinite(numbers), np.searchsorted(edges, numbers, side="left"), -1)
    shown = [f"{edge:.6g}" for edge in edges]
    between = [f"over {low} to {high}" for low, high in pairwise(shown)]
    names = [f"up to {shown[0]}", *between, f"over {shown[-1]}"]
    made = [Group(column=column, name=name, rows=place == at) for at, name in enumerate(names)]
    return [group for group in made if group.size]


def _labels(cells: Sequence[Any], form: Form) -> Sequence[Any]:
    """Of tags the kinds of what they name."""
    if form.predicts != "tags":
        return cells
    return [sorted({tag.partition("-")[2] or tag for tag in tags or () if tag not in ("O", "")}) for tags in cells]


def _numbers(cells: Sequence[Any]) -> Any:
    """(N,) where every cell is a number, reads as one (columns that a source has beside are kept as text) or is missing."""
    if any(isinstance(cell, bool) for cell in cells):
        return None
    try:
        return np.array([math.nan if cell is None or cell == "" else float(cell) for cell in cells])
    except (TypeError, ValueError):
        return None


def _shown(cell: Any) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return (f"{cell:g}" if isinstance(cell, float) else str(cell))[:MAX_NAME_CHARS]


def _flat(cell: Any, fields: Sequence[str]) -> str:
    if cell is None:
        return ""
    if isinstance(cell, list | tuple):
        return ("\n" if fields else " ").join(_flat(one, fields) for one in cell)
    if isinstance(cell, dict):
        return _flat(cell.get(fields[0]), fields[1:])
    return str(cell)


def _not_there(name: str, truth: Columns, form: Form, parameter: str) -> DataError:
    columns = [column for column in truth if not column.startswith("_")]
    more = list(automatic(truth, form)) + ([CLUSTER] if texts_of(truth, form) else [])
    known = list(dict.fromkeys([*columns, *more]))
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return DataError(
        f"{parameter}: must name columns of the test rows; {name!r} is none of {', '.join(known)}",
        parameter=parameter,
        remedy=f"Did you mean {close[0]!r}?" if close else "Keep the column with collect.keep.",
    )
