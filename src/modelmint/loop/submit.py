"""Handing a run to a worker and watching it: a worker that lives takes it, else one is started for as long as we watch."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from modelmint.catalog.catalog import Catalog
from modelmint.core.types import JSON
from modelmint.loop import leases
from modelmint.loop.plan import Plan
from modelmint.loop.processes import end, start
from modelmint.loop.runs import ENDED, create_run, request_cancel, run_row, run_summary, stage_rows, unfinished

POLL_S = 0.15
CANCEL_S = 5.0

Watcher = Callable[[Mapping[str, Any], Sequence[Mapping[str, Any]]], None]
"""Called with the run's row and its stages' rows whenever they are read."""


def run_plan(catalog: Catalog, plan: Plan, watch: Watcher | None = None) -> JSON:
    """Run a plan to its end and return its summary. Ctrl-C cancels the run.

    A run of the very same plan that has not ended (its command was killed, say) is gone on with.

    Raises:
        NotFoundError: the plan begins from an artifact, or a name of one, that is not there.
    """
    plan = plan.pinned(lambda item: catalog.get(item).id)
    return follow(catalog, unfinished(catalog, plan) or create_run(catalog, plan), watch)


def follow(catalog: Catalog, run: str, watch: Watcher | None = None) -> JSON:
    """Watch a run that is queued or under way to its end; it goes on where it stopped if its worker died.

    Raises:
        NotFoundError: no such run.
        KeyboardInterrupt: passed on after the run was cancelled.
    """
    with _worker(catalog) as ensure:
        try:
            _until_ended(catalog, run, watch, ensure)
        except KeyboardInterrupt:
            request_cancel(catalog, run)
            _until_ended(catalog, run, watch, ensure, limit_s=CANCEL_S)
            raise
    return run_summary(catalog, run)


def _until_ended(
    catalog: Catalog, run: str, watch: Watcher | None, ensure: Callable[[], None], limit_s: float | None = None
) -> None:
    deadline = time.monotonic() + limit_s if limit_s else None
    turns = 0
    while True:
        row = run_row(catalog, run)
        if watch is not None:
            watch(row, stage_rows(catalog, run))
        if row["status"] in ENDED or (deadline and time.monotonic() > deadline):
            return
        if turns % 10 == 0:
            ensure()
        turns += 1
        time.sleep(POLL_S)


@contextmanager
def _worker(catalog: Catalog) -> Iterator[Callable[[], None]]:
    """A function that sees to it that a worker lives; the one that we started ends with us."""
    own: list[subprocess.Popen[str]] = []

    def ensure() -> None:
        if own and own[-1].poll() is None:
            return
        if leases.living(catalog.engine) == 0:
            catalog.settings.logs.mkdir(parents=True, exist_ok=True)
            with (catalog.settings.logs / "worker.log").open("a") as sink:
                own.append(
                    start(
                        "modelmint.loop.worker",
                        "--home",
                        str(catalog.settings.home),
                        "--parent",
                        str(os.getpid()),
                        stdout=sink.fileno(),
                        stderr=sink.fileno(),
                        home=catalog.settings.home,
                    )
                )

    try:
        yield ensure
    finally:
        for worker in own:
            end(worker, grace_s=2.0)
