"""Where personal data stands in the rows of each form, and how it is replaced there without breaking the row.

A chat's tool calls stay JSON, a sentence's tags stay with their tokens, an answer stays a piece of its context.
"""

import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelmint.core.forms import Form, map_texts, text_paths
from modelmint.data.personal.recognizers import Span
from modelmint.data.personal.search import Search

NUM_EXAMPLES = 3
"""How many examples of each kind are kept."""
_CONTEXT_CHARS = 24
_MAX_SAMPLED = 256

Sign: TypeAlias = Callable[[str, str], str]
"""``sign(kind, value)``: what stands in the value's place."""
Change: TypeAlias = Callable[[list[str | None]], list[str | None]]


@dataclass(kw_only=True)
class Masking:
    """One pass over the rows and what it found. Not thread-safe."""

    search: Search
    sign: Sign
    form: Form
    columns: Sequence[str]
    """Names of columns to look at."""
    found: Counter[str] = field(default_factory=Counter)
    rows_by_kind: Counter[str] = field(default_factory=Counter)
    num_rows: int = 0
    """Rows in which something was found."""
    num_answers: int = 0
    """Answers that changed with their context."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    """Kind -> a few places with their context, every find in them masked."""
    numbers: Counter[str] = field(default_factory=Counter)
    """Columns of numbers -> how many of those sampled look like personal data; they are left as they are."""
    _kinds: dict[int, set[str]] = field(default_factory=dict)

    def batch(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[int, set[str]]]:
        """The batch with what was found replaced, and for each row (by its place) with a find the kinds found in it."""
        self._kinds = {}
        for path in self._paths(batch):
            name = path.split(".")[0]
            rows = _row_of_each(batch.column(name))
            about = name if name not in self.form.columns.names and "." not in path else ""
            change = self._json_change(rows) if path.endswith(".tool_calls") else self._change(rows, about)
            batch = map_texts(batch, [path], change)
        if self.form.task == "token-classification" and "tokens" in self.columns:
            batch = self._tokens(batch)
        if self.form.task == "question-answering" and "context" in self.columns:
            batch = self._answers(batch)
        self._look_at_numbers(batch)
        self.num_rows += len(self._kinds)
        self.rows_by_kind.update(kind for kinds in self._kinds.values() for kind in kinds)
        return batch, self._kinds

    def replaced(self, text: str, spans: Sequence[Span]) -> str:
        """The text with each span signed."""
        parts, end = [], 0
        for span in spans:
            parts += [text[end : span.start], self.sign(span.kind, text[span.start : span.end])]
            end = span.end
        return "".join([*parts, text[end:]])

    def _paths(self, batch: pa.RecordBatch) -> Iterator[str]:
        special = {"token-classification": {"tokens"}, "question-answering": {"context", "answer"}}
        for name in self.columns:
            if name in special.get(self.form.task, ()) or name not in batch.schema.names:
                continue
            kind = batch.schema.field(name).type
            if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
                parts = {kind.value_type.field(at).name for at in range(kind.value_type.num_fields)}
                yield from (f"{name}.{part}" for part in ("content", "name", "tool_calls") if part in parts)
            else:
                yield name

    def _change(self, rows: Sequence[int], about: str) -> Change:
        def change(texts: list[str | None]) -> list[str | None]:
            there = [at for at, text in enumerate(texts) if text]
            changed = list(texts)
            for at, spans in zip(there, self.search.find([str(texts[at]) for at in there], about), strict=True):
                if spans:
                    changed[at] = self._note(int(rows[at]), str(texts[at]), spans)
            return changed

        return change

    def _note(self, row: int, text: str, spans: Sequence[Span]) -> str:
        """Count the finds of one text; gives the text with them replaced."""
        self.found.update(span.kind for span in spans)
        self._kinds.setdefault(row, set()).update(span.kind for span in spans)
        for at, span in enumerate(spans):
            if len(shown := self.examples.setdefault(span.kind, [])) < NUM_EXAMPLES:
                shown.append(_around(text, spans, at))
        return self.replaced(text, spans)

    def _json_change(self, rows: Sequence[int]) -> Change:
        """As `_change`, for texts that are JSON: only strings and numbers inside change, and it stays JSON."""

        def change(texts: list[str | None]) -> list[str | None]:
            return [self._json(int(rows[at]), text) if text else text for at, text in enumerate(texts)]

        return change

    def _json(self, row: int, text: str, about: str = "") -> str:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        if not isinstance(value, dict | list):
            spans = self.search.find([text], about)[0]
            return self._note(row, text, spans) if spans else text
        before = self.found.total()
        value = self._walk(row, value, about)
        return json.dumps(value, ensure_ascii=False) if self.found.total() > before else text

    def _walk(self, row: int, value: Any, about: str) -> Any:
        if isinstance(value, dict):
            return {name: self._walk(row, inner, str(name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._walk(row, inner, about) for inner in value]
        if isinstance(value, str):
            return self._json(row, value, about) if value.lstrip()[:1] in {"{", "["} else self._leaf(row, value, about)
        if isinstance(value, int | float) and not isinstance(value, bool):
            changed = self._leaf(row, str(value), about)
            return value if changed == str(value) else changed
        return value

    def _leaf(self, row: int, text: str, about: str) -> str:
        spans = self.search.find([text], about)[0] if text else []
        return self._note(row, text, spans) if spans else text

    def _tokens(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Tokens keep their number and their tags: a find over several tokens is dealt out over them."""
        place = batch.schema.get_field_index("tokens")
        sentences = batch.column(place).to_pylist()
        texts, offsets = zip(*(_joined(tokens or []) for tokens in sentences), strict=True) if sentences else ((), ())
        for row, spans in enumerate(self.search.find(list(texts))):
            if spans:
                self._note(row, texts[row], spans)
                sentences[row] = self._dealt(texts[row], list(sentences[row]), offsets[row], spans)
        array = pa.array(sentences, batch.schema.field(place).type)
        return batch.set_column(place, batch.schema.field(place), array)

    def _dealt(self, text: str, tokens: list[str], offsets: Sequence[int], spans: Sequence[Span]) -> list[str]:
        for span in reversed(spans):
            first = max(bisect_right(offsets, span.start) - 1, 0)
            touched = range(first, bisect_left(offsets, span.end))
            made = self.sign(span.kind, text[span.start : span.end])
            parts = _parts(
                made,
                [text[max(span.start, offsets[at]) : min(span.end, offsets[at] + len(tokens[at]))] for at in touched],
            )
            for at, part in zip(touched, parts, strict=True):
                start, token = offsets[at], tokens[at]
                tokens[at] = token[: max(span.start - start, 0)] + part + token[max(span.end - start, 0) :]
        return tokens

    def _answers(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Contexts change, and each answer becomes the piece of the new context that it was of the old."""
        names = [name for name in ("context", "answer", "answer_start") if name in batch.schema.names]
        columns = {name: batch.column(name).to_pylist() for name in names}
        contexts = columns["context"]
        for row, spans in enumerate(self.search.find([text or "" for text in contexts])):
            if not spans:
                continue
            old, contexts[row] = contexts[row], self._note(row, contexts[row], spans)
            answer, start = columns.get("answer", {row: None})[row], columns.get("answer_start", {row: None})[row]
            if answer and start is not None and start >= 0 and old[start : start + len(answer)] == answer:
                first, last = self._moved(old, spans, start, start + len(answer))
                self.num_answers += contexts[row][first:last] != answer
                columns["answer"][row], columns["answer_start"][row] = contexts[row][first:last], first
            elif answer:
                columns["answer"][row] = self._leaf(row, answer, "")
        for name in names:
            place = batch.schema.get_field_index(name)
            field_ = batch.schema.field(place)
            batch = batch.set_column(place, field_, pa.array(columns[name], field_.type))
        return batch

    def _moved(self, old: str, spans: Sequence[Span], start: int, end: int) -> tuple[int, int]:
        """Where a piece stands after the spans were replaced; a span that it cuts comes in whole."""
        cut = [span for span in spans if span.start < end and start < span.end]
        if cut:
            start, end = min(start, cut[0].start), max(end, cut[-1].end)
        shift = self._growth(old, [span for span in spans if span.end <= start])
        return start + shift, end + shift + self._growth(old, cut)

    def _growth(self, old: str, spans: Sequence[Span]) -> int:
        return sum(len(self.sign(span.kind, old[span.start : span.end])) - (span.end - span.start) for span in spans)

    def _look_at_numbers(self, batch: pa.RecordBatch) -> None:
        """Numbers cannot be masked in a column of numbers; what of them looks personal is told."""
        for name in self.columns:
            if pa.types.is_integer(batch.schema.field(name).type):
                values = [str(value) for value in batch.column(name)[:_MAX_SAMPLED].to_pylist() if value is not None]
                spans = [self.search.patterns.find(value, name) for value in values if len(value) > 5]
                if num := sum(map(bool, spans)):
                    self.numbers[name] += num


def columns_of(form: Form, schema: dict[str, str]) -> list[str]:
    """The columns that are looked at by default: texts, and what was kept beside them; not labels, tags and ours."""
    canonical = set(form.columns.names) - {path.split(".")[0] for path in text_paths(form, list(schema))} - {"answer"}
    if form.task.startswith("tabular"):
        canonical = {"label"}
    return [
        name
        for name, kind in schema.items()
        if not name.startswith("_")
        and name not in canonical
        and name != form.label
        and ("string" in kind or "list" in kind or kind.startswith(("int", "uint")))
    ]


def _row_of_each(array: pa.Array) -> Sequence[int]:
    """(M,) the row of each string of a column, as `map_texts` hands them over."""
    if not pa.types.is_list(array.type):
        return range(len(array))
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    rows: list[int] = np.repeat(np.arange(len(array)), lengths).tolist()
    return rows


def _joined(tokens: Sequence[str]) -> tuple[str, list[int]]:
    """The sentence and where each token begins: with blanks between words, without between single Chinese letters."""
    parts, offsets, end = [], [], 0
    close = sum(len(token) for token in tokens) < 1.5 * len(tokens)
    for token in tokens:
        offsets.append(end)
        parts.append(token if close else f"{token} ")
        end += len(parts[-1])
    return "".join(parts), offsets


def _parts(made: str, pieces: Sequence[str]) -> list[str]:
    """What stands in for several tokens, one piece for each: cut alike where that is possible, else the whole each time."""
    if len(pieces) == 1:
        return [made]
    if len(made) == sum(map(len, pieces)) and not made.startswith("["):
        ends = np.cumsum([len(piece) for piece in pieces]).tolist()
        return [made[end - len(piece) : end] for piece, end in zip(pieces, ends, strict=True)]
    words = made.split()
    return words if len(words) == len(pieces) else [made] * len(pieces)


def _around(text: str, spans: Sequence[Span], at: int) -> str:
    """One find with what stands around it, every find masked by its kind: never the value."""
    start, end = max(0, spans[at].start - _CONTEXT_CHARS), min(len(text), spans[at].end + _CONTEXT_CHARS)
    start = next((span.start for span in spans if span.start < start < span.end), start)
    end = next((span.end for span in spans if span.start < end < span.end), end)
    parts, last = ["…" if start else ""], start
    for span in spans:
        if span.start >= start and span.end <= end:
            parts += [text[last : span.start], f"[{span.kind.upper()}]"]
            last = span.end
    return "".join([*parts, text[last:end], "…" if end < len(text) else ""])
