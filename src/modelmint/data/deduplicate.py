"""deduplicate: find near-copies, within the set and against what is known; drop or mark them; check for leaks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from modelmint.core import forms
from modelmint.core.errors import DataError
from modelmint.core.forms import Form, form_of
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import Dataset, Report
from modelmint.data.copies.facts import deduplication
from modelmint.data.copies.fates import (
    KEEP,
    LABEL_CONFLICT,
    NEAR_DUPLICATE,
    NEAR_KNOWN,
    NEAR_LEAK,
    REASONS,
    Copies,
    decide,
)
from modelmint.data.copies.finding import find
from modelmint.data.facts import carried
from modelmint.data.index import SPLIT_CODES
from modelmint.data.pages.deduplication import deduplicate_page
from modelmint.data.quarantine import Quarantine, cells_at


class DeduplicateSpec(Spec):
    """Find near-copies and drop them, or mark them with a `_cluster`. Declared evaluation rows are never dropped."""

    similarity: float = Field(default=0.8, ge=0.3, le=1)
    """How alike two texts must be to count as near-copies: the share of their pieces (four letters in a row; two in
    Chinese, Japanese and Thai) that they have in common, 1 being the same but for case and punctuation.
    """
    action: Literal["drop", "mark"] = "drop"
    """Whether copies are dropped, or all rows stay and `_cluster` says which belong together (`split` heeds it)."""
    keep: Literal["first", "longest"] = "first"
    """Which one of several copies stays."""
    conflicts: Literal["keep", "drop"] = "keep"
    """Near-copies with different labels: one of each label stays, or none."""
    columns: tuple[str, ...] = ()
    """For tables: the columns that records are compared by. Without any, those that tell records apart are found."""
    certainty: float = Field(default=0.9, gt=0.5, lt=1)
    """For tables: how sure it must be that two records are one, as a probability."""
    max_leaks: int | None = Field(default=None, ge=0)
    """The run stops where more rows leak: training rows near an evaluation row (of `known` too), validation rows near a
    test row, evaluation rows near a known one.
    """


@dataclass(frozen=True, kw_only=True)
class DeduplicateInputs:
    """Rows of any form with `_row` and perhaps `_split`; `known` of the same form: an earlier version, a test set that
    `split` made, or other data.
    """

    data: Dataset
    known: Dataset | None = None


@dataclass(frozen=True, kw_only=True)
class DeduplicateOutputs:
    """`data` has the same columns and `_cluster`, null for a row without near-copies."""

    data: Dataset
    quarantine: Dataset
    deduplication: Report


def deduplicate(spec: DeduplicateSpec, inputs: DeduplicateInputs, ctx: StageContext) -> DeduplicateOutputs:
    """Put near-copies together, through any chain of them, and decide what becomes of each training row.

    It goes as `near_leak` where an evaluation row, also one of `known`, is a near-copy, as `near_known` where another
    row of `known` is, as `near_duplicate` where another copy with its label is kept, as `label_conflict` where that is asked for.

    Raises:
        DataError: `known` is of another form, a column is not there, or nothing is left.
    """
    data, form = inputs.data, form_of(inputs.data)
    _check(spec, inputs, form)
    found = find(
        [data, *([inputs.known] if inputs.known else [])],
        form,
        ctx,
        similarity=spec.similarity,
        columns=spec.columns,
        certainty=spec.certainty,
    )
    split, label = _codes(data, form)
    copies = decide(
        found.cluster,
        split,
        label,
        found.num_letters,
        split_known=_split_of_known(inputs.known),
        keep=spec.keep,
        conflicts=spec.conflicts,
    )
    names = Names(inputs, copies)
    facts = deduplication(spec.model_dump(mode="json"), data, inputs.known, form, found, copies)
    with Quarantine(ctx.scratch) as quarantine:
        made = ctx.desk.dataset(
            "data",
            _rows(spec, data, form, copies, names, quarantine, ctx),
            schema=_schema(data),
            facts=carried(data),
        )
    if not made.num_rows:
        raise DataError("data: no row is left", parameter="known", remedy="All of it is known; set `action: mark`.")
    report = ctx.desk.report(
        "deduplication",
        facts,
        measured={"engine": "ray" if ctx.ray_address else "local", "pairs_compared": found.num_compared},
        renderings={"report.html": deduplicate_page(facts, about=data.name)},
    )
    return DeduplicateOutputs(data=made, quarantine=quarantine.dataset(ctx.desk), deduplication=report)


class Names:
    """The `_row` of rows that others are told about: the first of each cluster, and those that are a reason."""

    def __init__(self, inputs: DeduplicateInputs, copies: Copies) -> None:
        first = copies.cluster[: len(copies.fate)][copies.size[: len(copies.fate)] > 1]
        self._places = np.unique(np.concatenate([first, copies.because[copies.fate != KEEP]]))
        parts, start = [], 0
        for batch in (
            batch for one in (inputs.data, inputs.known) if one is not None for batch in batches(one, ["_row"])
        ):
            low, high = np.searchsorted(self._places, (start, start + batch.num_rows))
            parts.append(batch.column(0).take(pa.array(self._places[low:high] - start)))
            start += batch.num_rows
        self._names = pa.chunked_array(parts, pa.string()).combine_chunks()

    def of(self, places: npt.NDArray[np.int64]) -> pa.Array:
        """(M,) strings."""
        return self._names.take(pa.array(np.searchsorted(self._places, places)))


def _check(spec: DeduplicateSpec, inputs: DeduplicateInputs, form: Form) -> None:
    known = inputs.known
    if known is not None and form_of(known).task != form.task:
        raise DataError(
            f"known: must be of the form {form.task}, as data is; got {form_of(known).task}",
            parameter="known",
            remedy="Give a dataset that was collected for the same task.",
        )
    for dataset in (inputs.data, known):
        there = dataset.facts["columns"] if dataset is not None else {}
        if missing := [name for name in spec.columns if dataset is not None and name not in there]:
            raise DataError(
                f"columns: must be of {', '.join(name for name in there if not name.startswith('_'))}; got {missing[0]}",
                parameter="columns",
            )


def _codes(data: Dataset, form: Form) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """(N,) the declared split and the label of each row; a number that is predicted is no label."""
    columns = [name for name in (form.label, "_split") if name is not None and name in data.facts["columns"]]
    names, splits, labels = dict[str, int](), [np.empty(0, np.int8)], [np.empty(0, np.int32)]
    for batch in batches(data, columns or ["_row"]):
        split, label = np.zeros(batch.num_rows, np.int8), np.zeros(batch.num_rows, np.int32)
        if "_split" in columns:
            split[:] = [SPLIT_CODES.get(name, 0) for name in batch.column("_split").to_pylist()]
        if form.label in columns and form.predicts != "number":
            label[:] = [names.setdefault(name, len(names)) for name in forms.labels(batch, form)]
        splits.append(split)
        labels.append(label)
    return np.concatenate(splits), np.concatenate(labels)


def _split_of_known(known: Dataset | None) -> npt.NDArray[np.int8]:
    """(M,) as `_codes`: the declared split, or that which the set is: `split` names its sets by it."""
    if known is None:
        return np.empty(0, np.int8)
    if "_split" in known.facts["columns"]:
        return _codes(known, form_of(known))[0]
    return np.full(known.num_rows, SPLIT_CODES.get(known.name, 0), np.int8)


def _schema(data: Dataset) -> pa.Schema:
    first = next(batches(data), None)
    if first is None:
        raise DataError(
            "data: the dataset has no rows", parameter="data", remedy="Look into the quarantine of the stages before."
        )
    return pa.schema([*(field for field in first.schema if field.name != "_cluster"), ("_cluster", pa.string())])


def _rows(
    spec: DeduplicateSpec,
    data: Dataset,
    form: Form,
    copies: Copies,
    names: Names,
    quarantine: Quarantine,
    ctx: StageContext,
) -> Iterator[pa.RecordBatch]:
    """The rows that stay, with their cluster; the others go to quarantine with the row that is the reason."""
    schema, start = _schema(data), 0
    for batch in batches(data):
        ctx.check()
        here = slice(start, start + batch.num_rows)
        alone = copies.size[: len(copies.fate)][here] < 2
        column = _cluster(copies.cluster[here], alone, names)
        arrays = [column if field.name == "_cluster" else batch.column(field.name) for field in schema]
        laid = pa.RecordBatch.from_arrays(arrays, schema=schema)
        fate = copies.fate[here] if spec.action == "drop" else np.zeros(batch.num_rows, np.int8)
        gone = np.flatnonzero(fate != KEEP)
        if len(gone):
            _put_aside(laid, gone, fate[gone], names.of(copies.because[here][gone]).to_pylist(), form, quarantine)
            laid = laid.filter(pa.array(fate == KEEP))
        start += batch.num_rows
        ctx.say(start, data.num_rows, f"{start:,} rows written")
        yield laid


def _cluster(cluster: npt.NDArray[np.int64], alone: npt.NDArray[np.bool_], names: Names) -> pa.Array:
    """(N,) the name of each row's cluster, null where it is alone."""
    wanted = np.cumsum(~alone) - 1
    return names.of(cluster[~alone]).take(pa.array(wanted, mask=alone))


def _put_aside(
    batch: pa.RecordBatch,
    places: npt.NDArray[np.int64],
    fates: npt.NDArray[np.int8],
    others: Sequence[str],
    form: Form,
    quarantine: Quarantine,
) -> None:
    taken = batch.take(pa.array(places))
    columns: Any = (
        taken.column("_row").to_pylist(), forms.contents(taken, form), forms.labels(taken, form),
        cells_at(batch, places.tolist()), fates.tolist(), others,
    )  # fmt: skip
    for row, content, label, cells, fate, other in zip(*columns, strict=True):
        raw = f"{content} | {label}" if label else content
        quarantine.add(row=row, reason=REASONS[fate], detail=_DETAIL[fate].format(other), raw=raw, cells=cells)


_DETAIL = {
    NEAR_DUPLICATE: "a near-copy of row {}, which is kept",
    NEAR_LEAK: "a near-copy of evaluation row {}",
    NEAR_KNOWN: "a near-copy of row {} of what is known",
    LABEL_CONFLICT: "a near-copy of row {}, which has another label",
}
