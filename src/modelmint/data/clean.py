"""clean: mend texts, take out rows that fail a rule, exact duplicates, conflicting labels and what the test set repeats."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelmint.core import forms
from modelmint.core.errors import DataError
from modelmint.core.forms import Form, form_of
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Report
from modelmint.data.cleaning.judges import read_bad_words
from modelmint.data.cleaning.screen import Screen, spooled
from modelmint.data.cleaning.spec import CleanSpec
from modelmint.data.cleaning.tally import Rule, Tally
from modelmint.data.facts import carried, counted
from modelmint.data.fates import DUPLICATE, KEEP, LABEL_CONFLICT, LEAK, REASONS, Fates, decide
from modelmint.data.pages.cleaning import cleaning_page
from modelmint.data.quarantine import Quarantine, cells_at
from modelmint.data.splitting.strata import label_counts

__all__ = ["CleanInputs", "CleanOutputs", "CleanSpec", "clean", "fingerprint"]


@dataclass(frozen=True, kw_only=True)
class CleanInputs:
    """Rows of any form, with `_row` and perhaps `_split`."""

    data: Dataset


@dataclass(frozen=True, kw_only=True)
class CleanOutputs:
    """The same columns, fewer rows; `quarantine` holds the others whole, so that `restore` can put them back."""

    data: Dataset
    quarantine: Dataset
    cleaning: Report


def clean(spec: CleanSpec, inputs: CleanInputs, ctx: StageContext) -> CleanOutputs:
    """Mend and judge every row, then drop rows by comparing all of them.

    A row that the source declares test or validation is dropped only when nothing is left of its text (`empty_text`)
    or when it is a validation row and the test set has it: a published set keeps its rows, so that figures stay
    comparable. A training row with the text of an evaluation row is dropped as `leak`.

    Raises:
        DataError: nothing is left, or `bad_words` cannot be read.
    """
    spool, form = ctx.scratch / "tidy.parquet", form_of(inputs.data)
    with Quarantine(ctx.scratch) as quarantine:
        screen = Screen(spec, form, quarantine)
        rows = screen.run(inputs.data, ctx, spool)
        conflicts = "keep" if form.predicts == "number" else spec.conflicts
        fates = decide(rows, duplicates=spec.duplicates, conflicts=conflicts)
        kept = fates.fate == KEEP
        if not kept.any():
            raise DataError(
                f"data: no row is left of {inputs.data.num_rows:,} after cleaning",
                parameter="conflicts",
                remedy="Look into the quarantine of collect, set `conflicts: majority`, or use wider rules.",
            )
        compared = {REASONS[code]: Tally(rule=rule) for code, rule in _COMPARED.items()}
        facts = carried(inputs.data) | {
            "rows_read": inputs.data.num_rows,
            "rows_kept": int(kept.sum()),
            "rows_quarantined": counted({**quarantine.counts, **fates.counts()}),
            "rows_changed": screen.num_changed,
            "labels": counted(label_counts(form, rows, kept)) if form.predicts in ("class", "classes") else {},
        }
        remaining = _kept(spool, fates, form, quarantine, compared, ctx)
        data = ctx.desk.dataset("data", remaining, schema=pq.read_schema(spool), facts=facts)
    report = screen.facts(list(compared.values()), facts)
    cleaning = ctx.desk.report("cleaning", report, renderings={"report.html": cleaning_page(report)})
    return CleanOutputs(data=data, quarantine=quarantine.dataset(ctx.desk), cleaning=cleaning)


def fingerprint(spec: CleanSpec) -> str:
    """What the stage reads beside its inputs: a digest of the list of bad words."""
    return "" if spec.bad_words is None else hashlib.sha256(read_bad_words(spec.bad_words)).hexdigest()


def _kept(
    spool: Path, fates: Fates, form: Form, quarantine: Quarantine, compared: dict[str, Tally], ctx: StageContext
) -> Iterator[pa.RecordBatch]:
    """The rows that stay; the others go to quarantine with the row that is the reason."""
    others = np.unique(fates.because[fates.fate != KEEP])
    names = pq.read_table(spool, columns=["_row"]).column("_row").take(pa.array(others)).to_pylist()
    name_of = dict(zip(others.tolist(), names, strict=True))
    start = 0
    for batch in spooled(spool):
        ctx.check()
        fate = fates.fate[start : start + batch.num_rows]
        places = np.flatnonzero(fate != KEEP).tolist()
        if places:
            gone = batch.take(pa.array(places, pa.int64()))
            shown = zip(forms.contents(gone, form), forms.labels(gone, form), cells_at(batch, places), strict=True)
            rows = gone.column("_row").to_pylist()
            for place, row, (text, label, cells) in zip(places, rows, shown, strict=True):
                reason = REASONS[fate[place]]
                detail = _DETAIL[int(fate[place])].format(name_of[int(fates.because[start + place])])
                compared[reason].removed(text, detail)
                quarantine.add(row=row, reason=reason, detail=detail, raw=f"{text} | {label}", cells=cells)
        start += batch.num_rows
        ctx.say(len(fates.fate) + start, len(fates.fate) * 2, f"{start:,} rows compared")
        yield batch.filter(pa.array(fate == KEEP))


_COMPARED = {
    DUPLICATE: Rule(name="duplicate", kind="removes", about="the same content and label as an earlier row"),
    LABEL_CONFLICT: Rule(name="label_conflict", kind="removes", about="the same content with another label"),
    LEAK: Rule(name="leak", kind="removes", about="an evaluation row has the same content"),
}
_DETAIL = {
    DUPLICATE: "the same text and label as row {}",
    LEAK: "an evaluation row has the same text: {}",
    LABEL_CONFLICT: "row {} has the same text with another label",
}
