"""Child processes that never outlive us, and the names by which processes know each other."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1


def start(
    module: str,
    *arguments: str,
    stdout: int | None = None,
    stderr: int | None = None,
    home: Path | None = None,
    isolated: bool = False,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[str]:
    """Start ``python -m module`` in a process group of its own; it is killed when this process dies, however it dies.

    Args:
        home: becomes MODELMINT_HOME.
        isolated: none of our own variables are passed on, so that the child has nothing but its arguments.
    """
    environ = {name: value for name, value in os.environ.items() if not (isolated and name.startswith("MODELMINT_"))}
    environ["PYTHONUNBUFFERED"] = "1"
    if home is not None:
        environ["MODELMINT_HOME"] = str(home)
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        text=True,
        start_new_session=True,
        env=environ,
        pass_fds=pass_fds,
    )


def die_with_parent(parent: int | None = None) -> None:
    """Called first thing in a child: ask the kernel to kill us when the parent thread's process dies."""
    if sys.platform == "linux":
        with suppress(OSError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:  # it died before the request was in place
        os._exit(1)


def end(child: subprocess.Popen[str], *, grace_s: float = 0.5) -> None:
    """End a child and everything below it: politely, then not."""
    try:
        family = psutil.Process(child.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(grace_s)
            psutil.wait_procs(family, timeout=grace_s)
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def own_name() -> str:
    """This process, by number and start: a name that no later process has."""
    return process_name(os.getpid()) or ""


def process_name(pid: int) -> str | None:
    try:
        return f"{pid}@{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return None


def is_alive(name: str) -> bool:
    """Whether the process of that name (on this host) still runs."""
    pid = int(name.partition("@")[0] or 0)
    with suppress(psutil.NoSuchProcess):
        return process_name(pid) == name and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def host() -> str:
    return socket.gethostname()
