"""Endpoints: each has numbered revisions, and one of them is active. Switching is one row, so it is instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from modelmint.catalog.audit import note
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.catalog.schema import deployments, revisions, tenants
from modelmint.core.clock import aware, now
from modelmint.core.errors import InputError, NotFoundError
from modelmint.core.types import JSON


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One model variant behind an endpoint; never changed once made."""

    endpoint: str
    revision: int
    model: str
    """Artifact id of what was trained."""
    variant: str
    """Artifact id of what is served."""
    price: str
    """For 1,000 inputs, e.g. ``0.50 USD``."""
    created_at: datetime
    release: str | None = None
    run: str | None = None

    def to_dict(self) -> JSON:
        return {
            "endpoint": self.endpoint,
            "revision": self.revision,
            "model": self.model,
            "variant": self.variant,
            "price": self.price,
            "created_at": self.created_at.isoformat(),
            "release": self.release,
            "run": self.run,
        }


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """An endpoint: the active revision, and the number of the one that a rollback returns to."""

    active: Revision
    previous: int | None
    changed_at: datetime

    def to_dict(self) -> JSON:
        return self.active.to_dict() | {"previous": self.previous, "changed_at": self.changed_at.isoformat()}


def deploy(
    catalog: Catalog,
    *,
    endpoint: str,
    model: str,
    variant: str,
    price: str,
    release: str | None = None,
    run: str | None = None,
    actor: str = "local",
) -> Revision:
    """Make `endpoint` serve `variant` at `price`. Where it does already, nothing changes; else a revision is added."""
    with writing(catalog.engine) as connection:
        current = _locked(connection, catalog, endpoint)
        active = _revision(connection, catalog, endpoint, current["revision"]) if current else None
        if active is not None and (active.variant, active.price) == (variant, price):
            return active
        made = Revision(
            endpoint=endpoint,
            revision=_newest(connection, catalog, endpoint) + 1,
            model=model,
            variant=variant,
            price=price,
            release=release,
            run=run,
            created_at=now(),
        )
        connection.execute(
            revisions.insert().values(
                tenant=catalog.tenant,
                endpoint=endpoint,
                revision=made.revision,
                model=model,
                variant=variant,
                price=price,
                release=release,
                run=run,
                created_at=made.created_at,
            )
        )
        _point(connection, catalog, endpoint, current, to=made.revision, actor=actor, action="deployment.deploy")
        return made


def switch(catalog: Catalog, endpoint: str, revision: int, *, actor: str = "local") -> Revision:
    """Make a revision the active one.

    Raises:
        NotFoundError: no such endpoint or revision.
    """
    with writing(catalog.engine) as connection:
        current = _existing(connection, catalog, endpoint)
        target = _revision(connection, catalog, endpoint, revision)
        if current["revision"] != revision:
            _point(connection, catalog, endpoint, current, to=revision, actor=actor, action="deployment.switch")
        return target


def rollback(catalog: Catalog, endpoint: str, *, actor: str = "local") -> Revision:
    """Return to the revision that was active before; a second rollback takes the first one back.

    Raises:
        NotFoundError: no such endpoint.
        InputError: it has had one revision only.
    """
    with writing(catalog.engine) as connection:
        current = _existing(connection, catalog, endpoint)
        if current["previous"] is None:
            raise InputError(
                f"endpoint: {endpoint} has had no revision but {current['revision']}; there is none to return to",
                parameter="endpoint",
                remedy="Deploy another variant first, or remove the endpoint's callers.",
            )
        _point(
            connection, catalog, endpoint, current, to=current["previous"], actor=actor, action="deployment.rollback"
        )
        return _revision(connection, catalog, endpoint, current["previous"])


def list_deployments(catalog: Catalog) -> Sequence[Deployment]:
    """Every endpoint, by name."""
    query = sa.select(revisions, deployments.c.previous, deployments.c.changed_at).join_from(
        deployments,
        revisions,
        sa.and_(*(deployments.c[name] == revisions.c[name] for name in ("tenant", "endpoint", "revision"))),
    )
    with catalog.engine.connect() as connection:
        rows = (
            connection.execute(query.where(deployments.c.tenant == catalog.tenant).order_by(deployments.c.endpoint))
            .mappings()
            .all()
        )
    return [
        Deployment(active=_read(row), previous=row["previous"], changed_at=aware(row["changed_at"])) for row in rows
    ]


