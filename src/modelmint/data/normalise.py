"""normalise: fill missing cells of a table, clip outliers and scale numbers, by what the training rows alone show."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from modelmint.core.errors import DataError
from modelmint.core.forms import form_of, text_paths
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches, read
from modelmint.core.types import Dataset, Report
from modelmint.data.cleaning.columns import is_missing, is_number
from modelmint.data.cleaning.fitting import Fitted, Method, as_numbers, fit_numbers, fit_words
from modelmint.data.facts import carried, counted, warning
from modelmint.data.pages.normalisation import normalisation_page
from modelmint.data.quarantine import Quarantine, cells_at

OUTLIER = "outlier"
"""The reason of a row in quarantine: it has the cells that it would have had in the normalised data."""


class NormaliseSpec(Spec):
    """Fill, clip and scale the columns of a table. Everything is fitted on the training rows, and kept in the report.

    A column of text whose training cells all read as numbers is a column of numbers.
    """

    columns: tuple[str, ...] | None = None
    """Which columns; by default all but the label. Columns that are neither numbers nor text are left as they are."""
    numbers: Literal["median", "mean", "constant", "keep"] = "median"
    """What stands in for a missing number."""
    fill: float = 0.0
    """The number of `numbers: constant`."""
    words: Literal["mode", "constant", "keep"] = "constant"
    """What stands in for a missing word: the most frequent one, or `fill_word`, a category of its own."""
    fill_word: str = Field(default="missing", min_length=1)
    """The word of `words: constant`."""
    missing: tuple[str, ...] = ("", "NA", "N/A", "NaN", "null", "None", "?", "-")
    """Words that stand for a missing cell, in any case."""
    mark_missing: bool = False
    """Add a column `NAME_missing` (0 or 1) beside every column with a missing training cell."""
    outliers: Literal["keep", "clip", "drop"] = "keep"
    """Clip numbers outside the bounds to them, or drop training rows with one (they go to quarantine)."""
    method: Method = "iqr"
    """How bounds are found: quartiles, the median absolute deviation, or the standard deviation."""
    limit: float | None = Field(default=None, gt=0)
    """How far the bounds are out: interquartile ranges beyond the quartiles (3), or deviations from the middle (mad 3.5,
    z 3).
    """
    scale: Literal["standard", "robust", "minmax", "none"] = "standard"
    """Mean 0 and deviation 1; median 0 and interquartile range 1; 0 to 1; or as they are."""


@dataclass(frozen=True, kw_only=True)
class NormaliseInputs:
    """The sets of a table, after the split."""

    train: Dataset
    validation: Dataset
    test: Dataset


@dataclass(frozen=True, kw_only=True)
class NormaliseOutputs:
    """The same sets, with numbers as float64. `normalisation` holds what was fitted, for `fitting.apply` to repeat."""

    train: Dataset
    validation: Dataset
    test: Dataset
    normalisation: Report
    quarantine: Dataset


def normalise(spec: NormaliseSpec, inputs: NormaliseInputs, ctx: StageContext) -> NormaliseOutputs:
    """Fit on the training rows, then change every set alike.

    Validation and test rows are never dropped, and take no part in what is fitted.

    Raises:
        DataError: the data is no table, a column of `columns` is not there, or no training row is left.
    """
    names = _columns(spec, inputs.train)
    fitted = _fit(spec, inputs.train, names, ctx)
    done: dict[str, _Applying] = {}
    made: dict[str, Dataset] = {}
    with Quarantine(ctx.scratch) as quarantine:
        for role in ("train", "validation", "test"):
            data = getattr(inputs, role)
            done[role] = _Applying(spec=spec, fitted=fitted, drops=role == "train", quarantine=quarantine)
            facts = carried(data) | {"normalised": sorted(fitted)}
            made[role] = ctx.desk.dataset(
                role, done[role].batches(data, ctx, role, facts), schema=_schema(inputs.train, fitted), facts=facts
            )
    report = {
        "spec": {"numbers": spec.numbers, "words": spec.words, "outliers": spec.outliers, "scale": spec.scale,
                 "method": spec.method},
        "columns": {name: one.facts() for name, one in fitted.items()},
        "missing": {role: counted(one.missing) for role, one in done.items()},
        "outliers": {role: counted(one.outliers) for role, one in done.items()},
        "rows": {role: one.num_rows for role, one in done.items()},
        "rows_dropped": quarantine.counts.total(),
        "warnings": _warnings(fitted),
        "refused": [],
    }  # fmt: skip
    return NormaliseOutputs(
        **made,
        normalisation=ctx.desk.report("normalisation", report, renderings={"report.html": normalisation_page(report)}),
        quarantine=quarantine.dataset(ctx.desk),
    )


def _columns(spec: NormaliseSpec, train: Dataset) -> list[str]:
    form = form_of(train)
    if not form.task.startswith("tabular"):
        raise DataError(
            f"train: normalise is for tables; this is {form.task}",
            parameter="train",
            remedy="Take the stage out of the recipe: texts are normalised by `clean`.",
        )
    there = text_paths(form, train.facts["columns"])
    if unknown := [name for name in spec.columns or () if name not in there]:
        raise DataError(
            f"columns: must be some of {', '.join(there)}; got {', '.join(unknown)}",
            parameter="columns",
            remedy="Name columns of the table that are neither the label nor our own.",
        )
    return list(there if spec.columns is None else spec.columns)


def _fit(spec: NormaliseSpec, train: Dataset, names: list[str], ctx: StageContext) -> dict[str, Fitted]:
    """One column in memory at a time."""
    fitted = {}
    for at, name in enumerate(names):
        ctx.check()
        ctx.say(at, len(names), f"column {name} fitted")
        cells = read(train, [name]).column(name).combine_chunks()
        gone = is_missing(cells, spec.missing)
        is_text = pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)
        present = cells.filter(pa.array(~gone))
        if pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type) or (
            is_text and len(present) and is_number(present).all()
        ):  # fmt: skip
            values = as_numbers(present)
            fill = None if spec.numbers == "keep" else spec.fill if spec.numbers == "constant" else spec.numbers
            fitted[name] = fit_numbers(
                values[np.isfinite(values)],
                fill=fill,
                outliers=spec.outliers,
                method=spec.method,
                limit=spec.limit,
                scale=spec.scale,
                missing=spec.missing if is_text else (),
            )
        elif is_text:
            fill_word = {"keep": None, "constant": spec.fill_word, "mode": ""}[spec.words]
            fitted[name] = fit_words(present, fill=fill_word, missing=spec.missing)
        else:
            continue
        fitted[name].marks = spec.mark_missing and bool(gone.any())
    return fitted


@dataclass(kw_only=True)
class _Applying:
    """One set on its way through what was fitted."""

    spec: NormaliseSpec
    fitted: dict[str, Fitted]
    drops: bool
    quarantine: Quarantine
    missing: Counter[str] = field(default_factory=Counter)
    outliers: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    num_rows: int = 0

    def batches(self, data: Dataset, ctx: StageContext, role: str, facts: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        for batch in batches(data):
            ctx.check()
            changed = self._batch(batch)
            self.num_rows += changed.num_rows
            ctx.say(self.num_rows, data.num_rows, f"{role}: {self.num_rows:,} rows normalised")
            if "labels" in data.facts and "label" in changed.schema.names:
                self.labels.update(str(cell) for cell in changed.column("label").to_pylist())
            yield changed
        if self.drops and not self.num_rows:
            raise DataError(
                "train: every training row has an outlier and was dropped",
                parameter="outliers",
                remedy="Set `outliers: clip`, or `limit` higher.",
            )
        if data.facts.get("labels"):
            facts["labels"] = counted(self.labels)  # the desk reads the facts after the rows

    def _batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        far = np.zeros(batch.num_rows, np.bool_)
        columns: dict[str, pa.Array] = dict(zip(batch.schema.names, batch.columns, strict=True))
        why = np.full(batch.num_rows, "", object)
        for name, one in self.fitted.items():
            changed = one.apply(columns[name])
            self.missing[name] += int(changed.missing.sum())
            self.outliers[name] += int(changed.outside.sum())
            why[changed.outside & ~far] = name
            far |= changed.outside
            columns[name] = changed.cells
            if one.marks:
                columns[f"{name}_missing"] = pa.array(changed.missing.astype(np.float64))
        made = pa.record_batch(list(columns.values()), names=list(columns))
        if not (self.drops and self.spec.outliers == "drop" and far.any()):
            return made
        places = np.flatnonzero(far).tolist()
        before, after = cells_at(batch, places), cells_at(made, places)
        for place, raw, cells in zip(places, before, after, strict=True):
            name = str(why[place])
            value = batch.column(name)[place].as_py()
            low, high = self.fitted[name].bounds or (0.0, 0.0)
            self.quarantine.add(
                row=batch.column("_row")[place].as_py(),
                reason=OUTLIER,
                detail=f"{name} is {value}; the bounds are {low:g} to {high:g}",
                raw=raw,
                cells=cells,
            )
        return made.filter(pa.array(~far))


def _schema(train: Dataset, fitted: dict[str, Fitted]) -> pa.Schema:
    first = next(batches(train)).schema
    kept = [
        pa.field(one.name, pa.float64()) if one.name in fitted and fitted[one.name].kind == "number" else one
        for one in first
    ]
    marks = [pa.field(f"{name}_missing", pa.float64()) for name, one in fitted.items() if one.marks]
    return pa.schema([*kept, *marks])


def _warnings(fitted: dict[str, Fitted]) -> list[dict[str, str]]:
    constant = [name for name, one in fitted.items() if one.is_constant]
    told = f"{', '.join(constant[:10])}: one value in all training rows, nothing to learn from"
    return [warning("constant_columns", told)] if constant else []
