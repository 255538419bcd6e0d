"""split: train, validation and test. What belongs together (equal texts, groups, near-copies) is never parted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from modelmint.core.errors import DataError
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import Dataset, Report
from modelmint.data.aside import batches_with, put_aside
from modelmint.data.facts import carried, counted
from modelmint.data.index import rows_at
from modelmint.data.pages.split import split_page
from modelmint.data.quarantine import Quarantine
from modelmint.data.splitting.facts import label_warnings, largest_unit, splitting
from modelmint.data.splitting.rows import SplitRows, read_rows
from modelmint.data.splitting.sides import LEAKED, NO_TIME, SETS, TEST, TRAIN, VALIDATION, Sides, sides
from modelmint.data.splitting.strata import has_classes, label_counts
from modelmint.data.splitting.units import Units, join


class SplitSpec(Spec):
    """Divide rows into training, validation and test sets; a split that the source declares is kept."""

    test: float = Field(default=0.15, ge=0)
    """The test set's share of all rows (below 1), or its number of rows (1 and above). Not used where declared."""
    validation: float = Field(default=0.1, ge=0)
    """The validation set's share of the rows that are not test rows, or its number of rows. Not used where declared."""
    max_validation_rows: int | None = Field(default=None, ge=1)
    """At most this many rows are cut for validation."""
    stratify: bool = True
    """Whether every set gets its share of every label; of every tenth of a regression's target; of every set of entity
    kinds of sentences with tags. Not used with `time`.
    """
    group: bool = True
    """Whether rows with one `_group` stay on one side (where the dataset has that column)."""
    cluster: bool = True
    """Whether near-copies, which `deduplicate` gives one `_cluster`, stay on one side (where there is that column)."""
    together: tuple[str, ...] = ()
    """More columns whose equal values keep rows on one side, for example a customer or a document."""
    time: str | None = None
    """A column of dates or epoch numbers: the newest rows are test, the newest of the others validation, so that a model
    is tested on what came after all that it learned. Earlier rows that share a text, group or cluster with a later set
    go to quarantine as `leak`.
    """
    each: str | None = None
    """With `time`: a column, such as the user, each of whose values is cut by itself. The newest row of each is test,
    and the newest of the others validation (leave-last-out, the way recommenders are judged); `test` and `validation` of
    1 and above are that many rows of each. Values with too few rows to leave one to learn from stay in training.
    """
    folds: int | None = Field(default=None, ge=2, le=1000)
    """For cross-validation: every row is in one of so many folds, and the test set is one of them. One seed gives the
    same folds whichever is asked for. `test` is not used.
    """
    fold: int = Field(default=0, ge=0)
    """Which of the `folds` is the test set, from 0."""
    declared: Literal["keep", "ignore"] = "keep"
    """Whether a split that the source declares is kept, or all rows are divided anew."""

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.fold >= (self.folds or 1):
            raise ValueError(f"fold: must be below folds ({self.folds or 'not set'}); got {self.fold}")
        if self.folds and self.time:
            raise ValueError(
                "folds: cannot go with time: the newest rows are one set, not several; leave one of them out"
            )
        if self.each is not None and self.time is None:
            raise ValueError("each: needs time, the column by which the rows of each value are ordered")
        if self.each is not None and self.max_validation_rows is not None:
            raise ValueError("max_validation_rows: cannot go with each, of whose every value validation has a row")
        return self


@dataclass(frozen=True, kw_only=True)
class SplitInputs:
    """Rows of any form with `_row`, and perhaps `_split`, `_group` and `_cluster`."""

    data: Dataset


@dataclass(frozen=True, kw_only=True)
class SplitOutputs:
    """The same columns but `_split`. `splitting.facts["refused"]` is not empty when something straddles."""

    train: Dataset
    validation: Dataset
    test: Dataset
    quarantine: Dataset
    splitting: Report


