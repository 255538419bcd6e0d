"""The first pass of cleaning: every row mended, judged and spooled to disk, one batch in memory at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from modelmint.core import forms
from modelmint.core.forms import PAIR, Form, map_texts, text_paths
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import Dataset
from modelmint.data.cleaning import judges, mends
from modelmint.data.cleaning.answers import follow_answers
from modelmint.data.cleaning.columns import ColumnCounts, missing_shares, null_missing
from modelmint.data.cleaning.judges import Judge, Verdict
from modelmint.data.cleaning.mends import Mend
from modelmint.data.cleaning.spec import CleanSpec
from modelmint.data.cleaning.spellings import Spellings
from modelmint.data.cleaning.tally import Rule, Tally
from modelmint.data.index import Indexer, RowIndex
from modelmint.data.quarantine import Quarantine, cells_at

EVALUATION = ("validation", "test")
NO_RULES_FOR_TEXT = ("image-classification", "audio-classification", "recommendation")


class Screen:
    """The rules of a spec for rows of one form, and what they did. Not thread-safe."""

    def __init__(self, spec: CleanSpec, form: Form, quarantine: Quarantine) -> None:
        self.num_changed = 0
        """Rows with a changed text."""
        self._spec, self._form, self._quarantine = spec, form, quarantine
        self._is_table = form.task.startswith("tabular")
        self._mends = _mends(spec, form)
        self._judges = _judges(spec, form)
        rules = [_EMPTY, *(rule for judge in self._judges for rule in judge.rules)]
        if self._is_table and spec.max_missing is not None:
            rules.append(_MISSING)
        self._tallies = {mend.rule.name: Tally(rule=mend.rule) for mend in self._mends}
        self._tallies |= {rule.name: Tally(rule=rule) for rule in rules}
        self._columns = ColumnCounts(missing=spec.missing) if self._is_table else None
        self._spellings = Spellings()

    def run(self, data: Dataset, ctx: StageContext, spool: Path) -> RowIndex:
        """Write the rows that stay to `spool`; returns their index."""
        indexer, num_done = Indexer(self._form, casefold=self._spec.casefold), 0
        writer: Any = None
        try:
            for batch in batches(data):
                ctx.check()
                left = self._batch(batch)
                writer = writer or pq.ParquetWriter(spool, left.schema, compression="zstd")
                writer.write_table(pa.Table.from_batches(indexer.see([left])))
                num_done += batch.num_rows
                ctx.say(num_done, data.num_rows * 2, f"{num_done:,} rows cleaned")
        finally:
            if writer is not None:
                writer.close()
        return indexer.index()

    def facts(self, compared: Sequence[Tally], data_facts: dict[str, Any]) -> dict[str, Any]:
        """The report: what each rule did, in the order in which they ran."""
        facts = {name: data_facts[name] for name in ("task", "rows_read", "rows_kept", "rows_changed")}
        tallies = [*self._tallies.values(), *compared]
        facts["rules"] = [tally.facts() for tally in tallies]
        facts["rows_removed"] = {tally.rule.name: tally.number for tally in tallies
                                 if tally.rule.kind == "removes" and tally.number}  # fmt: skip
        facts["evaluation_rows_that_fail"] = sum(tally.num_kept for tally in tallies)
        facts["left_alone"] = _left_alone(self._spec, self._form)
        facts["label_spellings"] = self._spellings.variants()
        facts["columns"] = self._columns.facts() if self._columns is not None else {}
        facts["refused"] = _refused(self._spec, facts)
        return facts

    def _batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows that stay, mended."""
        mended = self._mended(batch)
        texts = forms.contents(mended, self._form)
        if self._mends:
            before = forms.contents(batch, self._form)
            self.num_changed += sum(old != new for old, new in zip(before, texts, strict=True))
        if self._form.predicts == "classes":
            said = forms.labels(mended, self._form)
            self._spellings.see([name for label in said for name in forms.names_in(label)])
        elif self._form.predicts in ("class", "tags"):
            self._spellings.see(forms.labels(mended, self._form))
        if self._columns is not None:
            self._columns.see(mended.select(text_paths(self._form, mended.schema.names)))
        verdicts = self._verdicts(mended, texts)
        gone = [place for place, verdict in enumerate(verdicts) if verdict is not None]
        if not gone:
            return mended
        out = self._take_out(batch, mended, texts, {place: verdicts[place] for place in gone})
        return mended.filter(pa.array([place not in out for place in range(batch.num_rows)])) if out else mended

    def _mended(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not self._mends:
            return batch
        mended = map_texts(batch, text_paths(self._form, batch.schema.names), self._change)
        if self._form.task == "question-answering":
            mended = follow_answers(batch, mended)
        if self._is_table and self._spec.null_missing:
            mended = null_missing(mended, text_paths(self._form, batch.schema.names), self._spec.missing)
        return mended

    def _change(self, cells: list[str | None]) -> list[str | None]:
        there = [place for place, cell in enumerate(cells) if cell is not None]
        texts = [cell for cell in cells if cell is not None]
        for mend in self._mends:
            after = [mend.change(text) for text in texts]
            self._tallies[mend.rule.name].changed(texts, after)
            texts = after
        if len(there) == len(cells):
            return list(texts)
        changed: list[str | None] = [None] * len(cells)
        for place, text in zip(there, texts, strict=True):
            changed[place] = text
        return changed

    def _verdicts(self, batch: pa.RecordBatch, texts: list[str]) -> list[Verdict]:
        empty = _empty(batch, self._form, texts)
        verdicts: list[Verdict] = [(_EMPTY.name, "nothing is left of the text") if one else None for one in empty]
        if self._is_table and self._spec.max_missing is not None:
            names = text_paths(self._form, batch.schema.names)
            for place, share in enumerate(missing_shares(batch, names, self._spec.missing)):
                if share > self._spec.max_missing:
                    verdicts[place] = (_MISSING.name, f"{share:.0%} of the cells; at most {self._spec.max_missing:.0%}")
        for judge in self._judges:
            open_places = [place for place, verdict in enumerate(verdicts) if verdict is None]
            found = judge.look([texts[place] for place in open_places])
            for place, verdict in zip(open_places, found, strict=True):
                verdicts[place] = verdict
        return verdicts

    def _take_out(
        self, batch: pa.RecordBatch, mended: pa.RecordBatch, texts: list[str], failed: dict[int, Verdict]
    ) -> set[int]:
        """Put rows into quarantine; returns their places. A declared evaluation row stays unless it is empty."""
        declared = batch.column("_split").to_pylist() if "_split" in batch.schema.names else [None] * batch.num_rows
        identifiers, before = batch.column("_row").to_pylist(), forms.contents(batch, self._form)
        out = {
            place: verdict
            for place, verdict in failed.items()
            if verdict is not None and (verdict[0] == _EMPTY.name or declared[place] not in EVALUATION)
        }
        for place, verdict in failed.items():
            if verdict is not None:
                empty = verdict[0] == _EMPTY.name
                shown = before[place] if empty else texts[place]
                self._tallies[verdict[0]].removed(shown, verdict[1], kept=place not in out)
        # An empty row goes as it was read: nothing is left of it to put back.
        for source, places in ((batch, [at for at in out if out[at][0] == _EMPTY.name]),
                               (mended, [at for at in out if out[at][0] != _EMPTY.name])):  # fmt: skip
            for place, cells in zip(places, cells_at(source, places) if places else [], strict=True):
                name, detail = out[place]
                raw = before[place] if name == _EMPTY.name else texts[place]
                self._quarantine.add(row=identifiers[place], reason=name, detail=detail, raw=raw, cells=cells)
        return set(out)


def spooled(spool: Path) -> Iterator[pa.RecordBatch]:
    """The batches as they were written, so that one of images is no larger than it was."""
    file = pq.ParquetFile(spool)
    for at in range(file.num_row_groups):
        yield from file.read_row_group(at).combine_chunks().to_batches()


def _mends(spec: CleanSpec, form: Form) -> list[Mend]:
    if form.task in mends.LEFT_ALONE:
        return []
    chosen = [mends.mojibake()] if spec.mojibake else []
    if spec.html != "keep":
        chosen.append(mends.html(spec.html))
    if lines := mends.c4_lines(spec.limits, form):
        chosen.append(lines)
    chosen += [mends.replacement(one.name, one.pattern, one.by) for one in spec.patterns if one.action == "replace"]
    return [*chosen, mends.invisible(), mends.normal_form(spec.normal_form), mends.white_space(spec.layout, form)]


def _judges(spec: CleanSpec, form: Form) -> list[Judge]:
    if form.task in NO_RULES_FOR_TEXT:
        return []
    chosen = [
        judges.pattern(one.name, one.pattern, required=one.action == "require")
        for one in spec.patterns
        if one.action != "replace"
    ]
    if form.task.startswith("tabular"):
        return chosen
    if spec.min_chars is not None or spec.max_chars is not None:
        chosen.append(judges.length(spec.min_chars, spec.max_chars))
    if spec.links_only == "drop":
        chosen.append(judges.links_only())
    if spec.bad_words is not None:
        chosen.append(judges.bad_words(spec.bad_words))
    if good := judges.quality(spec.limits):
        chosen.append(good)
    return [*chosen, judges.language(spec.languages, spec.min_language_confidence)] if spec.languages else chosen


def _empty(batch: pa.RecordBatch, form: Form, texts: list[str]) -> list[bool]:
    """(N,) whether a row has nothing to learn from."""
    if form.task.startswith("tabular"):
        return [False] * batch.num_rows
    if form.task in NO_RULES_FOR_TEXT:
        names = PAIR if form.task == "recommendation" else form.columns.names[:1]
        return [not all(cells) for cells in zip(*(batch.column(name).to_pylist() for name in names), strict=True)]
    empty = [not text.strip() for text in texts]
    for name in _NEEDED.get(form.task, ()):
        cells = batch.column(name).to_pylist()
        empty = [one or not cell for one, cell in zip(empty, cells, strict=True)]
    if form.task == "chat" and any(empty):  # a message may be a call of a tool alone
        called = [any(one.get("tool_calls") for one in chat or ()) for chat in batch.column("messages").to_pylist()]
        empty = [one and not call for one, call in zip(empty, called, strict=True)]
    return empty


def _left_alone(spec: CleanSpec, form: Form) -> list[str]:
    said = [mends.LEFT_ALONE[form.task]] if form.task in mends.LEFT_ALONE else []
    if form.task.startswith("tabular"):
        said.append("Rules on length, language and quality are for texts; a table's cells are not judged by them.")
        said.append("Missing values are filled, outliers clipped and numbers scaled by `normalise`, after the split.")
    if form.predicts == "number":
        said.append("Rows with equal contents and different targets are kept: that is noise, not a conflict.")
    lines = spec.limits.javascript_lines or spec.limits.policy_lines or spec.limits.terminal_punctuation
    if (lines or spec.limits.min_line_words) and form.task != "text-generation":
        said.append("c4_lines cuts lines of `text-generation` alone: here a line may be part of an answer.")
    if form.task == "question-answering":
        said.append("A context in which the answer could not be found again after mending is left as it was read.")
    return said


def _refused(spec: CleanSpec, facts: dict[str, Any]) -> list[str]:
    share = sum(facts["rows_removed"].values()) / max(facts["rows_read"], 1)
    if spec.max_removed is None or share <= spec.max_removed:
        return []
    return [f"max_removed: {share:.1%} of the rows were taken out; at most {spec.max_removed:.1%} are allowed"]


_EMPTY = Rule(name="empty_text", kind="removes", about="nothing is left of the text")
_MISSING = Rule(name="missing_values", kind="removes", about="too many cells of the row are missing")
_NEEDED = {
    "text2text-generation": ("text", "target"),
    "text-retrieval": ("query", "positive"),
    "question-answering": ("question", "context"),
    "preference": ("chosen", "rejected"),
}
