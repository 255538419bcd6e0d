"""What a split must know of each row: a few numbers, so that any number of rows fits in memory."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelmint.core.errors import DataError
from modelmint.core.forms import Form, form_of
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import Dataset
from modelmint.data.index import Indexer, RowIndex
from modelmint.data.splitting.times import UNREADABLE, times_of

Ints = npt.NDArray[np.int64]

NUM_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class SplitRows:
    """N rows in the order of the dataset."""

    form: Form
    index: RowIndex
    keys: dict[str, Ints]
    """By what rows are kept together beside their text: a column's name -> (N,) a number a value, -1 for none."""
    each: Ints | None
    """(N,) what is cut by itself: a number a value of that column, -1 for none."""
    times: Ints | None
    """(N,) microseconds since 1970, or `UNREADABLE`."""
    unread: Sequence[str]
    """The first rows whose time cannot be read, with their cells."""
    targets: npt.NDArray[np.float64] | None
    """(N,) what a regression predicts, NaN where it is missing."""

    def __len__(self) -> int:
        return len(self.index)


def read_rows(
    data: Dataset, ctx: StageContext, *, keys: Sequence[str], time: str | None, each: str | None = None
) -> SplitRows:
    """Read every row once.

    Args:
        keys: columns whose equal values keep rows together.
        time: the column of times.
        each: the column each of whose values is cut by itself.

    Raises:
        DataError: one of these columns is not there, or most rows have no time that can be read.
    """
    form = form_of(data)
    columns = _columns(data, form, keys, time, each)
    indexer, values, times = Indexer(form), {name: [np.empty(0, np.uint64)] for name in keys}, [np.empty(0, np.int64)]
    targets: list[Any] = [np.empty(0)]
    owners: list[Any] = [np.empty(0, np.uint64)]
    unread, num_unread, num_done = list[str](), 0, 0
    for batch in batches(data, columns):
        ctx.check()
        for name in keys:
            values[name].append(_hashes(batch.column(name).to_pylist()))
        if each is not None:
            owners.append(_hashes(batch.column(each).to_pylist()))
        if time is not None:
            cells = batch.column(time).to_pylist()
            times.append(times_of(cells))
            wrong = np.flatnonzero(times[-1] == UNREADABLE).tolist()
            num_unread += len(wrong)
            named = wrong[: NUM_NAMED - len(unread)]
            unread += [f"{batch.column('_row')[at].as_py()} ({str(cells[at])[:40]!r})" for at in named]
        if form.predicts == "number":
            targets.append(_floats(batch.column(str(form.label))))
            place = batch.schema.get_field_index(str(form.label))  # one label for all: no list of distinct numbers
            batch = batch.set_column(place, "label", pa.nulls(batch.num_rows, pa.string()))  # noqa: PLW2901
        for _ in indexer.see([batch]):
            num_done += batch.num_rows
        ctx.say(num_done, data.num_rows * 2, f"{num_done:,} rows read")
    if num_unread * 2 > num_done:
        raise DataError(
            f"time: rows must have a time in column {time!r}; {num_unread:,} of {num_done:,} rows have none that can "
            f"be read: {', '.join(unread)}{' and more' if num_unread > len(unread) else ''}",
            parameter="time",
            remedy="Give a column of ISO 8601 dates (2026-11-22) or of epoch numbers.",
        )
    return SplitRows(
        form=form,
        index=indexer.index(),
        keys={name: _numbered(np.concatenate(parts)) for name, parts in values.items()},
        each=_numbered(np.concatenate(owners)) if each is not None else None,
        times=np.concatenate(times) if time is not None else None,
        unread=unread,
        targets=np.concatenate(targets) if form.predicts == "number" else None,
    )


def _columns(data: Dataset, form: Form, keys: Sequence[str], time: str | None, each: str | None) -> list[str]:
    there = list(data.facts["columns"])
    for parameter, name in (*(("together", name) for name in keys), ("time", time), ("each", each)):
        if name is not None and name not in there:
            raise DataError(
                f"{parameter}: must be a column of the data; {name!r} is none of {', '.join(map(repr, there[:30]))}",
                parameter=parameter,
                remedy=f"Set `{parameter}` of the split stage to a column that is there.",
            )
    wanted = {"_row", "_split", *form.columns.names, *keys, *(name for name in (time, each) if name)}
    tabular = form.task.startswith("tabular")
    return [name for name in there if name in wanted or (tabular and not name.startswith("_"))]


_NONE = np.uint64(0)


def _hashes(cells: Sequence[Any]) -> npt.NDArray[np.uint64]:
    """(N,) a 64-bit digest of each value; `_NONE` where there is none, so that empty cells join nothing."""
    digests = b"".join(
        bytes(8)
        if cell is None or cell == ""
        else hashlib.blake2b(str(cell).encode("utf-8", "replace"), digest_size=8).digest()
        for cell in cells
    )
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _numbered(hashes: npt.NDArray[np.uint64]) -> Ints:
    distinct, number = np.unique(hashes, return_inverse=True)
    shift = int(len(distinct) > 0 and distinct[0] == _NONE)
    return np.asarray(number.astype(np.int64) - shift)


def _floats(column: pa.Array) -> npt.NDArray[np.float64]:
    """Numbers, NaN where a cell is none."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return np.asarray(pc.fill_null(pc.cast(column, pa.float64()), np.nan).to_numpy(zero_copy_only=False))
    return np.array([_float(cell) for cell in column.to_pylist()], np.float64)


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")
