"""split: train, validation and test. Equal texts, and rows of one group, are always on one side."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from modelmint.core.errors import DataError
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import Dataset
from modelmint.data.facts import carried, counted, warning
from modelmint.data.index import Indexer, RowIndex, rows_at
from modelmint.data.quarantine import Quarantine
from modelmint.data.units import Units, cut, join

TRAIN, VALIDATION, TEST, LEAKED = range(4)


class SplitSpec(Spec):
    """Divide rows into training, validation and test sets; a split that the source declares is kept."""

    test: float = Field(default=0.15, ge=0)
    """The test set's share of all rows (below 1), or its number of rows (1 and above). Not used where declared."""
    validation: float = Field(default=0.1, ge=0)
    """The validation set's share of the rows that are not test rows, or its number of rows. Not used where declared."""
    max_validation_rows: int | None = Field(default=None, ge=1)
    """At most this many rows are cut for validation."""
    stratify: bool = True
    """Whether every set gets its share of every label."""
    group: bool = True
    """Whether rows with one `_group` stay on one side (where the dataset has that column)."""


@dataclass(frozen=True, kw_only=True)
class SplitInputs:
    """Rows with `_row`, `text`, `label` and perhaps `_split` and `_group`."""

    data: Dataset


@dataclass(frozen=True, kw_only=True)
class SplitOutputs:
    """The same columns but `_split`."""

    train: Dataset
    validation: Dataset
    test: Dataset
    quarantine: Dataset


def split(spec: SplitSpec, inputs: SplitInputs, ctx: StageContext) -> SplitOutputs:
    """Give every row a side: a function of its text (or group), the other texts of its label, and the seed alone.

    So neither the order of the rows nor how they were batched matters. A label with one row stays in training. Rows
    that share a text or group with a declared evaluation set go to quarantine as `leak`.

    Raises:
        DataError: too few rows to make the sets.
    """
    rows, groups = _read(spec, inputs.data)
    units = join(rows.fingerprint, groups)
    side, warnings = _sides(spec, rows, units, ctx.seed)
    _check(rows, side)
    with Quarantine(ctx.scratch) as quarantine:
        for row in rows_at(inputs.data, np.flatnonzero(side == LEAKED), ["_row", "text", "label"]):
            detail = "a declared evaluation row has the same text or group"
            quarantine.add(row=row["_row"], reason="leak", detail=detail, raw=f"{row['text']} | {row['label']}")
    made = {
        name: ctx.desk.dataset(
            name,
            _chosen(inputs.data, side == code),
            schema=_schema(inputs.data),
            facts=carried(inputs.data) | {"labels": counted(rows.counts(side == code)), "warnings": warnings},
        )
        for name, code in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST))
    }
    return SplitOutputs(**made, quarantine=quarantine.dataset(ctx.desk))


def _sides(
    spec: SplitSpec, rows: RowIndex, units: Units, seed: int
) -> tuple[npt.NDArray[np.int8], list[dict[str, str]]]:
    """(N,) the side of each row, and what there is to say about it."""
    declared = {code: bool((rows.split == code).any()) for code in (VALIDATION, TEST)}
    side = rows.split.astype(np.int8)
    above = units.highest(side)  # the highest declared side of a row's unit: a test text is nowhere else
    side[(above > side) & (side == TRAIN)] = LEAKED
    side[(above == TEST) & (rows.split == VALIDATION)] = LEAKED
    free = side == TRAIN
    label = rows.label if spec.stratify else np.zeros_like(rows.label)
    num_test = 0 if declared[TEST] else _quota(spec.test, int(free.sum()))
    num_validation = 0 if declared[VALIDATION] else _quota(spec.validation, int(free.sum()) - num_test)
    if spec.max_validation_rows is not None:
        num_validation = min(num_validation, spec.max_validation_rows)
    side[cut(units, label, free, num_test, seed=seed)] = TEST
    free = side == TRAIN
    side[cut(units, label, free, num_validation, seed=seed + 1)] = VALIDATION
    return side, _warnings(rows, side)


def _quota(size: float, num_rows: int) -> int:
    return round(size * num_rows) if size < 1 else min(int(size), num_rows)


def _warnings(rows: RowIndex, side: npt.NDArray[np.int8]) -> list[dict[str, str]]:
    """Labels that cannot be measured or learned."""
    trained, tested = rows.counts(side == TRAIN), rows.counts(side == TEST)
    untested = sorted(set(trained) - set(tested))
    unknown = sorted(set(tested) - set(trained))
    found = []
    if untested:
        found.append(warning("labels_not_tested", f"{_some(untested)}: too few rows to be in the test set"))
    if unknown:
        found.append(warning("labels_not_trained", f"{_some(unknown)}: in the test set but not in training"))
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _check(rows: RowIndex, side: npt.NDArray[np.int8]) -> None:
    counts = {name: int((side == code).sum()) for name, code in (("train", TRAIN), ("test", TEST))}
    classes = len(rows.counts(side == TRAIN))
    if counts["test"] < 1 or counts["train"] < 2 or classes < 2:
        raise DataError(
            f"test: needs at least 1 test row and 2 training rows of 2 labels; {len(rows):,} rows give "
            f"{counts['test']} and {counts['train']} of {classes}",
            parameter="test",
            remedy="Add rows, set `test` lower or higher, or switch `group` off if one group holds nearly everything.",
        )


def _read(spec: SplitSpec, data: Dataset) -> tuple[RowIndex, npt.NDArray[np.int64] | None]:
    columns = ["text", "label", *(name for name in ("_split", "_group") if name in data.facts["columns"])]
    indexer, codes = Indexer(), dict[str, int]()
    groups: list[int] = []
    for batch in indexer.see(batches(data, columns)):
        if spec.group and "_group" in columns:
            groups += [
                -1 if name is None else codes.setdefault(name, len(codes))
                for name in batch.column("_group").to_pylist()
            ]
    return indexer.index(), np.array(groups, np.int64) if groups else None


def _chosen(data: Dataset, wanted: npt.NDArray[np.bool_]) -> Iterator[pa.RecordBatch]:
    start, columns = 0, _schema(data).names
    for batch in batches(data, columns):
        mask = wanted[start : start + batch.num_rows]
        start += batch.num_rows
        if mask.any():
            yield batch.select(columns).filter(pa.array(mask))


def _schema(data: Dataset) -> pa.Schema:
    first = next(batches(data), None)
    if first is None:
        raise DataError(
            "data: the dataset has no rows", parameter="data", remedy="Look into the quarantine of the stages before."
        )
    return pa.schema([field for field in first.schema if field.name != "_split"])
