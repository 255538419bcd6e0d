"""One pass over a source: rows are converted, checked, counted and batched; what cannot be used goes to quarantine."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON
from modelmint.data.quarantine import RAW_CHARS, Quarantine
from modelmint.data.sources.batching import Batcher
from modelmint.data.sources.blocks import Block, Records
from modelmint.data.sources.bulk import Bulk
from modelmint.data.sources.census import Census
from modelmint.data.sources.checks import BadRowError, Record
from modelmint.data.sources.convert import Converter
from modelmint.data.sources.parts import Part
from modelmint.data.sources.places import SPLITS, shown
from modelmint.data.sources.plan import Plan
from modelmint.data.sources.row_ids import row_id
from modelmint.data.sources.rows import ROWS_A_STEP, Row, cell_text

if TYPE_CHECKING:
    from modelmint.data.collect import CollectSpec

_PIECE_ROWS = 8192
_PIECE_CHARS = 8 << 20  # rows are made into Arrow at this many characters, however few they are


@dataclass(kw_only=True)
class Intake:
    """The pass, its counts, and after it `facts`. Use `batches` once."""

    spec: CollectSpec
    plan: Plan
    ctx: StageContext
    quarantine: Quarantine
    census: Census
    facts: JSON = field(default_factory=dict)
    num_read: int = 0

    def __post_init__(self) -> None:
        plan = self.plan
        self._converter = Converter(self.spec, plan.dialect, names=plan.names, types=plan.types, encoding=plan.encoding)
        self._names = [name for name in self.plan.schema.names if not name.startswith("_")]
        self._names = self._names[: len(self._names) - len(self.spec.keep)]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows that can be used.

        Raises:
            DataError: see `collect`.
        """
        batcher = Batcher(self.plan.schema)
        done_bytes, total_bytes = 0, sum(part.size_bytes for part in self.plan.parts)
        for part in self.plan.parts:
            for piece in self._pieces(part, done_bytes, total_bytes):
                yield from self._counted(batcher.add(piece))
            done_bytes += part.size_bytes
        yield from self._counted(batcher.rest())
        self._finish()

    def pseudonym(self, person: str | None) -> str | None:
        """The keyed hash that stands for a person."""
        if not person or not person.strip():
            return None
        return hmac.new(str(self.spec.subject_salt).encode(), person.strip().encode(), hashlib.sha256).hexdigest()[:32]

    def _counted(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self.ctx.check()
            self.census.see(batch)
            if len(self.census.labels) > self.spec.max_labels and self.plan.task != "token-classification":
                raise DataError(
                    f"label: column {self.spec.label!r} has more than {self.spec.max_labels:,} values (max_labels)",
                    parameter="label",
                    remedy="Is it the text, an id or a number? Name the label column, or raise max_labels.",
                )
            yield batch

    def _pieces(self, part: Part, before_bytes: int, total_bytes: int) -> Iterator[pa.RecordBatch]:
        """The usable rows of one file or split."""
        bulk = Bulk(spec=self.spec, plan=self.plan, part=part, take=self._take, pseudonym=self.pseudonym)
        taken: list[tuple[Any, ...]] = []
        num_chars = 0
        for given in _first_rows(part.rows(), self.spec.max_rows):
            if isinstance(given, Block) and self.plan.bulk:
                if taken:
                    yield self._piece(taken)
                    taken, num_chars = [], 0
                self.num_read += given.num_rows
                self.ctx.say(before_bytes + given.done_bytes, total_bytes, f"{self.num_read:,} rows")
                yield bulk.piece(given)
                continue
            for row in [given] if isinstance(given, Row) else given.rows():
                self.num_read += 1
                if row.number % ROWS_A_STEP == 0:
                    self.ctx.say(before_bytes + row.done_bytes, total_bytes, f"{self.num_read:,} rows")
                if (cells := self._take(row, part)) is None:
                    continue
                taken.append(cells)
                num_chars += sum(len(cell) for cell in cells if isinstance(cell, str | bytes))
                if len(taken) >= _PIECE_ROWS or num_chars >= _PIECE_CHARS:
                    yield self._piece(taken)
                    taken, num_chars = [], 0
        if taken:
            yield self._piece(taken)

    def _take(self, row: Row, part: Part) -> tuple[Any, ...] | None:
        """The row's cells in the order of the schema, or None when it went to quarantine."""
        identifier = row_id(part.key, row.number)
        try:
            if row.reason or row.cells is None:
                raise BadRowError(row.reason, row.detail)
            cells = self._converter.canonical(row.cells)
            extra = self._extra(row.cells, part)
        except BadRowError as error:
            place = f"line {row.line}: " if row.line and error.reason == "bad_type" else ""
            raw = _raw(row, self.plan.columns)
            self.quarantine.add(row=identifier, reason=error.reason, detail=place + error.detail, raw=raw)
            return None
        return (identifier, *(cells[name] for name in self._names), *extra)

    def _extra(self, record: Record, part: Part) -> list[str | None]:
        """The cells of the columns that are ours, then of those kept."""
        spec, extra = self.spec, list[str | None]()
        split = part.split
        if spec.split_column:
            said = (self._plain(record, spec.split_column) or "").strip()
            split = SPLITS.get(said.lower())
            if split is None:
                detail = f"{spec.split_column} must be train, test, dev or validation; is {said[:60]!r}"
                raise BadRowError("bad_split", detail)
        if self.plan.has_split:
            extra.append(split)
        if self.plan.group:
            extra.append(self._plain(record, self.plan.group) or None)
        if spec.subject:
            extra.append(self.pseudonym(self._plain(record, spec.subject)))
        return extra + [self._plain(record, name) for name in spec.keep]

    def _plain(self, record: Record, name: str) -> str | None:
        inner = record.get("data")
        value = inner.get(name) if name not in record and isinstance(inner, Mapping) else record.get(name)
        text = cell_text(value)
        if text:
            self._converter.checks.plain(text)
        return text

    def _piece(self, taken: list[tuple[Any, ...]]) -> pa.RecordBatch:
        columns = zip(*taken, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self.plan.schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.plan.schema)

    def _finish(self) -> None:
        spec, num_kept, reasons = self.spec, self.census.num_rows, dict(sorted(self.quarantine.counts.items()))
        self.facts |= {
            "task": self.plan.task,
            "rows_read": self.num_read,
            "rows_kept": num_kept,
            "rows_quarantined": reasons,
            "source_columns": list(self.plan.columns),
            "encoding": self.plan.encoding,
            "licence": spec.licence,
            "consent": spec.consent,
            "labels": dict(sorted(self.census.labels.items())),
            "splits": dict(sorted(self.census.splits.items())),
            **self.census.languages(spec.language),
        }
        if self.plan.types:
            self.facts["types"] = dict(self.plan.types)
        said = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items()) or "none was taken out"
        if self.num_read == 0:
            raise DataError(
                f"source: {shown(spec.source)} has a header and no rows",
                parameter="source",
                remedy="Give a file with rows.",
            )
        if num_kept < 2:
            raise DataError(
                f"source: at least 2 usable rows are needed; of {self.num_read:,} read {num_kept} can be used ({said})",
                parameter="source",
                remedy="Mend the rows, or the column names, delimiter, quote and encoding of the collect stage.",
            )
        if len(self.census.labels) < 2 and self.plan.task.endswith("classification"):
            only = next(iter(self.census.labels), "no tag")
            raise DataError(
                f"label: at least 2 classes are needed; every usable row has {only[:60]!r}",
                parameter="label",
                remedy="Name the column that tells the rows apart, or add rows of another class.",
            )


def _first_rows(rows: Iterator[Any], max_rows: int | None) -> Iterator[Any]:
    """Rows and blocks, of the last one only what `max_rows` leaves."""
    left = max_rows
    if left is None:
        yield from rows
        return
    for given in rows:
        if isinstance(given, Row):
            yield given
            left -= 1
        elif given.num_rows <= left:
            yield given
            left -= given.num_rows
        else:
            yield Records(given=list(islice(given.rows(), left)))
            left = 0
        if left <= 0:
            return


def _raw(row: Row, columns: tuple[str, ...]) -> str:
    """What was read, for a person: the lines, or the cells where there are none."""
    written = "".join(line[:RAW_CHARS] for line in row.raw[:100])
    if not written and row.cells is not None:
        names = columns or tuple(row.cells)
        written = " | ".join(_short(row.cells.get(name)) for name in names)
    return written.rstrip("\r\n")


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    return (cell_text(value) or "")[:RAW_CHARS]
