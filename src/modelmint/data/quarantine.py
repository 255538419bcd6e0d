"""Rows taken out, each with its reason, spooled to disk as they come so that any number of them fits."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from modelmint.core.stage import Desk
from modelmint.core.tables import BATCH_ROWS, QUARANTINE
from modelmint.core.types import Dataset

RAW_CHARS = 2000
"""How much of a row's raw text is kept for the person who looks at it."""

_UNPRINTABLE = str.maketrans({"\0": "\N{SYMBOL FOR NULL}"})


class Quarantine:
    """A growing quarantine dataset. Use it as a context, then call `dataset`. Not thread-safe."""

    def __init__(self, scratch: Path) -> None:
        self.counts: Counter[str] = Counter()
        self._path = scratch / "quarantine.parquet"
        self._rows: list[dict[str, str]] = []
        self._writer: Any = pq.ParquetWriter(self._path, QUARANTINE, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._flush()
        self._writer.close()

    def add(self, *, row: str, reason: str, detail: str, raw: str) -> None:
        """Take one row out.

        Args:
            row: its stable id (`_row`).
            reason: one short machine word.
            detail: for people, with the line or the other row where there is one.
            raw: what was read; cut to `RAW_CHARS`, undecodable bytes written as ``\\x80``, NUL as a sign.
        """
        self.counts[reason] += 1
        self._rows.append({"_row": row, "reason": reason, "detail": printable(detail), "raw": printable(raw)})
        if len(self._rows) >= BATCH_ROWS:
            self._flush()

    def dataset(self, desk: Desk) -> Dataset:
        """Lay the rows down; call it after the context has ended. Adds the fact `reasons`."""
        return desk.dataset(
            "quarantine", self._batches(), schema=QUARANTINE, facts={"reasons": dict(sorted(self.counts.items()))}
        )

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=QUARANTINE))
            self._rows = []

    def _batches(self) -> Iterator[pa.RecordBatch]:
        yield from pq.ParquetFile(self._path).iter_batches(batch_size=BATCH_ROWS)


def printable(raw: str) -> str:
    """Text that can be stored and shown: cut, NUL made visible, what could not be decoded written as escapes."""
    cut = raw[:RAW_CHARS].translate(_UNPRINTABLE)
    try:
        return cut.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a surrogate pair, written as an escape in JSON
        return cut.encode("utf-8", "backslashreplace").decode("utf-8")
