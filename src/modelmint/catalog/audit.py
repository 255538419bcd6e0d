"""The audit log: who did what. Entries are only ever added, in the transaction of what they tell."""

from collections.abc import Sequence

import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.schema import audit
from modelmint.core.clock import now
from modelmint.core.types import JSON


def note(
    connection: sa.Connection, catalog: Catalog, *, actor: str, action: str, subject: str, **about: object
) -> None:
    """Add an entry, e.g. ``note(..., actor="run_…", action="deployment.switch", subject="support", revision=3)``."""
    connection.execute(
        audit.insert().values(
            tenant=catalog.tenant, actor=actor, action=action, subject=subject, about=about, created_at=now()
        )
    )


def entries(catalog: Catalog, *, limit: int = 100) -> Sequence[JSON]:
    """The newest entries, newest first."""
    query = sa.select(audit).where(audit.c.tenant == catalog.tenant).order_by(audit.c.id.desc()).limit(limit)
    with catalog.engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