def list_revisions(catalog: Catalog, endpoint: str) -> Sequence[Revision]:
    """The revisions of an endpoint, oldest first.

    Raises:
        NotFoundError: no such endpoint.
    """
    with catalog.engine.connect() as connection:
        rows = (
            connection.execute(
                sa.select(revisions)
                .where(revisions.c.tenant == catalog.tenant, revisions.c.endpoint == endpoint)
                .order_by(revisions.c.revision)
            )
            .mappings()
            .all()
        )
        if not rows:
            raise _unknown(connection, catalog, endpoint)
    return [_read(row) for row in rows]


def unknown_endpoint(endpoint: str, known: Sequence[str]) -> NotFoundError:
    """The error that names the endpoints there are."""
    there = f"there are {', '.join(known)}" if known else "there is none yet"
    return NotFoundError(
        f"model: no endpoint is named {endpoint[:80]!r}; {there}",
        parameter="model",
        remedy="`modelmint deployments` and GET /v1/models list them; the verb `deploy` makes one.",
    )


def _locked(connection: sa.Connection, catalog: Catalog, endpoint: str) -> Mapping[str, Any] | None:
    """The row of an endpoint; changes of one tenant's endpoints take turns (on SQLite every writer does)."""
    connection.execute(sa.select(tenants.c.id).where(tenants.c.id == catalog.tenant).with_for_update(key_share=True))
    row = (
        connection.execute(
            sa.select(deployments).where(deployments.c.tenant == catalog.tenant, deployments.c.endpoint == endpoint)
        )
        .mappings()
        .first()
    )
    return {str(name): value for name, value in row.items()} if row else None


def _existing(connection: sa.Connection, catalog: Catalog, endpoint: str) -> Mapping[str, Any]:
    row = _locked(connection, catalog, endpoint)
    if row is None:
        raise _unknown(connection, catalog, endpoint)
    return row


def _point(
    connection: sa.Connection,
    catalog: Catalog,
    endpoint: str,
    current: Mapping[str, Any] | None,
    *,
    to: int,
    actor: str,
    action: str,
) -> None:
    before = current["revision"] if current else None
    values = {"revision": to, "previous": before, "changed_at": now()}
    if current is None:
        connection.execute(deployments.insert().values(tenant=catalog.tenant, endpoint=endpoint, **values))
    else:
        connection.execute(
            deployments.update()
            .where(deployments.c.tenant == catalog.tenant, deployments.c.endpoint == endpoint)
            .values(**values)
        )
    note(connection, catalog, actor=actor, action=action, subject=endpoint, revision=to, before=before)


def _newest(connection: sa.Connection, catalog: Catalog, endpoint: str) -> int:
    return (
        connection.execute(
            sa.select(sa.func.max(revisions.c.revision)).where(
                revisions.c.tenant == catalog.tenant, revisions.c.endpoint == endpoint
            )
        ).scalar()
        or 0
    )


def _revision(connection: sa.Connection, catalog: Catalog, endpoint: str, number: int) -> Revision:
    row = (
        connection.execute(
            sa.select(revisions).where(
                revisions.c.tenant == catalog.tenant, revisions.c.endpoint == endpoint, revisions.c.revision == number
            )
        )
        .mappings()
        .first()
    )
    if row is None:
        newest = _newest(connection, catalog, endpoint)
        raise NotFoundError(f"revision: {endpoint} has revisions 1 to {newest}; got {number}", parameter="revision")
    return _read(row)


def _unknown(connection: sa.Connection, catalog: Catalog, endpoint: str) -> NotFoundError:
    known = (
        connection.execute(
            sa.select(deployments.c.endpoint)
            .where(deployments.c.tenant == catalog.tenant)
            .order_by(deployments.c.endpoint)
        )
        .scalars()
        .all()
    )
    return unknown_endpoint(endpoint, known)


def _read(row: Mapping[Any, Any]) -> Revision:
    return Revision(
        endpoint=row["endpoint"],
        revision=row["revision"],
        model=row["model"],
        variant=row["variant"],
        price=row["price"],
        release=row["release"],
        run=row["run"],
        created_at=aware(row["created_at"]),
    )
