"""New rows of a table between those that are there: SMOTE, and SMOTE-NC where columns hold categories."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from modelmint.core.spec import Spec

MAX_CATEGORIES = 100
"""A column with more different values is taken over from the nearest real row instead of being mixed."""
_NUM_OTHERS = 20

Floats = npt.NDArray[np.float64]


class TableEdits(Spec):
    """How new rows of a table are made: SMOTE (Chawla et al. 2002), SMOTE-NC where it has categories."""

    neighbours: int = Field(default=5, ge=1, le=100)
    """A new row lies between a row and one of its so many nearest of the same label."""


def synthetic_rows(
    table: pa.Table, label: str, wanted: Mapping[str, int], edits: TableEdits, *, seed: int
) -> tuple[pa.Table, dict[str, int]]:
    """New rows of labels, in the columns of `table`.

    Numbers are put on one scale by their standard deviation, missing ones counted as the median; a category is the
    commonest among the neighbours. Columns of other kinds (dates, lists) and of more than `MAX_CATEGORIES` values are
    those of the nearest real row, whose `_row` stands in `_of`.

    Args:
        table: rows with `_row`; the order does not matter.
        wanted: how many new rows each label gets.

    Returns:
        The new rows with `_of`, and for labels that have too few rows to lie between how many were copied instead.

    Source: Chawla et al., SMOTE (2002); the implementation is imbalanced-learn's.
    """
    ordered = table.sort_by("_row")
    names = np.array(ordered.column(label).cast(pa.string()).fill_null("").to_pylist(), object)
    parts, copied = [], {}
    for at, (name, num) in enumerate(sorted(wanted.items())):
        places = np.flatnonzero(names == name)
        if num < 1 or not len(places):
            continue
        if len(places) < 2:
            parts.append(_made(ordered, np.resize(places, num), {}))
            copied[name] = num
            continue
        others = np.flatnonzero(names != name)[:_NUM_OTHERS]
        parts.append(
            _between(ordered.take(np.concatenate([places, others])), len(places), label, num, edits, seed + at)
        )
    empty = ordered.slice(0, 0).append_column("_of", pa.array([], pa.string()))
    return (pa.concat_tables(parts) if parts else empty), copied


def _between(table: pa.Table, num_mine: int, label: str, num: int, edits: TableEdits, seed: int) -> pa.Table:
    """`num` new rows among the first `num_mine` of a table; the others only stand for "another label"."""
    import warnings

    from imblearn.over_sampling import SMOTE, SMOTENC

    columns = _Columns(table, label)
    cells, categorical = columns.encoded()
    target = np.arange(table.num_rows) < num_mine
    neighbours = min(edits.neighbours, num_mine - 1)
    how = {"sampling_strategy": {True: num_mine + num}, "random_state": seed % 2**32, "k_neighbors": neighbours}
    if not cells.shape[1]:
        new = np.empty((num, 0))
    elif categorical.all():
        new = _all_categories(cells[:num_mine], num, neighbours, seed)
    else:
        sampler = (
            SMOTENC(categorical_features=np.flatnonzero(categorical).tolist(), **how)
            if categorical.any()
            else SMOTE(**how)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of scikit-learn's future, about imbalanced-learn's own calls
            new = np.asarray(sampler.fit_resample(cells, target)[0], np.float64)[len(cells) :]
    nearest = _nearest(cells[:num_mine], new, categorical)
    return _made(table, nearest, columns.decoded(new))


class _Columns:
    """The columns of a table that new rows are mixed from, as numbers."""

    def __init__(self, table: pa.Table, label: str) -> None:
        self._table = table
        self._numeric: dict[str, tuple[float, float]] = {}
        self._categories: dict[str, list[Any]] = {}
        for field in table.schema:
            if field.name.startswith("_") or field.name == label:
                continue
            column = table.column(field.name)
            if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
                known = pc.cast(column, pa.float64()).drop_null().to_numpy()
                known = known[np.isfinite(known)]
                if len(known):
                    self._numeric[field.name] = (float(np.median(known)), float(np.std(known)) or 1.0)
            elif pa.types.is_string(field.type) or pa.types.is_boolean(field.type):
                values = sorted(pc.unique(column).to_pylist(), key=str)
                if len(values) <= MAX_CATEGORIES:
                    self._categories[field.name] = values

    def encoded(self) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """(N, C) all cells as numbers, and (C,) which columns are categories."""
        cells = []
        for name, (median, scale) in self._numeric.items():
            numbers = pc.cast(self._table.column(name), pa.float64()).fill_null(np.nan).to_numpy()
            cells.append((np.where(np.isfinite(numbers), numbers, median) - median) / scale)
        for name, values in self._categories.items():
            code = {value: at for at, value in enumerate(values)}
            cells.append(np.array([code[value] for value in self._table.column(name).to_pylist()], np.float64))
        categorical = np.arange(len(cells)) >= len(self._numeric)
        return (np.column_stack(cells) if cells else np.empty((self._table.num_rows, 0))), categorical

    def decoded(self, new: Floats) -> dict[str, pa.Array]:
        """The columns of new rows, in the types of the table."""
        made: dict[str, pa.Array] = {}
        for at, (name, (median, scale)) in enumerate(self._numeric.items()):
            kind = self._table.schema.field(name).type
            numbers = new[:, at] * scale + median
            made[name] = pa.array(np.round(numbers) if pa.types.is_integer(kind) else numbers).cast(kind)
        for at, (name, values) in enumerate(self._categories.items(), start=len(self._numeric)):
            codes = new[:, at].round().astype(int).tolist()
            made[name] = pa.array([values[code] for code in codes], self._table.schema.field(name).type)
        return made


def _made(table: pa.Table, parents: npt.NDArray[np.int64], made: Mapping[str, pa.Array]) -> pa.Table:
    """Rows like those at `parents`, with the columns that were made, and ids of their own."""
    new = table.take(pa.array(parents))
    of = new.column("_row").to_pylist()
    ids: dict[str, int] = {}
    rows = []
    for parent in of:
        ids[parent] = ids.get(parent, 0) + 1
        rows.append(f"{parent}~{ids[parent]}")
    for name, column in {**made, "_row": pa.array(rows, pa.string())}.items():
        new = new.set_column(new.schema.get_field_index(name), table.schema.field(name), column)
    return new.append_column("_of", pa.array(of, pa.string()))


def _all_categories(cells: Floats, num: int, neighbours: int, seed: int) -> Floats:
    """SMOTE-N: a row's cells are each the commonest among its nearest by the number of cells that differ."""
    from sklearn.neighbors import NearestNeighbors

    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(cells), num)
    found = NearestNeighbors(n_neighbors=neighbours + 1, metric="hamming").fit(cells)
    near = found.kneighbors(cells[chosen], return_distance=False)
    new = np.empty((num, cells.shape[1]))
    for at, places in enumerate(near):
        for column in range(cells.shape[1]):
            values, counts = np.unique(cells[places, column], return_counts=True)
            new[at, column] = values[counts.argmax()]
    return new


def _nearest(cells: Floats, new: Floats, categorical: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """(num,) the real row nearest to each new one; a category that differs is as far as a standard deviation."""
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import OneHotEncoder

    if not cells.shape[1]:
        return np.arange(len(new)) % len(cells)
    flat = [cells[:, ~categorical], new[:, ~categorical]]
    if categorical.any():
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(cells[:, categorical])
        hot = [encoder.transform(one[:, categorical]) / np.sqrt(2) for one in (cells, new)]
        flat = [np.hstack([one, other]) for one, other in zip(flat, hot, strict=True)]
    found = NearestNeighbors(n_neighbors=1).fit(flat[0]).kneighbors(flat[1], return_distance=False)
    return np.asarray(found[:, 0], np.int64)
