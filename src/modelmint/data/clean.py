"""clean: normalise text; take out exact duplicates, conflicting labels and training rows that the test set repeats."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelmint.core.errors import DataError
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import BATCH_ROWS, batches
from modelmint.core.types import Dataset
from modelmint.data.facts import carried, counted
from modelmint.data.fates import DUPLICATE, KEEP, LABEL_CONFLICT, LEAK, REASONS, Fates, decide
from modelmint.data.index import Indexer, RowIndex
from modelmint.data.quarantine import Quarantine
from modelmint.data.text import tidy


class CleanSpec(Spec):
    """Normalise text and drop exact duplicates. Declared evaluation rows are never dropped as duplicates."""

    mojibake: bool = True
    """Mend text that was decoded with the wrong encoding."""
    casefold: bool = True
    """Count texts that differ only in case as duplicates (the stored text keeps its case)."""
    duplicates: Literal["drop", "keep"] = "drop"
    """Whether a training row with the text and label of an earlier one is dropped."""
    conflicts: Literal["drop", "majority", "keep"] = "drop"
    """Training rows with one text and different labels: drop all, keep one of the majority's label, or keep all."""


@dataclass(frozen=True, kw_only=True)
class CleanInputs:
    """Rows with `_row`, `text`, `label` and perhaps `_split`."""

    data: Dataset


@dataclass(frozen=True, kw_only=True)
class CleanOutputs:
    """The same columns, fewer rows."""

    data: Dataset
    quarantine: Dataset


def clean(spec: CleanSpec, inputs: CleanInputs, ctx: StageContext) -> CleanOutputs:
    """Normalise every text, then drop rows by comparing all of them.

    A row that the source declares test or validation is dropped only when nothing is left of its text (`empty_text`)
    or when it is a validation row and the test set has it: a published set keeps its rows, so that figures stay
    comparable. A training row with the text of an evaluation row is dropped as `leak`.

    Raises:
        DataError: nothing is left.
    """
    spool = ctx.scratch / "tidy.parquet"
    with Quarantine(ctx.scratch) as quarantine:
        rows, num_changed = _spool(spec, inputs.data, ctx, spool, quarantine)
        fates = decide(rows, duplicates=spec.duplicates, conflicts=spec.conflicts)
        kept = fates.fate == KEEP
        if not kept.any():
            raise DataError(
                f"data: no row is left of {inputs.data.num_rows:,} after cleaning",
                parameter="conflicts",
                remedy="Look into the quarantine of collect, or set `conflicts: majority`.",
            )
        facts = carried(inputs.data) | {
            "rows_read": inputs.data.num_rows,
            "rows_kept": int(kept.sum()),
            "rows_quarantined": counted({**quarantine.counts, **fates.counts()}),
            "rows_changed": num_changed,
            "labels": counted(rows.counts(kept)),
        }
        data = ctx.desk.dataset("data", _kept(spool, fates, quarantine, ctx), schema=pq.read_schema(spool), facts=facts)
    return CleanOutputs(data=data, quarantine=quarantine.dataset(ctx.desk))


def _spool(
    spec: CleanSpec, data: Dataset, ctx: StageContext, spool: Path, quarantine: Quarantine
) -> tuple[RowIndex, int]:
    """Write the tidied rows to disk; returns their index and how many texts changed."""
    indexer, num_changed, num_done = Indexer(casefold=spec.casefold), 0, 0
    writer: Any = None
    try:
        for batch in batches(data):
            ctx.check()
            texts = batch.column("text").to_pylist()
            tidied = [tidy(text, mojibake=spec.mojibake) for text in texts]
            num_changed += sum(before != after for before, after in zip(texts, tidied, strict=True))
            for place in (place for place, text in enumerate(tidied) if not text):
                identifier = batch.column("_row")[place].as_py()
                quarantine.add(
                    row=identifier, reason="empty_text", detail="nothing is left of the text", raw=texts[place]
                )
            place = batch.schema.get_field_index("text")
            left = batch.set_column(place, batch.schema.field(place), pa.array(tidied, pa.string()))
            left = left.filter(pa.array([bool(text) for text in tidied]))
            writer = writer or pq.ParquetWriter(spool, left.schema, compression="zstd")
            writer.write_table(pa.Table.from_batches(indexer.see([left])))
            num_done += batch.num_rows
            ctx.say(num_done, data.num_rows * 2, f"{num_done:,} rows normalised")
    finally:
        if writer is not None:
            writer.close()
    return indexer.index(), num_changed


def _kept(spool: Path, fates: Fates, quarantine: Quarantine, ctx: StageContext) -> Iterator[pa.RecordBatch]:
    """The rows that stay; the others go to quarantine with the row that is the reason."""
    others = np.unique(fates.because[fates.fate != KEEP])
    names = pq.read_table(spool, columns=["_row"]).column("_row").take(pa.array(others)).to_pylist()
    name_of = dict(zip(others.tolist(), names, strict=True))
    start = 0
    for batch in pq.ParquetFile(spool).iter_batches(batch_size=BATCH_ROWS):
        fate = fates.fate[start : start + batch.num_rows]
        for place in np.flatnonzero(fate != KEEP).tolist():
            quarantine.add(
                row=batch.column("_row")[place].as_py(),
                reason=REASONS[fate[place]],
                detail=_DETAIL[int(fate[place])].format(name_of[int(fates.because[start + place])]),
                raw=f"{batch.column('text')[place].as_py()} | {batch.column('label')[place].as_py()}",
            )
        start += batch.num_rows
        ctx.say(len(fates.fate) + start, len(fates.fate) * 2, f"{start:,} rows compared")
        yield batch.filter(pa.array(fate == KEEP))


_DETAIL = {
    DUPLICATE: "the same text and label as row {}",
    LEAK: "an evaluation row has the same text: {}",
    LABEL_CONFLICT: "row {} has the same text with another label",
}
