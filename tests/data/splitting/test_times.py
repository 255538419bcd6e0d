"""Times in all the forms that sources have them in."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest

from modelmint.data.splitting.times import UNREADABLE, newest, times_of, written

MOMENT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
MICROS = int(MOMENT.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    "cell",
    [
        MOMENT,
        MOMENT.replace(tzinfo=None),
        MOMENT.astimezone(timezone(timedelta(hours=8))),
        "2026-11-22T08:30:00Z",
        "2026-11-22 08:30",
        "2026/11/22 08:30",
        "2026-11-22T16:30:00+08:00",
        int(MOMENT.timestamp()),
        float(MOMENT.timestamp()),
        str(int(MOMENT.timestamp())),
        int(MOMENT.timestamp()) * 1_000,
        int(MOMENT.timestamp()) * 1_000_000,
        int(MOMENT.timestamp()) * 1_000_000_000,
    ],
)
def test_one_moment_is_one_number_however_it_is_written(cell: object) -> None:
    assert times_of([cell]).tolist() == [MICROS]


@pytest.mark.parametrize("cell", ["2026-11-22", "20261122", 20261122, date(2026, 11, 22), "2026/11/22"])
def test_a_day_is_its_midnight(cell: object) -> None:
    assert written(int(times_of([cell])[0])) == "2026-11-22"


def test_a_month_is_its_first_day() -> None:
    assert written(int(times_of(["2026-11"])[0])) == "2026-11-01"


def test_years_and_counters_order_as_numbers() -> None:
    assert (np.diff(times_of(["7", "12", "1999", 2020])) > 0).all()
    assert written(int(times_of([2020])[0])) == "2020"


@pytest.mark.parametrize(
    "cell", [None, "", "soon", True, float("nan"), float("inf"), "2026-13-01", "9" * 100, [1], b"x"]
)
def test_what_is_no_time_is_unreadable(cell: object) -> None:
    assert times_of([cell]).tolist() == [UNREADABLE]


def test_the_cut_keeps_equal_times_together() -> None:
    assert newest(np.array([1, 1, 2, 2, 2, 3]), 2) == 3


def test_the_cut_is_where_the_number_of_rows_is_nearest() -> None:
    assert newest(np.array([1, 1, 2, 2, 2, 3]), 3) == 2


def test_the_oldest_time_is_never_cut_off() -> None:
    assert newest(np.array([1, 2]), 2) == 2


def test_no_cut_takes_more_rows_than_allowed() -> None:
    assert newest(np.array([1, 2, 2, 2]), 2, most=2) is None
