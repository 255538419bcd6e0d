"""A worker that kills itself (SIGKILL) at a named point: ``python dying_worker.py HOME POINT NTH``.

The product's own code runs; only the call at the point is preceded or followed by the kill.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from modelmint.catalog.blobs import LocalBlobs
from modelmint.catalog.catalog import Catalog
from modelmint.core.settings import Settings
from modelmint.loop import durable, runner, worker

POINTS: dict[str, tuple[Any, str, str]] = {
    "claimed, not begun": (durable.Durable, "start", "before"),
    "begun": (runner, "begin", "after"),
    "stage answered, nothing published": (Catalog, "publish", "before"),
    "first blob in the store": (LocalBlobs, "adopt", "after"),
    "first row written, not committed": (Catalog, "_insert", "after"),
    "published, not told": (Catalog, "publish", "after"),
    "told, step not recorded": (runner, "run_stage", "after"),
    "all stages done, run not ended": (runner, "finish", "before"),
    "run ended, workflow not recorded": (runner, "finish", "after"),
}


def main() -> None:
    home, point, nth = sys.argv[1], sys.argv[2], int(sys.argv[3])
    owner, name, when = POINTS[point]
    setattr(owner, name, dying(getattr(owner, name), when, nth))
    worker.work(Settings.read(home=home), threading.Event())


def dying(function: Callable[..., Any], when: str, nth: int) -> Callable[..., Any]:
    calls = 0

    def wrapped(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if when == "before" and calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **named)
        if when == "after" and calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


if __name__ == "__main__":
    main()
