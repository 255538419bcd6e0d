"""How rows and labels are spread over groups: a first look at bias, for chosen columns, lengths and languages.

A rate is the share of a group's rows that have a label. Its interval is Wilson's (1927). Two groups are told apart where
their intervals do not touch; the ratio of the smallest rate to the largest is compared with four fifths, the rule of
thumb of the US Uniform Guidelines on Employee Selection Procedures (1978, 29 CFR 1607.4).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelmint.core import forms
from modelmint.core.errors import DataError
from modelmint.core.forms import Form
from modelmint.data.splitting.strata import has_classes

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Edges = dict[str, list[float]]
"""Where the numbers of a column are cut; under ``NAME=`` the values themselves where they are few."""

LENGTH, LANGUAGE = "length", "language"
"""Slices that are no column: characters of a text, and the language that it seems to be in."""
MAX_GROUPS = 12
MAX_LABELS = 10
MAX_NAMES = 100_000
MIN_ROWS = 30
"""A group with fewer rows is named, and left out where groups are compared."""
FOUR_FIFTHS = 0.8
_Z = 1.959964
_MAX_NAME_CHARS = 60


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What `label_rates` found: facts for a report, and where numbers were cut into buckets."""

    columns: list[dict[str, Any]]
    edges: Edges


def label_rates(
    passing: Iterable[pa.RecordBatch],
    form: Form,
    columns: Sequence[str],
    *,
    edges: Edges | None = None,
    min_rows: int = MIN_ROWS,
) -> Rates:
    """Count the groups of each column, and the labels in each group.

    Args:
        columns: names of columns; `LENGTH` and `LANGUAGE` where the rows have no column of that name. Columns of
            numbers with more than `MAX_GROUPS` values are cut at their quartiles.
        edges: where to cut numbers, as an earlier call did; of few values, each number is counted with the nearest.

    Returns:
        A dictionary a column: ``groups`` (name, rows, share, whether it is `small`, the rate of each label with its
        interval; weighted by `_weight` where the rows have it), and ``extremes`` (for each label the groups with the
        lowest and the highest rate, their ratio, and whether their intervals are apart).

    Raises:
        DataError: a column is not there.
    """
    seen: dict[str, _Column] = {name: _Column() for name in columns}
    labels, weights = _Column(), [np.empty(0)]
    for batch in passing:
        labels.see(forms.labels(batch, form) if has_classes(form) else [""] * batch.num_rows)
        weights.append(_weights(batch))
        for name, column in seen.items():
            column.see(_cells(batch, form, name))
    weight, label = np.concatenate(weights), labels.codes()
    counts = np.bincount(label, minlength=max(len(labels.names), 1))
    shown = np.argsort(-counts, kind="stable")[:MAX_LABELS].tolist() if has_classes(form) else []
    names = list(labels.names)
    found, cuts = [], dict[str, list[float]]()
    for name, column in seen.items():
        told = edges or {}
        group, group_names, cut = column.groups(told.get(name), told.get(f"{name}="))
        cuts |= {name: cut} if cut else {f"{name}=": column.values} if column.values else {}
        found.append(
            {"column": name} | _rates(group, group_names, label, {at: names[at] for at in shown}, weight, min_rows)
        )
    return Rates(columns=found, edges=cuts)


def wilson(num_hits: float, num_rows: float) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927): honest for few rows, and for shares of 0 and 1."""
    if num_rows <= 0:
        return 0.0, 1.0
    share, factor = num_hits / num_rows, _Z * _Z / num_rows
    middle = (share + factor / 2) / (1 + factor)
    half = _Z * math.sqrt(share * (1 - share) / num_rows + factor / (4 * num_rows)) / (1 + factor)
    return max(0.0, middle - half), min(1.0, middle + half)


class _Column:
    """The values of one column as codes, 4 bytes a row; numbers as they are."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.values: list[float] = []
        """The few values of a column of numbers, after `groups`."""
        self._codes: list[npt.NDArray[np.int32]] = []
        self._numbers: list[Floats] = []

    def see(self, cells: Sequence[str] | Floats) -> None:
        if isinstance(cells, np.ndarray):
            self._numbers.append(cells)
            return
        codes = [self.names.setdefault(self._known(cell), len(self.names)) for cell in cells]
        self._codes.append(np.array(codes, np.int32))

    def codes(self) -> npt.NDArray[np.int32]:
        return np.concatenate(self._codes) if self._codes else np.empty(0, np.int32)

    def groups(
        self, cut: list[float] | None, values: list[float] | None = None
    ) -> tuple[Ints, list[str], list[float] | None]:
        """(N,) the group of each row, the groups' names in order, and where numbers were cut."""
        if self._numbers:
            numbers = np.concatenate(self._numbers)
            known = np.unique(numbers[np.isfinite(numbers)])
        else:
            of_name = np.array([_number(name) for name in self.names])
            known = np.unique(of_name[np.isfinite(of_name)])
            numeric = len(known) >= len(self.names) - 1  # one name may stand for a missing value
            numbers = of_name[self.codes()] if numeric and len(self.names) else np.empty(0)
        if values and self._numbers:
            known = np.array(values)
            finite = np.isfinite(numbers)
            numbers[finite] = known[np.searchsorted((known[1:] + known[:-1]) / 2, numbers[finite])]
        if cut or (len(numbers) and len(known) > MAX_GROUPS):
            return _bucketed(numbers, cut)
        if self._numbers:
            self.values = known.tolist()
            place = np.where(np.isfinite(numbers), np.searchsorted(known, numbers), len(known))
            return _compact(place, [f"{value:g}" for value in known] + ["missing"])
        codes = self.codes()
        counts = np.bincount(codes, minlength=len(self.names))
        order = sorted(range(len(counts)), key=lambda at: (-counts[at], list(self.names)[at])) if len(counts) else []
        kept = order[:MAX_GROUPS] if len(order) > MAX_GROUPS else order
        recode = np.full(len(counts), len(kept), np.int64)
        recode[kept] = np.arange(len(kept))
        names = list(self.names)
        others = f"{len(order) - len(kept):,} others"
        return _compact(recode[codes], [names[at] or "missing" for at in kept] + [others])

    def _known(self, cell: str) -> str:
        return cell if cell in self.names or len(self.names) < MAX_NAMES else "…"