def split(spec: SplitSpec, inputs: SplitInputs, ctx: StageContext) -> SplitOutputs:
    """Give every row a side: a function of its text (or group), the other texts of its label, and the seed alone.

    So neither the order of the rows nor how they were batched matters. A label with one row stays in training. Rows
    that share a text, group or cluster with a declared evaluation set, or with one cut by time, go to quarantine as
    `leak`, and rows that have no time to be cut by as `no_time`.

    Raises:
        DataError: too few rows to make the sets or folds, a column that is not there, or one in which most cells are no times.
    """
    data = inputs.data
    schema = _schema(data)
    rows = read_rows(data, ctx, keys=_keys(spec, data), time=spec.time, each=spec.each)
    units = join(rows.index.fingerprint, *rows.keys.values())
    declared = _declared(spec, rows)
    side, fold = sides(spec, rows, units, declared, ctx.seed)
    _check(rows, units, side)
    said = label_warnings(rows, side)
    with Quarantine(ctx.scratch) as quarantine:
        _put_aside(data, rows, side, spec, quarantine)
    made = {
        name: ctx.desk.dataset(
            name,
            _chosen(data, side == code, ctx, at=code),
            schema=schema,
            facts=carried(data)
            | {"labels": counted(label_counts(rows.form, rows.index, side == code)), "warnings": said},
        )
        for name, code in SETS.items()
    }
    facts = splitting(rows, units, side, fold, method=_method(spec, declared), fold_number=spec.fold, time=spec.time)
    biggest = [row["_row"] for row in rows_at(data, largest_unit(units), ["_row"])]
    facts["largest_unit"] |= {"examples": biggest}
    report = ctx.desk.report("splitting", facts, renderings={"report.html": split_page(facts, about=data.name)})
    return SplitOutputs(**made, quarantine=quarantine.dataset(ctx.desk), splitting=report)


def _keys(spec: SplitSpec, data: Dataset) -> list[str]:
    ours = [("_group", spec.group), ("_cluster", spec.cluster)]
    there = [name for name, wanted in ours if wanted and name in data.facts["columns"]]
    return [*there, *(name for name in spec.together if name not in there)]


def _declared(spec: SplitSpec, rows: SplitRows) -> Sides:
    if spec.declared == "ignore":
        return np.zeros(len(rows), np.int8)
    declared = rows.index.split.astype(np.int8)
    if spec.folds and declared.any():
        raise DataError(
            f"folds: every row must be free to be in any fold; the source declares {int((declared > 0).sum()):,} rows as "
            "validation or test",
            parameter="folds",
            remedy="Set `declared: ignore` to divide all rows anew, or leave `folds` out.",
        )
    return declared


def _method(spec: SplitSpec, declared: Sides) -> str:
    if spec.folds:
        return "folds"
    if spec.each:
        return "each"
    return "time" if spec.time else "declared" if (declared == TEST).any() else "drawn"


def _check(rows: SplitRows, units: Units, side: Sides) -> None:
    counts = {name: int((side == code).sum()) for name, code in SETS.items()}
    needs_labels = has_classes(rows.form)
    num_labels = len(rows.index.counts(side == TRAIN))
    if counts["test"] < 1 or counts["train"] < 2 or (needs_labels and num_labels < 2):
        of_labels = (" of 2 labels", f" of {num_labels}") if needs_labels else ("", "")
        largest = int(np.bincount(units.of_row).max(initial=0))
        raise DataError(
            f"test: needs at least 1 test row and 2 training rows{of_labels[0]}; {len(rows):,} rows give {counts['test']} "
            f"and {counts['train']}{of_labels[1]}; the largest set of rows that stay together has {largest:,}",
            parameter="test",
            remedy="Add rows, set `test` lower or higher, or switch `group` or `cluster` off if one holds nearly everything.",
        )


def _put_aside(data: Dataset, rows: SplitRows, side: Sides, spec: SplitSpec, quarantine: Quarantine) -> None:
    """The rows that can be on no side."""
    which = "later" if spec.time else "declared evaluation"
    what = " or ".join(["text", *(name.removeprefix("_") for name in rows.keys)])
    for batch, places in batches_with(data, np.flatnonzero(side == LEAKED)):
        put_aside(batch, places, rows.form, quarantine, why="leak", detail=f"a {which} row has the same {what}")
    for batch, places in batches_with(data, np.flatnonzero(side == NO_TIME)):
        put_aside(batch, places, rows.form, quarantine, why="no_time", detail=f"no time can be read in {spec.time}")


def _chosen(data: Dataset, wanted: npt.NDArray[np.bool_], ctx: StageContext, *, at: int) -> Iterator[pa.RecordBatch]:
    start, columns = 0, _schema(data).names
    for batch in batches(data, columns):
        ctx.check()
        mask = wanted[start : start + batch.num_rows]
        start += batch.num_rows
        ctx.say(data.num_rows + (at * data.num_rows + start) // 3, data.num_rows * 2, "writing the sets")
        if mask.any():
            yield batch.select(columns).filter(pa.array(mask))


def _schema(data: Dataset) -> pa.Schema:
    first = next(batches(data), None)
    if first is None:
        raise DataError(
            "data: the dataset has no rows", parameter="data", remedy="Look into the quarantine of the stages before."
        )
    return pa.schema([field for field in first.schema if field.name != "_split"])


__all__ = ["TEST", "TRAIN", "VALIDATION", "SplitInputs", "SplitOutputs", "SplitSpec", "split"]
