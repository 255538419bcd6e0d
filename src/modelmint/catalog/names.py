"""Names of one's own for artifacts, pins that keep them, and the removal of what is neither named, pinned nor used.

A name (an alias, such as ``golden``) points to one artifact and can be moved; every move is in the audit log.
A pin keeps an artifact's bytes. Removing drops the data key and the bytes; the lineage stays.
"""

import re
from collections.abc import Sequence

import sqlalchemy as sa

from modelmint.catalog.audit import note
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.catalog.schema import aliases, artifacts, blobs, deployments, pins, results, revisions, runs
from modelmint.core.clock import aware, now
from modelmint.core.errors import InputError, NotFoundError
from modelmint.core.types import JSON

_NAME = re.compile(r"[a-z][a-z0-9.-]{0,62}")


def set_alias(catalog: Catalog, name: str, identifier: str, *, actor: str = "local") -> JSON:
    """Point a name to an artifact, or move it there.

    Raises:
        InputError: no name of 1 to 63 lower-case letters, digits, dots and hyphens that begins with a letter.
        NotFoundError: no such artifact.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"name: must be 1 to 63 of a-z, 0-9, dot and hyphen, a letter first; got {name[:80]!r}",
            parameter="name",
            remedy="For example: modelmint alias golden ID",
        )
    artifact = catalog.get(identifier)
    own = sa.and_(aliases.c.tenant == catalog.tenant, aliases.c.name == name)
    with writing(catalog.engine) as connection:
        before = connection.execute(sa.select(aliases.c.artifact).where(own)).scalar()
        if before is None:
            connection.execute(
                aliases.insert().values(tenant=catalog.tenant, name=name, artifact=artifact.id, changed_at=now())
            )
        else:
            connection.execute(aliases.update().where(own).values(artifact=artifact.id, changed_at=now()))
        note(connection, catalog, actor=actor, action="alias.set", subject=name, artifact=artifact.id, before=before)
    return {"name": name, "artifact": artifact.id, "before": before}


def remove_alias(catalog: Catalog, name: str, *, actor: str = "local") -> None:
    """Take a name away; the artifact stays. Raises NotFoundError."""
    with writing(catalog.engine) as connection:
        gone = connection.execute(
            aliases.delete().where(aliases.c.tenant == catalog.tenant, aliases.c.name == name)
        ).rowcount
        if not gone:
            raise NotFoundError(f"{name}: there is no such name", parameter="name", remedy="See: modelmint alias")
        note(connection, catalog, actor=actor, action="alias.remove", subject=name)


def list_aliases(catalog: Catalog) -> Sequence[JSON]:
    """Every name with the artifact that it points to, by name."""
    query = (
        sa.select(aliases.c.name, aliases.c.artifact, aliases.c.changed_at, artifacts.c.kind)
        .join(artifacts, artifacts.c.id == aliases.c.artifact)
        .where(aliases.c.tenant == catalog.tenant, artifacts.c.tenant == catalog.tenant)
        .order_by(aliases.c.name)
    )
    with catalog.engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    return [{**row, "changed_at": aware(row["changed_at"]).isoformat()} for row in rows]


def pin(catalog: Catalog, identifier: str, *, reason: str = "", actor: str = "local") -> JSON:
    """Keep an artifact: it cannot be removed until it is unpinned. Pinning twice changes only the reason."""
    artifact = catalog.get(identifier)
    own = sa.and_(pins.c.tenant == catalog.tenant, pins.c.artifact == artifact.id)
    with writing(catalog.engine) as connection:
        connection.execute(pins.delete().where(own))
        connection.execute(
            pins.insert().values(tenant=catalog.tenant, artifact=artifact.id, reason=reason[:255], created_at=now())
        )
        note(connection, catalog, actor=actor, action="artifact.pin", subject=artifact.id, reason=reason[:255])
    return {"artifact": artifact.id, "pinned": True, "reason": reason[:255]}


def unpin(catalog: Catalog, identifier: str, *, actor: str = "local") -> JSON:
    """Take the pin off. Raises NotFoundError when there is none."""
    artifact = catalog.get(identifier)
    with writing(catalog.engine) as connection:
        gone = connection.execute(
            pins.delete().where(pins.c.tenant == catalog.tenant, pins.c.artifact == artifact.id)
        ).rowcount
        if not gone:
            raise NotFoundError(f"{identifier}: is not pinned", parameter="id")
        note(connection, catalog, actor=actor, action="artifact.unpin", subject=artifact.id)
    return {"artifact": artifact.id, "pinned": False, "reason": ""}


def remove(catalog: Catalog, identifier: str, *, actor: str = "local") -> JSON:
    """Drop an artifact's data key and its bytes; its place in the lineage stays, and it is not run from the cache again.

    Raises:
        InputError: it is pinned, has a name, stands behind an endpoint, or a run that has not ended may need it.
        NotFoundError: no such artifact.
    """
    artifact = catalog.get(identifier)
    with writing(catalog.engine) as connection:
        if reason := _held(connection, catalog, artifact.id):
            raise InputError(f"{artifact.id}: cannot be removed: {reason[0]}", parameter="id", remedy=reason[1])
        _forget_results(connection, catalog, artifact.id)
        connection.execute(blobs.delete().where(blobs.c.tenant == catalog.tenant, blobs.c.artifact == artifact.id))
        connection.execute(
            artifacts.update()
            .where(artifacts.c.tenant == catalog.tenant, artifacts.c.id == artifact.id)
            .values(
                wrapped_key=None,
                sealed_facts=None,
                manifest={**artifact.manifest, "facts": {}, "measured": {}, "removed_at": now().isoformat()},
            )
        )
        note(connection, catalog, actor=actor, action="artifact.remove", subject=artifact.id, digest=artifact.digest)
    names = {str(file["blob"]) for file in artifact.manifest["files"]}
    freed = sum(int(file["stored_bytes"]) for file in artifact.manifest["files"])
    with catalog.engine.connect() as connection:
        shared = set(connection.execute(sa.select(blobs.c.blob).where(blobs.c.blob.in_(names))).scalars())
    for name in names - shared:
        catalog.blobs.remove(name)
    return {"artifact": artifact.id, "removed": True, "freed_bytes": 0 if shared else freed}


def _held(connection: sa.Connection, catalog: Catalog, identifier: str) -> tuple[str, str] | None:
    """Why an artifact must stay, and what lets it go."""
    tenant = catalog.tenant
    if connection.execute(sa.select(pins).where(pins.c.tenant == tenant, pins.c.artifact == identifier)).first():
        return "it is pinned", f"modelmint unpin {identifier}"
    named = sa.select(aliases.c.name).where(aliases.c.tenant == tenant, aliases.c.artifact == identifier)
    if name := connection.execute(named).scalar():
        return f"it has the name {name}", f"modelmint alias --remove {name}"
    serving = sa.select(revisions.c.endpoint).join(
        deployments,
        sa.and_(deployments.c.tenant == revisions.c.tenant, deployments.c.endpoint == revisions.c.endpoint),
    )
    behind = sa.or_(revisions.c.model == identifier, revisions.c.variant == identifier)
    if endpoint := connection.execute(serving.where(revisions.c.tenant == tenant, behind)).scalar():
        return f"the endpoint {endpoint} has a revision of it", "Keep it: a rollback may need it."
    busy = sa.select(runs.c.id).where(runs.c.tenant == tenant, runs.c.status.in_(("queued", "running")))
    if run := connection.execute(busy).scalar():
        return f"{run} is under way", f"Wait for it, or: modelmint cancel {run}"
    return None


def _forget_results(connection: sa.Connection, catalog: Catalog, identifier: str) -> None:
    """Stages that made it are run again when they are asked for."""
    run = sa.select(artifacts.c.run).where(artifacts.c.tenant == catalog.tenant, artifacts.c.id == identifier)
    made = sa.select(results.c.identity, results.c.outputs).where(
        results.c.tenant == catalog.tenant, results.c.run.in_(run)
    )
    for row in connection.execute(made).all():
        if any(identifier in ids for ids in row.outputs.values()):
            connection.execute(
                results.delete().where(results.c.tenant == catalog.tenant, results.c.identity == row.identity)
            )
