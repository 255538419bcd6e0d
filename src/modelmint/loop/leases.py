"""Which workers live. A worker holds a numbered slot and renews it; a slot whose holder is dead can be taken."""

from datetime import timedelta

import sqlalchemy as sa

from modelmint.catalog.database import writing
from modelmint.catalog.schema import workers
from modelmint.core.clock import aware, now
from modelmint.loop.processes import host, is_alive, own_name

LEASE_S = 15.0
RENEW_S = 1.0


def take_slot(engine: sa.Engine) -> str:
    """The lowest slot that no living worker holds, now ours."""
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("select pg_advisory_xact_lock(7030682)"))
        held = {row["slot"]: row for row in connection.execute(sa.select(workers)).mappings()}
        slot = next(
            name
            for name in (f"worker-{number}" for number in range(len(held) + 1))
            if name not in held or not _lives(held[name])
        )
        connection.execute(workers.delete().where(workers.c.slot == slot))
        connection.execute(workers.insert().values(slot=slot, host=host(), process=own_name(), renewed_at=now()))
    return slot


def renew(engine: sa.Engine, slot: str) -> bool:
    """False when another process has taken the slot: this worker must end."""
    ours = sa.and_(workers.c.slot == slot, workers.c.process == own_name(), workers.c.host == host())
    with writing(engine) as connection:
        return connection.execute(workers.update().where(ours).values(renewed_at=now())).rowcount == 1


def release(engine: sa.Engine, slot: str) -> None:
    with writing(engine) as connection:
        connection.execute(workers.delete().where(workers.c.slot == slot, workers.c.process == own_name()))


def dead_slots(engine: sa.Engine) -> list[str]:
    """Slots whose holder is gone."""
    with engine.connect() as connection:
        return [row["slot"] for row in connection.execute(sa.select(workers)).mappings() if not _lives(row)]


def drop(engine: sa.Engine, slot: str) -> None:
    with writing(engine) as connection:
        connection.execute(workers.delete().where(workers.c.slot == slot))


def living(engine: sa.Engine) -> int:
    """How many workers live."""
    with engine.connect() as connection:
        return sum(_lives(row) for row in connection.execute(sa.select(workers)).mappings())


def _lives(row: sa.RowMapping) -> bool:
    if row["host"] == host():
        return is_alive(row["process"])
    return bool(now() - aware(row["renewed_at"]) < timedelta(seconds=LEASE_S))
