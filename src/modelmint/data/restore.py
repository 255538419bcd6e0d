"""restore: put rows back that a stage took out."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import pyarrow as pa
from pydantic import Field, model_validator

from modelmint.core.errors import DataError
from modelmint.core.forms import form_of
from modelmint.core.pages import Headline, Section, counts, examples, page
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import Dataset, Report
from modelmint.data.cleaning.tally import NUM_EXAMPLES
from modelmint.data.facts import counted
from modelmint.data.normalise import OUTLIER
from modelmint.data.sources.dialects import required

MAX_ROWS = 100_000


class RestoreSpec(Spec):
    """Put quarantined rows back into the data: those of a reason, or single rows."""

    reasons: tuple[str, ...] = ()
    """Rows with one of these reasons, such as `label_conflict`."""
    rows: tuple[str, ...] = Field(default=(), max_length=MAX_ROWS)
    """Rows with one of these `_row` ids; with `reasons` too, rows of both."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.reasons and not self.rows:
            raise ValueError("name some reasons or rows: what is to be put back?")
        return self


@dataclass(frozen=True, kw_only=True)
class RestoreInputs:
    """The data, and every quarantine that its rows went to."""

    data: Dataset
    quarantine: tuple[Dataset, ...]


@dataclass(frozen=True, kw_only=True)
class RestoreOutputs:
    """`data` with the rows that came back at its end."""

    data: Dataset
    restoration: Report


def restore(spec: RestoreSpec, inputs: RestoreInputs, ctx: StageContext) -> RestoreOutputs:
    """Put back each row once, with its `_row`: in the order of the quarantines, the newest copy of a row.

    A row that the data has already stays out, and so does one whose cells were not kept or do not fit the columns; the
    report counts them. Rows come as they were taken out, neither judged nor masked again: run `clean` or `deidentify`
    after it if they should be.

    Raises:
        DataError: no row matches, none of those that match can be put back, or `quarantine` is none.
    """
    _check(inputs)
    chosen = _choose(spec, inputs)
    for batch in batches(inputs.data, ["_row"]):
        for identifier in batch.column("_row").to_pylist():
            if identifier in chosen.place:
                del chosen.place[identifier]
                chosen.counts["already_there"] += 1
    schema = next(batches(inputs.data)).schema
    returning = _Returning(
        chosen=chosen,
        schema=schema,
        needed=_needed(inputs.data),
        is_normalised=bool(inputs.data.facts.get("normalised")),
        labels=Counter(inputs.data.facts.get("labels", {})),
    )
    facts = {name: value for name, value in inputs.data.facts.items() if name not in ("num_rows", "columns")}
    data = ctx.desk.dataset("data", returning.batches(inputs, ctx, facts), schema=schema, facts=facts)
    report = {
        "reasons": list(spec.reasons),
        "rows_asked": len(spec.rows),
        "rows_restored": sum(returning.restored.values()),
        "restored": counted(returning.restored),
        "left_out": counted(chosen.counts),
        "examples": returning.examples,
    }
    return RestoreOutputs(
        data=data, restoration=ctx.desk.report("restoration", report, renderings={"report.html": _page(report)})
    )


def _check(inputs: RestoreInputs) -> None:
    if not inputs.quarantine:
        raise DataError(
            "quarantine: none is given",
            parameter="quarantine",
            remedy="Add --input quarantine=ID, or a stage that takes rows out; `modelmint datasets` lists quarantines.",
        )
    for one in inputs.quarantine:
        if "reason" not in one.facts["columns"]:
            raise DataError(
                f"quarantine: {one.name} {one.id} is none: it has no column `reason`",
                parameter="quarantine",
                remedy="Give the `quarantine` of the stage that took the rows out; `modelmint show RUN` names it.",
            )


def _needed(data: Dataset) -> tuple[str, ...]:
    """The columns that a row of this data must have a cell in."""
    there = data.facts["columns"]
    return tuple(name for name in required(form_of(data).task) if name in there)


@dataclass(kw_only=True)
class _Chosen:
    """Which row of which quarantine is put back."""

    place: dict[str, tuple[int, int]] = field(default_factory=dict)
    """`_row` to (quarantine, row in it)."""
    counts: Counter[str] = field(default_factory=Counter)
    """Rows that match and stay out, by why."""


def _choose(spec: RestoreSpec, inputs: RestoreInputs) -> _Chosen:
    chosen, reasons, rows = _Chosen(), set(spec.reasons), set(spec.rows)
    found: Counter[str] = Counter()
    num_matching = 0
    for number, quarantine in enumerate(inputs.quarantine):
        at = 0
        for batch in batches(quarantine):
            identifiers, given = batch.column("_row").to_pylist(), batch.column("reason").to_pylist()
            # A quarantine of an older release has no cells.
            kept = batch.column("cells").is_valid().to_pylist() if "cells" in batch.schema.names else []
            found.update(given)
            for place, (identifier, reason) in enumerate(zip(identifiers, given, strict=True)):
                if (reasons and reason not in reasons) or (rows and identifier not in rows):
                    continue
                num_matching += 1
                if not kept or not kept[place]:
                    chosen.counts["cells_not_kept"] += 1
                    continue
                chosen.counts["taken_out_again"] += identifier in chosen.place
                chosen.place.pop(identifier, None)
                chosen.place[identifier] = (number, at + place)
            at += batch.num_rows
    if not chosen.place:
        known = ", ".join(f"{name} ({number:,})" for name, number in sorted(found.items())) or "no row at all"
        matching = "1 row matches" if num_matching == 1 else f"{num_matching:,} rows match"
        why = f"{matching}, but their cells were not kept" if num_matching else "no row matches"
        raise DataError(
            f"{'reasons' if reasons else 'rows'}: {why}; the quarantine holds {known}",
            parameter="reasons" if reasons else "rows",
            remedy="Name a reason that is there; rows that could not be read at all are mended in the source.",
        )
    return chosen


