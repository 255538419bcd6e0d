"""Which side of a split each row is on: declared, by time, by fold or drawn; never parting what belongs together."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from modelmint.core.errors import DataError
from modelmint.core.text import mix
from modelmint.data.splitting.rows import SplitRows
from modelmint.data.splitting.strata import strata
from modelmint.data.splitting.times import UNREADABLE, newest
from modelmint.data.splitting.units import Units, cut, deal

TRAIN, VALIDATION, TEST, LEAKED, NO_TIME = range(5)
SETS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}

Sides = npt.NDArray[np.int8]
Folds = npt.NDArray[np.int16]


class Wanted(Protocol):
    """What a split is asked for: fields of `SplitSpec`."""

    @property
    def test(self) -> float: ...
    @property
    def validation(self) -> float: ...
    @property
    def max_validation_rows(self) -> int | None: ...
    @property
    def stratify(self) -> bool: ...
    @property
    def folds(self) -> int | None: ...
    @property
    def fold(self) -> int: ...


def sides(wanted: Wanted, rows: SplitRows, units: Units, declared: Sides, seed: int) -> tuple[Sides, Folds | None]:
    """The side (N,) of each row, and where there are folds the fold (N,) of each.

    Args:
        declared: (N,) the sides that the source declares; a set with no row is cut from training.

    A row is `LEAKED` when a row of its unit is in a higher set (test above validation above training) that was
    declared or cut by time: it can then be on neither side. It is `NO_TIME` when it has none to be cut by.

    Raises:
        DataError: too few rows or units for the folds, or all rows have one time.
    """
    side = declared.copy()
    missing = {code: not (declared == code).any() for code in (VALIDATION, TEST)}
    if rows.times is not None and rows.each is not None:
        _last_of_each(wanted, rows, rows.times, rows.each, side, missing, seed)
    elif rows.times is not None:
        _by_time(wanted, rows.times, side, missing)
    above = units.highest(side)
    side[(above > side) & (side == TRAIN)] = LEAKED
    side[(above == TEST) & (side == VALIDATION)] = LEAKED
    if rows.times is not None:
        side[(side == TRAIN) & (rows.times == UNREADABLE)] = NO_TIME
        return side, None
    label = strata(rows.form, rows.index, rows.targets) if wanted.stratify else np.zeros_like(rows.index.label)
    free = side == TRAIN
    num_test = quota(wanted.test, int(free.sum())) if missing[TEST] else 0
    fold = None
    if wanted.folds:
        fold = _folds(wanted.folds, units, label, seed)
        side[fold == wanted.fold] = TEST
        num_test = int((side == TEST).sum())
    else:
        side[cut(units, label, free, num_test, seed=seed)] = TEST
    num_validation = quota(wanted.validation, int(free.sum()) - num_test) if missing[VALIDATION] else 0
    if wanted.max_validation_rows is not None:
        num_validation = min(num_validation, wanted.max_validation_rows)
    side[cut(units, label, side == TRAIN, num_validation, seed=seed + 1)] = VALIDATION
    return side, fold


def quota(size: float, num_rows: int) -> int:
    """A share of rows (below 1) or a number of them (1 and above), as a number."""
    return round(size * num_rows) if size < 1 else min(int(size), num_rows)


def _folds(num_folds: int, units: Units, label: npt.NDArray[np.int32], seed: int) -> Folds:
    if units.num < num_folds:
        raise DataError(
            f"folds: each of the {num_folds} folds needs rows of its own; {len(label):,} rows make {units.num:,} units of "
            "rows that stay together",
            parameter="folds",
            remedy="Set fewer folds, or switch off what keeps rows together (`group`, `cluster`, `together`).",
        )
    return deal(units, label, num_folds, seed=seed)


def _last_of_each(
    wanted: Wanted, rows: SplitRows, times: Any, each: Any, side: Sides, missing: dict[int, bool], seed: int
) -> None:
    """Of the rows of each value the newest are test, those before them validation; equal times go by their texts."""
    num_test, num_validation = (
        max(1, int(size)) if size and missing[code] else 0
        for code, size in ((TEST, wanted.test), (VALIDATION, wanted.validation))
    )
    free = np.flatnonzero((side == TRAIN) & (each >= 0) & (times != UNREADABLE))
    owner, fingerprint = each[free], rows.index.fingerprint[free]
    order = free[np.lexsort((mix(fingerprint, seed), times[free], owner))]
    starts = np.flatnonzero(np.diff(each[order], prepend=-1))
    size = np.diff(starts, append=len(order))
    from_end = np.repeat(starts + size, size) - np.arange(len(order))  # 1 is the newest
    enough = np.repeat(size > num_test + num_validation, size)
    side[order[enough & (from_end <= num_test)]] = TEST
    side[order[enough & (from_end > num_test) & (from_end <= num_test + num_validation)]] = VALIDATION


def _by_time(wanted: Wanted, times: Any, side: Sides, missing: dict[int, bool]) -> None:
    """The newest rows are test, the newest of the others validation; declared sets stay."""
    for code, size, most in ((TEST, wanted.test, None), (VALIDATION, wanted.validation, wanted.max_validation_rows)):
        free = (side == TRAIN) & (times != UNREADABLE)
        num_wanted = quota(size, int(free.sum())) if missing[code] else 0
        if num_wanted < 1:
            continue
        since = newest(times[free], min(num_wanted, most or num_wanted), most=most)
        if since is not None:
            side[free & (times >= since)] = code
        elif code == TEST:
            raise DataError(
                "time: the rows must have at least two different times, or the newest cannot be told from the others; "
                f"all {int(free.sum()):,} rows have one",
                parameter="time",
                remedy="Give a column with finer times, or leave `time` out.",
            )