def _bucketed(numbers: Floats, cut: list[float] | None) -> tuple[Ints, list[str], list[float]]:
    finite = numbers[np.isfinite(numbers)]
    edges = cut or np.unique(np.quantile(finite, [0.25, 0.5, 0.75])).tolist()
    place = np.where(np.isfinite(numbers), np.searchsorted(edges, numbers, side="left"), len(edges) + 1)
    shown = [f"{edge:g}" for edge in edges]
    between = [f"over {low} to {high}" for low, high in pairwise(shown)]
    group, names, _ = _compact(place, [f"up to {shown[0]}", *between, f"over {shown[-1]}", "missing"])
    return group, names, edges


def _compact(place: npt.NDArray[Any], names: list[str]) -> tuple[Ints, list[str], None]:
    """Without names that no row has."""
    there, group = np.unique(place, return_inverse=True)
    return group.astype(np.int64), [names[int(at)] for at in there], None


def _rates(
    group: Ints,
    names: list[str],
    label: npt.NDArray[np.int32],
    shown: dict[int, str],
    weight: Floats,
    min_rows: int,
) -> dict[str, Any]:
    rows, heavy = np.bincount(group, minlength=len(names)), np.bincount(group, weight, minlength=len(names))
    groups: list[dict[str, Any]] = []
    for at, name in enumerate(names):
        share = float(heavy[at] / max(heavy.sum(), 1e-12))
        about = {"rows": int(rows[at]), "share": round(share, 4), "small": bool(rows[at] < min_rows)}
        groups.append({"group": name[:_MAX_NAME_CHARS], **about, "rates": {}})
    extremes: dict[str, Any] = {}
    for code, name in shown.items():
        hit = label == code
        hits = np.bincount(group[hit], minlength=len(names))
        rates = np.bincount(group[hit], weight[hit], minlength=len(names)) / np.maximum(heavy, 1e-12)
        for at, one in enumerate(groups):
            low, high = wilson(int(hits[at]), int(rows[at]))
            one["rates"][name] = [round(float(rates[at]), 4), round(low, 4), round(high, 4)]
        extremes[name] = _extremes([one for one in groups if not one["small"]], name)
    return {"groups": groups, "extremes": {name: one for name, one in extremes.items() if one}}


def _extremes(groups: list[dict[str, Any]], label: str) -> dict[str, Any]:
    """The two groups with the lowest and the highest rate of a label; nothing for fewer than two groups."""
    if len(groups) < 2:
        return {}
    lowest = min(groups, key=lambda one: one["rates"][label][0])
    highest = max(groups, key=lambda one: one["rates"][label][0])
    low, high = lowest["rates"][label], highest["rates"][label]
    ratio = round(low[0] / high[0], 4) if high[0] else 1.0
    return {"lowest": lowest["group"], "highest": highest["group"], "ratio": ratio, "apart": low[2] < high[1]}


def _cells(batch: pa.RecordBatch, form: Form, name: str) -> Sequence[str] | Floats:
    if name in batch.schema.names:
        column = batch.column(name)
        if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
            return np.asarray(pc.cast(column, pa.float64()).fill_null(math.nan).to_numpy(zero_copy_only=False))
        return ["" if cell is None else str(cell)[:200] for cell in column.to_pylist()]
    if name in (LENGTH, LANGUAGE) and form.texts:
        texts = forms.contents(batch, form)
        if name == LENGTH:
            return np.array([len(text) for text in texts], np.float64)
        from modelmint.core.language.languages import UNKNOWN, languages_of, primary

        return [primary(tag).replace(UNKNOWN, "cannot be told") for tag, _ in languages_of(texts)]
    raise DataError(
        f"slices: must be columns of the data{', length or language' if form.texts else ''}; {name!r} is none of "
        f"{', '.join(repr(one) for one in batch.schema.names[:30])}",
        parameter="slices",
        remedy="Name columns that are there.",
    )


def _weights(batch: pa.RecordBatch) -> Floats:
    if "_weight" not in batch.schema.names:
        return np.ones(batch.num_rows)
    return np.asarray(batch.column("_weight").to_numpy(zero_copy_only=False), np.float64)


def _number(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return math.nan
