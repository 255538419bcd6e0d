"""What a dataset holds, counted while its rows pass: labels, splits, lengths, languages, cells. No row is kept but a few."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelmint.core.forms import Form, contents, text_paths
from modelmint.core.language.languages import detect
from modelmint.core.types import JSON
from modelmint.data.sources.columns_census import ColumnCensus

MAX_LENGTH = 65_535
"""Lengths are counted one by one up to this; longer ones together."""
NUM_BINS = 40
_SAMPLED_A_BATCH = 64
_MAX_SAMPLED = 1_000
_SAMPLED_CHARS = 500
_NUM_SHOWN = 5
_SURE_SHARE = 0.5

_Lengths = npt.NDArray[np.int64]


class Census:
    """Counts over the batches of a dataset of one form. Not thread-safe."""

    def __init__(self, form: Form, schema: pa.Schema) -> None:
        self.form = form
        self.num_rows = 0
        self.labels: Counter[str] = Counter()
        self.splits: Counter[str] = Counter()
        self.shown: list[JSON] = []
        self.columns = ColumnCensus(schema)
        self._lengths = np.zeros(MAX_LENGTH + 2, np.int64)
        self._num_chars = 0
        self._texts: list[str] = []

    def see(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch."""
        self.num_rows += batch.num_rows
        self.columns.see(batch)
        if "_split" in batch.schema.names:
            self.splits.update(_counts(batch.column("_split")))
        if self.form.predicts not in ("nothing", "number"):
            self.labels.update(_counts(batch.column(self.form.label)))
        if (lengths := row_lengths(batch, self.form)) is not None:
            self._lengths += np.bincount(np.minimum(lengths, MAX_LENGTH + 1), minlength=MAX_LENGTH + 2)
            self._num_chars += int(lengths.sum())
        if len(self.shown) < _NUM_SHOWN:
            self.shown += batch.slice(0, _NUM_SHOWN - len(self.shown)).to_pylist()
        self._sample(batch)

    def languages(self, declared: str | None) -> JSON:
        """The facts `language` (declared, or the one that most of the sampled texts are in) and `languages` (shares)."""
        found = {name: round(share, 3) for name, share in detect(self._texts).items()} if self._texts else {}
        main = max(found, key=lambda name: found[name], default=None)
        sure = main if main is not None and main != "und" and found[main] >= _SURE_SHARE else None
        return {"language": declared or sure, "language_declared": declared is not None, "languages": found}

    def lengths(self) -> JSON:
        """Quantiles, mean and a histogram of the rows' lengths: characters, or tokens; empty where rows are no texts."""
        total = int(self._lengths.sum())
        if not total:
            return {}
        ends = np.cumsum(self._lengths)
        at = {f"p{share}": int(np.searchsorted(ends, total * share / 100)) for share in (5, 50, 95, 99)}
        longest = int(np.flatnonzero(self._lengths)[-1])
        return {
            "unit": "tokens" if self.form.task == "token-classification" else "characters",
            "mean": round(self._num_chars / total, 1),
            **at,
            "max": longest,
            "histogram": list(self._bins(max(1, min(longest, at["p99"] * 5 // 4 + 1)))),
        }

    def _bins(self, top: int) -> Iterator[tuple[int, int, int]]:
        """(low, high, rows) up to `top`; the last holds all that is longer."""
        width = -(-(top + 1) // NUM_BINS)
        for low in range(0, top + 1, width):
            last = low + width > top
            yield low, low + width, int(self._lengths[low : None if last else low + width].sum())

    def _sample(self, batch: pa.RecordBatch) -> None:
        if not self.form.texts or len(self._texts) >= _MAX_SAMPLED:
            return
        step = max(1, batch.num_rows // _SAMPLED_A_BATCH)
        some = batch.take(pa.array(range(0, batch.num_rows, step)[:_SAMPLED_A_BATCH], pa.int64()))
        self._texts += [text[:_SAMPLED_CHARS] for text in contents(some, self.form) if text.strip()]


def row_lengths(batch: pa.RecordBatch, form: Form) -> _Lengths | None:
    """(N,) how many characters each row's texts have, or how many tokens; None for a form without texts."""
    if form.task == "token-classification":
        return np.asarray(pc.fill_null(pc.list_value_length(batch.column("tokens")), 0), np.int64)
    if not form.texts:
        return None
    lengths = np.zeros(batch.num_rows, np.int64)
    for path in text_paths(form, batch.schema.names):
        name, *fields = path.split(".")
        lengths += _lengths(batch.column(name), fields)
    return lengths


def _lengths(array: Any, fields: Sequence[str]) -> _Lengths:
    if pa.types.is_list(array.type):
        inner = np.concatenate([np.zeros(1, np.int64), np.cumsum(_lengths(array.values, fields))])
        offsets = array.offsets.to_numpy()
        return np.asarray(inner[offsets[1:]] - inner[offsets[:-1]], np.int64)
    if pa.types.is_struct(array.type):
        return _lengths(array.field(fields[0]), fields[1:])
    return np.asarray(pc.fill_null(pc.utf8_length(array), 0), np.int64)


def _counts(column: Any) -> dict[str, int]:
    values = column.flatten() if pa.types.is_list(column.type) else column
    return {
        str(each["values"]): int(each["counts"])
        for each in values.value_counts().to_pylist()
        if each["values"] is not None
    }
