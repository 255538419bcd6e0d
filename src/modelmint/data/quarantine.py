"""Rows taken out, each with its reason, spooled to disk as they come so that any number of them fits."""

import base64
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from modelmint.core.stage import Desk
from modelmint.core.tables import BATCH_BYTES, BATCH_ROWS, QUARANTINE
from modelmint.core.types import Dataset

RAW_CHARS = 2000
"""How much of a row's raw text is kept for the person who looks at it."""
NUM_EXAMPLES = 3
"""How many rows of each reason are kept as `Quarantine.examples`, for a report."""
EXAMPLE_CHARS = 300
MAX_CELLS_CHARS = 16 << 20
"""How long a row's cells may be as JSON; a longer row is named in quarantine, but cannot be put back."""

_UNPRINTABLE = str.maketrans({"\0": "\N{SYMBOL FOR NULL}"})


class Quarantine:
    """A growing quarantine dataset. Use it as a context, then call `dataset`. Not thread-safe."""

    def __init__(self, scratch: Path) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[dict[str, str]]] = {}
        self._path = scratch / "quarantine.parquet"
        self._rows: list[dict[str, str | None]] = []
        self._num_chars = 0
        self._writer: Any = pq.ParquetWriter(self._path, QUARANTINE, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._flush()
        self._writer.close()

    def add(self, *, row: str, reason: str, detail: str, raw: str, cells: str | None = None) -> None:
        """Take one row out.

        Args:
            row: its stable id (`_row`).
            reason: one short machine word.
            detail: for people, with the line or the other row where there is one.
            raw: what was read; cut to `RAW_CHARS`, undecodable bytes written as ``\\x80``, NUL as a sign.
            cells: the whole row by `cells_of`, by which it can be put back.
        """
        self.counts[reason] += 1
        shown = {"_row": row, "reason": reason, "detail": printable(detail), "raw": printable(raw)}
        if len(first := self.examples.setdefault(reason, [])) < NUM_EXAMPLES:
            first.append({"detail": shown["detail"], "raw": shown["raw"][:EXAMPLE_CHARS]})
        self._rows.append({**shown, "cells": cells or None})
        self._num_chars += len(cells or "")
        if len(self._rows) >= BATCH_ROWS or self._num_chars >= BATCH_BYTES:
            self._flush()

    def dataset(self, desk: Desk) -> Dataset:
        """Lay the rows down; call it after the context has ended. Adds the fact `reasons`."""
        return desk.dataset(
            "quarantine", self._batches(), schema=QUARANTINE, facts={"reasons": dict(sorted(self.counts.items()))}
        )

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=QUARANTINE))
            self._rows, self._num_chars = [], 0

    def _batches(self) -> Iterator[pa.RecordBatch]:
        yield from pq.ParquetFile(self._path, pre_buffer=False).iter_batches(batch_size=BATCH_ROWS)


def cells_of(batch: pa.RecordBatch, place: int) -> str:
    """One row of a batch as JSON without its null cells; empty where that is longer than `MAX_CELLS_CHARS`.

    What JSON lacks is an object with one key: ``{"$bytes": base64}``, ``{"$float": "nan"}``, ``{"$text": "2026-11-22"}``.
    """
    return cells_at(batch, [place])[0]


def cells_at(batch: pa.RecordBatch, places: Sequence[int]) -> list[str]:
    """`cells_of` for many rows at once."""
    taken = batch.take(pa.array(places, pa.int64())).to_pylist()
    return [_json({name: cell for name, cell in row.items() if cell is not None}) for row in taken]


def _json(row: dict[str, Any]) -> str:
    num_bytes = sum(len(cell) for cell in row.values() if isinstance(cell, str | bytes))
    if num_bytes > MAX_CELLS_CHARS:  # not worth writing out
        return ""
    if any(isinstance(cell, float) and not math.isfinite(cell) for cell in row.values()):
        row = {name: _plain(cell) if isinstance(cell, float) else cell for name, cell in row.items()}
    written = json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return written if len(written) <= MAX_CELLS_CHARS else ""


def _plain(cell: Any) -> Any:
    if isinstance(cell, bytes):
        return {"$bytes": base64.b64encode(cell).decode("ascii")}
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else {"$float": str(cell)}
    return {"$text": str(cell)}


def printable(raw: str) -> str:
    """Text that can be stored and shown: cut, NUL made visible, what could not be decoded written as escapes."""
    cut = raw[:RAW_CHARS].translate(_UNPRINTABLE)
    try:
        return cut.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a surrogate pair, written as an escape in JSON
        return cut.encode("utf-8", "backslashreplace").decode("utf-8")
