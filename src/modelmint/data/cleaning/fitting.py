"""What is fitted on the training cells of one column, and how it changes a column's cells: in training and in serving."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelmint.data.cleaning.columns import is_missing, is_number

Method: TypeAlias = Literal["iqr", "mad", "z"]
LIMITS = {"iqr": 3.0, "mad": 3.5, "z": 3.0}
"""Tukey's far-out fences (1977); Iglewicz and Hoaglin (1993); the rule of three deviations."""
MAD_TO_DEVIATION = 1.4826
"""The deviation of a normal distribution whose median absolute deviation is one."""

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A column's N cells after `Fitted.apply`, which were missing, and which lay outside the bounds."""

    cells: pa.Array
    missing: npt.NDArray[np.bool_]
    outside: npt.NDArray[np.bool_]


@dataclass(kw_only=True)
class Fitted:
    """What one column's training cells gave. `facts` and `from_facts` are inverse."""

    kind: Literal["number", "word"]
    fill: float | str | None
    """What stands in for a missing cell; None leaves it."""
    bounds: tuple[float, float] | None = None
    """Outside these a number is an outlier."""
    clips: bool = False
    """Whether an outlier becomes the nearest bound."""
    center: float = 0.0
    scale: float = 1.0
    """A number x becomes (x - center) / scale."""
    missing: tuple[str, ...] = ()
    """Words that stand for a missing cell."""
    marks: bool = False
    """Whether a column `NAME_missing` stands beside it."""
    is_constant: bool = False
    summary: dict[str, float]
    """Figures of the training cells as they were: min, quartiles, mean, deviation, max."""

    def apply(self, cells: pa.Array) -> Changed:
        """Change the cells of a column; numbers come out as float64."""
        missing = is_missing(cells, self.missing)
        if self.kind == "word":
            filled = (
                cells if self.fill is None else pc.if_else(pa.array(missing), pa.scalar(self.fill, cells.type), cells)
            )
            return Changed(cells=filled, missing=missing, outside=np.zeros(len(cells), np.bool_))
        values = as_numbers(cells)
        missing |= ~np.isfinite(values)
        values[missing] = np.nan
        outside = np.zeros(len(values), np.bool_)
        if self.bounds is not None:
            outside = (values < self.bounds[0]) | (values > self.bounds[1])
            if self.clips:
                values = np.clip(values, *self.bounds)
        if self.fill is not None:
            values[missing] = float(self.fill)
        values = (values - self.center) / self.scale
        return Changed(cells=pa.array(values, pa.float64(), from_pandas=True), missing=missing, outside=outside)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        written = asdict(self)
        return written | {"bounds": list(self.bounds) if self.bounds else None, "missing": list(self.missing)}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "Fitted":
        """What `facts` wrote, for a server to repeat."""
        bounds = facts["bounds"]
        pair = (float(bounds[0]), float(bounds[1])) if bounds else None
        return cls(**{**facts, "bounds": pair, "missing": tuple(facts["missing"])})


def apply(fitted: dict[str, dict[str, Any]], batch: pa.RecordBatch) -> pa.RecordBatch:
    """Repeat a `normalisation` report's `columns` on rows as they come to a server; columns that are not there are skipped."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, facts in fitted.items():
        if name in columns:
            one = Fitted.from_facts(facts)
            changed = one.apply(columns[name])
            columns[name] = changed.cells
            if one.marks:
                columns[f"{name}_missing"] = pa.array(changed.missing.astype(np.float64))
    return pa.record_batch(list(columns.values()), names=list(columns))


def as_numbers(cells: pa.Array) -> Floats:
    """(N,) numbers, also of cells of text; NaN where a cell is null or no number."""
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        readable = pc.if_else(pa.array(is_number(cells)), pc.utf8_trim_whitespace(cells), pa.scalar(None, cells.type))
        cells = pc.replace_substring_regex(readable, pattern=r"^\+", replacement="")
    return np.array(cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def fit_numbers(
    values: Floats,
    *,
    fill: float | str | None,
    outliers: str,
    method: Method,
    limit: float | None,
    scale: str,
    missing: Sequence[str] = (),
) -> Fitted:
    """Fit a column of numbers.

    Args:
        values: (N,) the training cells that are there.
        fill: a number, or ``median`` or ``mean`` of the cells; None keeps missing cells.
        limit: how far out the bounds are; None takes `LIMITS`.
    """
    if not len(values):
        values = np.zeros(1)
    bounds = _bounds(values, method, LIMITS[method] if limit is None else limit)
    used = values if outliers == "keep" else values[(values >= bounds[0]) & (values <= bounds[1])]
    used = np.clip(values, *bounds) if outliers == "clip" else used
    used = used if len(used) else values
    center, width = _scaling(used, scale)
    given = (
        {"median": float(np.median(used)), "mean": float(used.mean())}.get(fill, fill)
        if isinstance(fill, str)
        else fill
    )
    return Fitted(
        kind="number",
        fill=given,
        bounds=None if outliers == "keep" else bounds,
        clips=outliers == "clip",
        center=center,
        scale=width,
        missing=tuple(missing),
        is_constant=bool(values.min() == values.max()),
        summary=_summary(values),
    )


def fit_words(cells: pa.Array, *, fill: str | None, missing: Sequence[str]) -> Fitted:
    """Fit a column of words; an empty `fill` takes the most frequent one."""
    counts = pc.value_counts(cells).to_pylist()
    ranked = sorted(counts, key=lambda one: (-one["counts"], one["values"]))
    given = (ranked[0]["values"] if ranked else "missing") if fill == "" else fill
    return Fitted(
        kind="word",
        fill=given,
        missing=tuple(missing),
        is_constant=len(ranked) < 2,
        summary={"values": float(len(ranked)), "most_frequent": float(ranked[0]["counts"]) if ranked else 0.0},
    )


def _bounds(values: Floats, method: Method, limit: float) -> tuple[float, float]:
    """Where outliers begin; the whole range where the middle half has one value, since nothing is told then."""
    if method == "iqr":
        first, third = np.quantile(values, (0.25, 0.75))
        low, high, width = first - limit * (third - first), third + limit * (third - first), third - first
    elif method == "mad":
        middle = np.median(values)
        width = MAD_TO_DEVIATION * np.median(np.abs(values - middle))
        low, high = middle - limit * width, middle + limit * width
    else:
        width = values.std()
        low, high = values.mean() - limit * width, values.mean() + limit * width
    return (float(low), float(high)) if width > 0 else (float(values.min()), float(values.max()))


def _scaling(values: Floats, scale: str) -> tuple[float, float]:
    if scale == "standard":
        center, width = values.mean(), values.std()
    elif scale == "robust":
        first, center, third = np.quantile(values, (0.25, 0.5, 0.75))
        width = third - first
    elif scale == "minmax":
        center, width = values.min(), values.max() - values.min()
    else:
        return 0.0, 1.0
    return float(center), float(width) if width > 0 else 1.0


def _summary(values: Floats) -> dict[str, float]:
    low, first, middle, third, high = np.quantile(values, (0, 0.25, 0.5, 0.75, 1))
    figures = {"min": low, "quartile_1": first, "median": middle, "quartile_3": third, "max": high,
               "mean": values.mean(), "deviation": values.std()}  # fmt: skip
    return {name: float(value) for name, value in figures.items()}
