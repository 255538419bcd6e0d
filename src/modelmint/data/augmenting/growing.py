"""Old rows, their copies and new rows between them, spooled to disk as they are made, so that any number of them fits."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from modelmint.core import forms
from modelmint.core.forms import Form
from modelmint.core.stage import StageContext
from modelmint.core.tables import BATCH_BYTES, batches
from modelmint.core.text import mix
from modelmint.core.types import Dataset
from modelmint.data.aside import batches_with, put_aside
from modelmint.data.augmenting.back_translation import Translator
from modelmint.data.augmenting.balance import Plan, WeightRule, label_weights
from modelmint.data.augmenting.row_edits import Change, Row, as_copy, copy_of
from modelmint.data.augmenting.synthetic import TableEdits, synthetic_rows
from modelmint.data.quarantine import Quarantine
from modelmint.data.splitting.strata import has_classes

MAX_PARENTS = 50_000
"""New rows of a table are made from at most this many rows of a label."""
NUM_OTHERS = 20
NUM_EXAMPLES = 12
NUM_MEDIA = 4
FLUSH_ROWS = 1024
_SCHEMA_OF = pa.field("_of", pa.string())
_SCHEMA_WEIGHT = pa.field("_weight", pa.float64())


@dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """N rows in the order of the dataset; 12 bytes each."""

    label: npt.NDArray[np.int32]
    """(N,) places in `names`; all 0 where a row has not one label."""
    draw: npt.NDArray[np.uint64]
    """(N,) what rows are drawn by: a function of `_row` and the seed."""
    names: list[str]

    def counts(self) -> dict[str, int]:
        """Rows of each label."""
        found = np.bincount(self.label, minlength=len(self.names)).tolist()
        return dict(zip(self.names, found, strict=True))


def read_rows(data: Dataset, form: Form, ctx: StageContext) -> LabelledRows:
    """Read the id and the label of every row."""
    labelled = has_classes(form)
    codes, draws, labels, num_done = dict[str, int](), [np.empty(0, np.uint64)], [np.empty(0, np.int32)], 0
    for batch in batches(data, ["_row", *([str(form.label)] if labelled else [])]):
        ctx.check()
        names = batch.column("_row").to_pylist()
        digests = b"".join(hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest() for name in names)
        draws.append(mix(np.frombuffer(digests, "<u8"), ctx.seed))
        said = forms.labels(batch, form) if labelled else [""] * len(names)
        labels.append(np.array([codes.setdefault(name, len(codes)) for name in said], np.int32))
        num_done += len(names)
        ctx.say(num_done, 0, f"{num_done:,} rows read")
    ordered = sorted(codes)
    place = {name: at for at, name in enumerate(ordered)}
    recode = np.array([place[name] for name in codes], np.int32)
    return LabelledRows(label=recode[np.concatenate(labels)], draw=np.concatenate(draws), names=ordered)


@dataclass(kw_only=True)
class Growing:
    """A training set on its way to disk, and what was done to it. Call `copy`, then `mix`, `weigh` and `grown`."""

    form: Form
    change: Change | None
    translator: Translator | None
    spool: Path
    ctx: StageContext
    labels: Counter[str] = field(default_factory=Counter)
    sets: Counter[str] = field(default_factory=Counter)
    """Rows of each label, where a row may have several."""
    masses: Counter[str] = field(default_factory=Counter)
    """The sum of the weights that the rows of each label came with; their number where they had none."""
    edits: Counter[str] = field(default_factory=Counter)
    num_unchanged: int = 0
    """Copies that were not made, since nothing could be changed."""
    num_repeated: int = 0
    """Copies that even labels out though nothing could be changed."""
    num_synthetic: int = 0
    copied: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, str]] = field(default_factory=list)
    media: list[tuple[str, str, bytes, bytes]] = field(default_factory=list)
    """Of images and recordings: `_row`, change, before and after of some copies, for the page alone."""
    _writer: Any = None

    def copy(self, data: Dataset, planned: Plan, quarantine: Quarantine, *, num_plain: int) -> None:
        """Write the rows that are kept, and copies of them.

        Args:
            num_plain: further copies of a row even out its label, and are made even where nothing can be changed.
        """
        start, seen = 0, "put aside so that labels are more even; nothing is wrong with it"
        for batch in batches(data):
            self.ctx.check()
            here = slice(start, start + batch.num_rows)
            kept, copies = planned.kept[here], planned.copies[here]
            put_aside(batch, np.flatnonzero(~kept), self.form, quarantine, why="undersampled", detail=seen)
            old = batch if kept.all() else batch.filter(pa.array(kept))
            self._write(pa.Table.from_batches([old.append_column(_SCHEMA_OF, pa.nulls(old.num_rows, pa.string()))]))
            if self.change is not None:
                self._copy(batch, copies, num_plain)
            start += batch.num_rows
            self.ctx.say(start, data.num_rows, f"{self.labels.total():,} rows written")

    def mix(self, data: Dataset, rows: LabelledRows, planned: Plan, edits: TableEdits) -> None:
        """Write new rows of a table, between old ones of the same label."""
        wanted = np.bincount(rows.label, planned.copies, minlength=len(rows.names)).astype(int)
        if not wanted.any():
            return
        order = np.lexsort((rows.draw, rows.label))
        rank = np.empty(len(order), np.int64)
        counts = np.bincount(rows.label, minlength=len(rows.names))
        rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        most = np.where(wanted > 0, MAX_PARENTS, NUM_OTHERS)
        places = np.flatnonzero(rank < most[rows.label])
        parts = [batch.take(pa.array(where)) for batch, where in batches_with(data, places)]
        asked = {name: int(num) for name, num in zip(rows.names, wanted, strict=True) if num}
        self.ctx.say(0, 0, f"{int(wanted.sum()):,} rows are made")
        new, self.copied = synthetic_rows(
            pa.Table.from_batches(parts), str(self.form.label), asked, edits, seed=self.ctx.seed
        )
        self.num_synthetic = new.num_rows - sum(self.copied.values())
        self.num_repeated += sum(self.copied.values())
        self._write(new)

    def weigh(self, names: Sequence[str], *, ratio: float, rule: WeightRule, beta: float) -> dict[str, float]:
        """What a row of each label weighs, so that the mean over all rows, with the weights they came with, is 1."""
        there = [name for name in names if self.labels[name]]
        weights = label_weights(
            np.array([self.labels[name] for name in there]), ratio=ratio, rule=rule, beta=beta
        ).tolist()
        mean = (
            sum(weight * self.masses[name] for name, weight in zip(there, weights, strict=True)) / self.labels.total()
        )
        return {name: weight / mean for name, weight in zip(there, weights, strict=True)}

    def schema(self, weights: Mapping[str, float]) -> pa.Schema:
        """The columns of the rows with `_of`, and `_weight` where there are weights."""
        self._close()
        schema = pq.read_schema(self.spool).remove_metadata()
        return schema if not weights or "_weight" in schema.names else schema.append(_SCHEMA_WEIGHT)

    def grown(self, weights: Mapping[str, float]) -> Iterator[pa.RecordBatch]:
        """All rows that were written."""
        self._close()
        file = pq.ParquetFile(self.spool)
        for group in range(file.num_row_groups):
            for batch in file.read_row_group(group).to_batches():
                self.ctx.check()
                yield self._weighted(batch, weights) if weights else batch

    def _weighted(self, batch: pa.RecordBatch, weights: Mapping[str, float]) -> pa.RecordBatch:
        mine = np.array([weights[name] for name in forms.labels(batch, self.form)])
        place = batch.schema.get_field_index("_weight")
        if place < 0:
            return batch.append_column(_SCHEMA_WEIGHT, pa.array(mine, pa.float64()))
        return batch.set_column(place, _SCHEMA_WEIGHT, pa.array(mine * _weights(batch), pa.float64()))

    def _copy(self, batch: pa.RecordBatch, copies: npt.NDArray[np.int64], num_plain: int) -> None:
        places = np.flatnonzero(copies)
        waiting, num_bytes = list[Row](), 0
        schema = batch.schema.append(_SCHEMA_OF)
        for row, num in zip(batch.take(pa.array(places)).to_pylist(), copies[places].tolist(), strict=True):
            for copied in self._copies(row, num, num_plain):
                waiting.append(copied)
                num_bytes += sum(len(cell) for cell in copied.values() if isinstance(cell, str | bytes))
            if len(waiting) >= FLUSH_ROWS or num_bytes >= BATCH_BYTES:
                self.ctx.check()
                self._write(pa.Table.from_pylist(waiting, schema=schema))
                waiting, num_bytes = [], 0
        self._write(pa.Table.from_pylist(waiting, schema=schema))

    def _copies(self, row: Row, num: int, num_plain: int) -> Iterator[Row]:
        seen: list[Row] = []
        for number in range(1, num + 1):
            made = self._translated(row) if self.translator and number == 1 else None
            if made is None and self.change is not None:
                made = copy_of(row, number, self.change, seed=self.ctx.seed)
            cells = (
                {} if made is None else {name: cell for name, cell in made[0].items() if name not in ("_row", "_of")}
            )
            if made is not None and cells not in seen:
                seen.append(cells)
                self.edits[made[1]] += 1
                self._show(row, made[0], made[1])
                yield made[0]
            elif number > num_plain:
                self.num_repeated += 1
                yield as_copy(row, number, {})
            else:
                self.num_unchanged += 1

    def _translated(self, row: Row) -> tuple[Row, str] | None:
        back = self.translator.there_and_back(row["text"] or "") if self.translator else None
        return None if back is None else (as_copy(row, 1, {"text": back}), "back_translation")

    def _show(self, row: Row, copied: Row, how: str) -> None:
        """Keep a few texts for the report, of every change some; a few images or recordings for its page."""
        name = self.form.columns.names[0]
        if isinstance(row.get(name), bytes) and len(self.media) < NUM_MEDIA:
            self.media.append((copied["_row"], how, row[name], copied[name]))
        if sum(one["change"] == how for one in self.examples) >= 2 or len(self.examples) >= NUM_EXAMPLES:
            return
        for name in self.form.columns.names:
            if copied.get(name) != row.get(name) and isinstance(row[name], str | list):
                before, after = (
                    " ".join(one[name]) if isinstance(one[name], list) else one[name] for one in (row, copied)
                )
                self.examples.append(
                    {"_row": copied["_row"], "change": how, "before": before[:400], "after": after[:400]}
                )
                return

    def _write(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.spool, table.schema, compression="zstd")
        if not table.num_rows:
            return
        self._writer.write_table(table)
        for batch in table.to_batches():
            names = forms.labels(batch, self.form) if has_classes(self.form) else [""] * batch.num_rows
            self.labels.update(names)
            if self.form.predicts == "classes":
                self.sets.update(name for label in forms.labels(batch, self.form) for name in forms.names_in(label))
            for name, weight in zip(names, _weights(batch).tolist(), strict=True):
                self.masses[name] += weight

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _weights(batch: pa.RecordBatch) -> npt.NDArray[np.float64]:
    """(N,) the weights that rows came with."""
    if "_weight" not in batch.schema.names:
        return np.ones(batch.num_rows)
    return np.asarray(batch.column("_weight").fill_null(1.0).to_numpy(zero_copy_only=False), np.float64)
