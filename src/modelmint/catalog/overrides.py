"""Overrides: refused gates that a person let pass, each for one run, with who, when and why. Rows are only ever added."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from modelmint.catalog.audit import note
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.catalog.schema import overrides, run_stages, runs
from modelmint.core.clock import aware, now
from modelmint.core.types import JSON

ACTION = "run.override"
"""What it is called in the audit log."""


@dataclass(frozen=True, kw_only=True)
class Override:
    """One refused stage of one run that went on all the same. `report` is the artifact that later stages read."""

    run: str
    position: int
    stage: str
    report: str
    actor: str
    reason: str
    created_at: datetime

    def to_dict(self) -> JSON:
        return {
            "stage": self.stage,
            "by": self.actor,
            "at": self.created_at.isoformat(),
            "reason": self.reason,
            "report": self.report,
        }


def add_override(
    catalog: Catalog, *, run: str, position: int, stage: str, report: str, actor: str, reason: str, refused: list[str]
) -> bool:
    """Note that a person lets a refused stage pass, and queue its run again, in one transaction with the audit entry.

    Returns:
        False, and nothing is changed, where the run is not refused any more.
    """
    time = now()
    own = sa.and_(runs.c.tenant == catalog.tenant, runs.c.id == run, runs.c.status == "refused")
    place = sa.and_(run_stages.c.tenant == catalog.tenant, run_stages.c.run == run, run_stages.c.position == position)
    # Without a start, so that a worker which dies before it begins the run again is made good for.
    again = {"status": "queued", "error": None, "worker": None, "started_at": None, "finished_at": None}
    with writing(catalog.engine) as connection:
        if connection.execute(runs.update().where(own).values(**again, cancel_requested=False)).rowcount != 1:
            return False
        connection.execute(run_stages.update().where(place).values(status="overridden"))
        connection.execute(
            overrides.insert().values(
                tenant=catalog.tenant,
                run=run,
                position=position,
                stage=stage,
                report=report,
                actor=actor,
                reason=reason,
                created_at=time,
            )
        )
        note(connection, catalog, actor=actor, action=ACTION, subject=run, stage=stage, reason=reason, refused=refused)
    return True


def overrides_of(catalog: Catalog, run: str) -> Sequence[Override]:
    """The overrides of a run, in the order of its stages."""
    query = sa.select(overrides).where(overrides.c.tenant == catalog.tenant, overrides.c.run == run)
    with catalog.engine.connect() as connection:
        rows = connection.execute(query.order_by(overrides.c.position)).mappings().all()
    return [
        Override(
            run=row["run"],
            position=row["position"],
            stage=row["stage"],
            report=row["report"],
            actor=row["actor"],
            reason=row["reason"],
            created_at=aware(row["created_at"]),
        )
        for row in rows
    ]
