"""Times of rows, in whatever form a source has them, as numbers that can be compared; and a cut between old and new."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MAX_CHARS = 64
UNREADABLE = np.iinfo(np.int64).min
"""Stands for a cell that is no time."""
_MICRO = 1_000_000
_NUMBER = re.compile(r"[+-]?\d{1,19}(?:\.\d{1,9})?")
_DAY = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])")
_FIRST_DATE = 100_000_000  # seconds: smaller numbers (years, counters) are shown as they are
_UNITS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (np.inf, 1_000_000_000))


def times_of(cells: Sequence[Any]) -> Ints:
    """(N,) microseconds since 1970 in UTC, or `UNREADABLE`.

    Read are dates and times of Arrow; ISO 8601 (``2026-11-22``, ``2026-11-22T08:30:00+08:00``, ``20261122``, ``2026-11``,
    with a slash for a hyphen too); and epoch numbers in seconds, milliseconds, micro- or nanoseconds, which their size
    tells apart. A time without a zone counts as UTC. Any other number orders as it is (a year, a counter).
    """
    return np.fromiter((_micros(cell) for cell in cells), np.int64, len(cells))


def seconds_of(cell: Any) -> float | None:
    """One time in seconds since 1970 in UTC, read as by `times_of`; None where it cannot be read."""
    micros = _micros(cell)
    return None if micros == UNREADABLE else micros / _MICRO


def newest(times: Ints, num_wanted: int, *, most: int | None = None) -> int | None:
    """The time from which on there are about `num_wanted` rows; equal times are never parted.

    Args:
        most: never more rows than this.

    Returns:
        None where that would be no row or all of them.
    """
    distinct, counts = np.unique(times, return_counts=True)
    if num_wanted < 1 or len(distinct) < 2:
        return None
    rows = np.cumsum(counts[:0:-1])  # from the newest on; the oldest time always stays behind
    if most is not None:
        rows = rows[: int(np.searchsorted(rows, most, side="right"))]
    if not len(rows):
        return None
    return int(distinct[-1 - int(np.abs(rows - num_wanted).argmin())])


def written(micros: int) -> str:
    """``2026-11-22T08:30:00Z``, the day alone at midnight, or the number itself where it is no date."""
    seconds, rest = divmod(micros, _MICRO)
    if abs(seconds) < _FIRST_DATE or not -62_135_596_800 <= seconds < 253_402_300_800:
        return f"{seconds + rest / _MICRO:g}" if rest else str(seconds)
    moment = datetime.fromtimestamp(seconds, UTC)
    midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.date().isoformat() if midnight else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _micros(cell: Any) -> int:
    if isinstance(cell, bool) or cell is None:
        return UNREADABLE
    if isinstance(cell, datetime):
        return _of_moment(cell)
    if isinstance(cell, date):
        return _of_moment(datetime(cell.year, cell.month, cell.day, tzinfo=UTC))
    if isinstance(cell, int | float | Decimal):
        return _of_text(str(cell)) if isinstance(cell, int) else _of_number(float(cell))
    return _of_text(cell.strip()) if isinstance(cell, str) and len(cell) <= MAX_CHARS else UNREADABLE


def _of_text(text: str) -> int:
    if _NUMBER.fullmatch(text) and not _DAY.fullmatch(text):
        return _of_number(float(text)) if "." in text else _of_whole(int(text))
    iso = text.replace("/", "-")
    try:
        return _of_moment(datetime.fromisoformat(f"{iso}-01" if _MONTH.fullmatch(iso) else iso))
    except ValueError:
        return UNREADABLE


def _of_number(value: float) -> int:
    if not np.isfinite(value) or abs(value) > 9e18:
        return UNREADABLE
    per_second = next(factor for limit, factor in _UNITS if abs(value) < limit)
    return round(value / per_second * _MICRO)


def _of_whole(value: int) -> int:
    """As `_of_number`, exactly."""
    if abs(value) > 9e18:
        return UNREADABLE
    per_second = next(factor for limit, factor in _UNITS if abs(value) < limit)
    return value * _MICRO // per_second


def _of_moment(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * _MICRO + since.microseconds
