"""One pass over a source: rows are checked, counted and batched; what cannot be used goes to quarantine."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.core.tables import BATCH_ROWS
from modelmint.core.types import JSON
from modelmint.data.encodings import undecoded
from modelmint.data.hub import hub_rows
from modelmint.data.quarantine import RAW_CHARS, Quarantine
from modelmint.data.readers import Reading, read_rows
from modelmint.data.rows import ROWS_A_STEP, Row
from modelmint.data.sources import SPLITS, files, is_hub

if TYPE_CHECKING:
    from modelmint.data.collect import CollectSpec

_BATCH_CHARS = 8 << 20  # a batch is closed at this many characters, however few its rows


@dataclass(kw_only=True)
class Intake:
    """The pass, its counts, and after it `facts`. Use `batches` once."""

    spec: CollectSpec
    ctx: StageContext
    quarantine: Quarantine
    facts: JSON = field(default_factory=dict)
    labels: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    num_read: int = 0

    def __post_init__(self) -> None:
        spec = self.spec
        self.local = [] if is_hub(spec.source) else files(spec.source)
        self.columns = [
            spec.text,
            spec.label,
            *(name for name in (spec.split_column, spec.group, spec.subject) if name),
            *spec.keep,
        ]
        self.has_split = bool(spec.split_column) or not self.local or self.local[0].split is not None
        self.names = [
            "_row",
            "text",
            "label",
            *(["_split"] if self.has_split else []),
            *(["_group"] if spec.group else []),
            *(["_subject"] if spec.subject else []),
            *spec.keep,
        ]
        self.schema = pa.schema([(name, pa.string()) for name in self.names])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows that can be used.

        Raises:
            DataError: see `collect`.
        """
        for rows in self._parts():
            taken: list[tuple[str | None, ...]] = []
            num_chars = 0
            for cells in rows:
                taken.append(cells)
                num_chars += sum(map(len, filter(None, cells)))
                if len(taken) >= BATCH_ROWS or num_chars >= _BATCH_CHARS:
                    self.ctx.check()
                    yield self._batch(taken)
                    taken, num_chars = [], 0
            if taken:
                yield self._batch(taken)
        self._finish()

    def _parts(self) -> Iterator[Iterator[tuple[str | None, ...]]]:
        """The usable rows of each file or split."""
        spec = self.spec
        if not self.local:
            for split, rows in hub_rows(spec.source, self.columns, revision=spec.revision):
                yield self._usable(rows, key=split, split=split, before_bytes=0, total_bytes=0)
        how = Reading(
            columns=self.columns,
            encoding=spec.encoding,
            delimiter=spec.delimiter,
            quote=spec.quote,
            max_chars=spec.max_source_chars,
        )
        sizes_bytes = [file.path.stat().st_size for file in self.local]
        for index, file in enumerate(self.local):
            yield self._usable(
                read_rows(file, how),
                key=file.key,
                split=file.split,
                before_bytes=sum(sizes_bytes[:index]),
                total_bytes=sum(sizes_bytes),
            )

    def _usable(
        self, rows: Iterator[Row], *, key: str, split: str | None, before_bytes: int, total_bytes: int
    ) -> Iterator[tuple[str | None, ...]]:
        for row in islice(rows, self.spec.max_rows):
            self.num_read += 1
            if row.number % ROWS_A_STEP == 0:
                self.ctx.say(before_bytes + row.done_bytes, total_bytes, f"{self.num_read:,} rows")
            identifier = hashlib.sha256(f"{key}\0{row.number}".encode()).hexdigest()[:16]
            if (cells := self._take(row, identifier, split)) is not None:
                yield cells

    def _take(self, row: Row, identifier: str, split: str | None) -> tuple[str | None, ...] | None:
        """The row's cells in the order of the schema, or None when it went to quarantine."""
        cells, reason, detail = row.cells, row.reason, row.detail
        if not reason and cells is not None:
            reason, detail = self._fault(cells)
        spec, extra = self.spec, list(cells or ())[2:]
        if not reason and spec.split_column:
            said = (extra.pop(0) or "").strip()
            split = SPLITS.get(said.lower())
            if split is None:
                reason, detail = (
                    "bad_split",
                    f"{spec.split_column} must be train, test, dev or validation; is {said[:60]!r}",
                )
        if reason or cells is None:
            raw = "".join(line[:RAW_CHARS] for line in row.raw[:100]) or " | ".join(
                (cell or "")[:RAW_CHARS] for cell in cells or ()
            )
            self.quarantine.add(row=identifier, reason=reason, detail=detail, raw=raw.rstrip("\r\n"))
            return None
        label = str(cells[1]).strip()
        self._count(label, split)
        mine = [identifier, cells[0], label, *([split] if self.has_split else [])]
        if spec.group:
            mine.append(extra.pop(0) or None)
        if spec.subject:
            mine.append(self._pseudonym(extra.pop(0)))
        return (*mine, *extra)

    def _fault(self, cells: Sequence[str | None]) -> tuple[str, str]:
        """The reason (and its detail) why a row cannot be used; empty when it can."""
        for cell in cells:
            if not cell:
                continue
            if len(cell) > self.spec.max_cell_chars:
                return (
                    "too_long",
                    f"a cell of {len(cell):,} characters; max_cell_chars takes {self.spec.max_cell_chars:,}",
                )
            if "\0" in cell:
                return "nul_byte", "a cell holds a NUL byte"
            if undecoded(cell):
                return "undecodable", f"a cell holds bytes that are not {self.spec.encoding}"
        if not cells[0] or not cells[0].strip():
            return "empty_text", f"column {self.spec.text!r} is empty"
        return ("", "") if cells[1] and cells[1].strip() else ("missing_label", f"column {self.spec.label!r} is empty")

    def _count(self, label: str, split: str | None) -> None:
        self.labels[label] += 1
        if split:
            self.splits[split] += 1
        if len(self.labels) > self.spec.max_labels:
            raise DataError(
                f"label: column {self.spec.label!r} has more than {self.spec.max_labels:,} values (max_labels)",
                parameter="label",
                remedy="Is it the text, an id or a number? Name the label column, or raise max_labels.",
            )

    def _pseudonym(self, person: str | None) -> str | None:
        if not person or not person.strip():
            return None
        return hmac.new(str(self.spec.subject_salt).encode(), person.strip().encode(), hashlib.sha256).hexdigest()[:32]

    def _batch(self, taken: list[tuple[Any, ...]]) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(
            [pa.array(column, pa.string()) for column in zip(*taken, strict=True)], schema=self.schema
        )

    def _finish(self) -> None:
        num_kept, reasons = self.labels.total(), dict(sorted(self.quarantine.counts.items()))
        self.facts |= {
            "task": "text-classification",
            "rows_read": self.num_read,
            "rows_kept": num_kept,
            "rows_quarantined": reasons,
            "source_columns": self.columns,
            "encoding": self.spec.encoding,
            "language": self.spec.language,
            "licence": self.spec.licence,
            "labels": dict(sorted(self.labels.items())),
            "splits": dict(sorted(self.splits.items())),
        }
        said = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items()) or "none was taken out"
        if self.num_read == 0:
            raise DataError(
                f"source: {self.spec.source} has a header and no rows",
                parameter="source",
                remedy="Give a file with rows.",
            )
        if num_kept < 2:
            raise DataError(
                f"source: at least 2 usable rows are needed; of {self.num_read:,} read {num_kept} can be used ({said})",
                parameter="source",
                remedy="Mend the rows, or the column names, delimiter, quote and encoding of the collect stage.",
            )
        if len(self.labels) < 2:
            raise DataError(
                f"label: at least 2 classes are needed; every usable row has {next(iter(self.labels))[:60]!r}",
                parameter="label",
                remedy="Name the column that tells the rows apart, or add rows of another class.",
            )
