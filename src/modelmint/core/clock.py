"""The one place that reads the clock. Times are UTC; durations come from the monotonic clock."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Seconds that never run backwards; only differences mean anything."""
    return time.monotonic()


def aware(time: datetime) -> datetime:
    """A time from the database, with its zone: SQLite gives times back without it; ours are all UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
