"""One at a time: a stage that another run on this machine is just making is waited for, not made twice in one folder."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_S = 0.25


@contextmanager
def in_turn(path: Path, waiting: Callable[[], None]) -> Iterator[bool]:
    """Hold the lock of that name; the system lets go of it when the process dies, however it dies.

    Args:
        waiting: called again and again while another holds it; what it raises ends the wait.

    Returns:
        Whether there was another.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    was_held = False
    while True:
        with path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                was_held = True
            else:
                if path.exists() and os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                    try:
                        yield was_held
                    finally:
                        path.unlink(missing_ok=True)
                    return
                continue  # its last holder removed it meanwhile
        waiting()
        time.sleep(POLL_S)