@dataclass(kw_only=True)
class _Returning:
    """The data, then the rows that come back."""

    chosen: _Chosen
    schema: pa.Schema
    needed: tuple[str, ...]
    is_normalised: bool
    labels: Counter[str]
    restored: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, str]] = field(default_factory=list)

    def batches(self, inputs: RestoreInputs, ctx: StageContext, facts: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        num_done, total = 0, inputs.data.num_rows + len(self.chosen.place)
        for batch in batches(inputs.data):
            ctx.check()
            num_done += batch.num_rows
            ctx.say(num_done, total, f"{num_done:,} rows")
            yield batch
        for number, quarantine in enumerate(inputs.quarantine):
            at = 0
            for batch in batches(quarantine):
                ctx.check()
                rows = self._rows(batch, number, at)
                at += batch.num_rows
                if rows:
                    num_done += len(rows)
                    ctx.say(num_done, total, f"{sum(self.restored.values()):,} rows restored")
                    yield pa.Table.from_batches(rows).combine_chunks().to_batches()[0]
        if not self.restored:
            raise DataError(
                "quarantine: none of the rows that match can be put back: "
                + ", ".join(f"{name} {count:,}" for name, count in sorted(self.chosen.counts.items()) if count),
                parameter="quarantine",
                remedy="Rows that are there already need no restoring; others must have the data's columns; rows taken "
                "out before `normalise` are put back before it.",
            )
        if facts.get("labels"):
            facts["labels"] = counted(self.labels)  # the desk reads the facts after the rows

    def _rows(self, batch: pa.RecordBatch, number: int, start: int) -> list[pa.RecordBatch]:
        """The rows of one batch of a quarantine that come back, each a batch of its own."""
        names = batch.column("_row").to_pylist()
        places = [at for at, name in enumerate(names) if self.chosen.place.get(name) == (number, start + at)]
        taken = batch.take(pa.array(places, pa.int64())).to_pylist() if places else []
        rows = []
        for one in taken:
            if self.is_normalised and one["reason"] != OUTLIER:  # its numbers are on another scale
                self.chosen.counts["not_normalised"] += 1
                continue
            row = _row(one["cells"], one["_row"], self.schema, self.needed)
            if row is None:
                self.chosen.counts["cells_do_not_fit"] += 1
                continue
            rows.append(row)
            self.restored[one["reason"]] += 1
            self.labels.update(_labels(row))
            if len(self.examples) < NUM_EXAMPLES:
                self.examples.append({"row": one["_row"], "reason": one["reason"], "raw": one["raw"][:240]})
        return rows


def _labels(row: pa.RecordBatch) -> list[str]:
    """The label of a row, or those of one that has several; none where there is none."""
    if "labels" in row.schema.names and pa.types.is_list(row.schema.field("labels").type):
        return list(row.column("labels")[0].as_py() or ())
    return [str(row.column("label")[0].as_py())] if "label" in row.schema.names else []


def _row(cells: str, identifier: str, schema: pa.Schema, needed: tuple[str, ...]) -> pa.RecordBatch | None:
    """The row that `quarantine.cells_of` wrote, in the columns of the data; None where it does not fit them."""
    try:
        read = json.loads(cells, object_hook=_decoded)
        if not isinstance(read, dict) or any(read.get(name) is None for name in needed):
            return None
        if any(name not in schema.names and not name.startswith("_") for name in read):
            return None
        values = {**read, "_row": identifier}
        return pa.record_batch([_cell(values.get(one.name), one.type) for one in schema], schema=schema)
    except (ValueError, TypeError, pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, RecursionError):
        return None


def _cell(value: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(value, str) and not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return pa.array([value]).cast(kind)
    return pa.array([value], kind)


def _decoded(value: dict[str, Any]) -> Any:
    if len(value) == 1:
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"], validate=True)
        if "$float" in value:
            return float(value["$float"])
        if "$text" in value:
            return value["$text"]
    return value


def _page(report: dict[str, Any]) -> str:
    sections = [
        Section(
            heading="What came back",
            note="By the reason for which the rows had been taken out.",
            parts=[counts(("reason", "rows"), list(report["restored"].items()))],
        )
    ]
    if report["left_out"]:
        told = [(_LEFT_OUT.get(name, name), number) for name, number in report["left_out"].items()]
        sections.append(Section(heading="What did not", parts=[counts(("why", "rows"), told, kind="warn")]))
    shown = [[one["row"], one["reason"], one["raw"]] for one in report["examples"]]
    sections.append(Section(heading="Some of them", parts=[examples(["row", "reason", "what it holds"], shown)]))
    return page(
        title="Restored rows",
        lead=f"{report['rows_restored']:,} rows were put back into the data, as they were taken out: they were neither "
        "judged nor masked again.",
        headlines=[Headline(name="rows restored", value=f"{report['rows_restored']:,}")],
        sections=sections,
    )


_LEFT_OUT = {
    "already_there": "the data has the row already",
    "cells_not_kept": "the row's cells were not kept",
    "cells_do_not_fit": "the cells do not fit the columns",
    "taken_out_again": "an older copy of the same row",
    "not_normalised": "the data is normalised and the row is not",
}
