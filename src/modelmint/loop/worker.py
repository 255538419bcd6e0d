"""The worker: ``python -m modelmint.loop.worker``. It takes queued runs up and carries them to their end.

It may be killed at any moment: its slot's unfinished runs go on when a worker takes the slot again, or are handed to
another living worker.
"""

import argparse
import os
import signal
import threading
from types import FrameType

import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.catalog.schema import runs
from modelmint.core.settings import Settings
from modelmint.loop import durable, leases
from modelmint.loop.processes import die_with_parent
from modelmint.loop.supervise import sweep

POLL_S = 0.2


def main() -> None:
    """The entry of the worker process."""
    parser = argparse.ArgumentParser(prog="modelmint-worker")
    parser.add_argument("--home", required=True)
    parser.add_argument("--parent", type=int, default=None)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command that we belong to
    work(Settings.read(home=arguments.home), stop)
    os._exit(0)  # the engine's threads are slow to end and hold nothing that a kill could harm


def work(settings: Settings, stop: threading.Event) -> None:
    """Take slots, take runs, renew the lease and watch the other workers', until `stop` is set."""
    catalog = Catalog(settings)
    sweep(catalog)
    slot = leases.take_slot(catalog.engine)
    durable.use(lambda tenant: Catalog(settings, tenant))
    engine = durable.Durable(settings, slot)
    try:
        turns = 0
        while not stop.wait(POLL_S):
            if turns % round(leases.RENEW_S / POLL_S) == 0:
                if not leases.renew(catalog.engine, slot):
                    return
                _take_over(catalog, engine, slot)
            turns += 1
            for tenant, run in _claim(catalog, slot, settings.workers):
                engine.start(tenant, run)
    finally:
        leases.release(catalog.engine, slot)


def _claim(catalog: Catalog, slot: str, limit: int) -> list[tuple[str, str]]:
    """Queued runs, oldest first, as far as this worker has room; they are ours from here on."""
    with catalog.engine.connect() as connection:
        waiting = connection.execute(sa.select(runs.c.id).where(runs.c.status == "queued").limit(1)).first()
        if waiting is None:
            return []
        busy = (
            connection.execute(
                sa.select(sa.func.count()).where(runs.c.status == "running", runs.c.worker == slot)
            ).scalar()
            or 0
        )
    if busy >= limit:
        return []
    query = (
        sa.select(runs.c.tenant, runs.c.id)
        .where(runs.c.status == "queued")
        .order_by(runs.c.created_at, runs.c.id)
        .limit(limit - busy)
    )
    with writing(catalog.engine) as connection:
        locked = query.with_for_update(skip_locked=True) if catalog.engine.dialect.name == "postgresql" else query
        claimed = [(row.tenant, row.id) for row in connection.execute(locked)]
        for tenant, run in claimed:
            connection.execute(
                runs.update().where(runs.c.tenant == tenant, runs.c.id == run).values(status="running", worker=slot)
            )
    return claimed


def _take_over(catalog: Catalog, engine: durable.Durable, slot: str) -> None:
    """Adopt the runs of dead workers: those the engine knows, and those claimed but never begun."""
    for dead in leases.dead_slots(catalog.engine):
        engine.take_over(dead)
        leases.drop(catalog.engine, dead)
    _adopt_unbegun(catalog, engine, slot)


def _adopt_unbegun(catalog: Catalog, engine: durable.Durable, slot: str) -> None:
    """A run that is marked as ours but that the engine has not begun (we died in between): begin it; it is begun once."""
    with catalog.engine.connect() as connection:
        known = {row.slot for row in connection.execute(sa.text("select slot from workers"))}
        stranded = [
            (row.tenant, row.id)
            for row in connection.execute(
                sa.select(runs.c.tenant, runs.c.id, runs.c.worker).where(
                    runs.c.status == "running", runs.c.started_at.is_(None)
                )
            )
            if row.worker == slot or row.worker not in known
        ]
    for tenant, run in stranded:
        engine.start(tenant, run)


if __name__ == "__main__":
    main()
