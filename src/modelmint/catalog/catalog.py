"""The catalog: every artifact, what it was made from, and the results that need not be computed again.

A catalog is opened for one tenant, and every statement in this room carries that tenant; no caller passes one.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from modelmint.catalog.blobs import open_blobs
from modelmint.catalog.database import open_database, writing
from modelmint.catalog.drafts import KINDS, Draft
from modelmint.catalog.encryption import master_key, new_key, seal, unseal, unwrap, wrap
from modelmint.catalog.files import StoredFiles
from modelmint.catalog.schema import aliases, artifacts, blobs, parents, results, tenants
from modelmint.core.clock import now
from modelmint.core.errors import ModelmintError, NotFoundError
from modelmint.core.hashing import canonical
from modelmint.core.ids import kind_of
from modelmint.core.settings import Settings
from modelmint.core.types import JSON, Artifact, Dataset, Model, Report

DEFAULT_TENANT = "default"

_Kind = TypeVar("_Kind", bound=Artifact)


class Catalog:
    """Artifacts of one tenant. Safe to share between threads; processes open their own."""

    def __init__(self, settings: Settings, tenant: str = DEFAULT_TENANT) -> None:
        """Open, and make on first use, the catalog in `settings.home`.

        Raises:
            UnavailableError: the database cannot be reached.
            NotFoundError: no such tenant (the default one is made at first use).
        """
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.settings, self.tenant = settings, tenant
        self.engine = open_database(settings)
        self.blobs = open_blobs(settings.storage_url)
        try:
            self.tenant_key = self._open_tenant(master_key(settings))
        except ModelmintError:
            self.engine.dispose()
            raise
        self.scratch = settings.scratch / "read"

    def publish(
        self,
        drafts: Sequence[Draft],
        *,
        staged: Path,
        run: str | None = None,
        role_parents: Mapping[str, str] | None = None,
        result: JSON | None = None,
    ) -> None:
        """Make drafts visible, all in one transaction, together with the result that says which stage made them.

        Publishing an identity a second time (a stage that ran twice after a crash) changes nothing.

        Args:
            staged: the folder that holds the drafts' blobs.
            role_parents: artifact id -> its role as an input.
            result: the row of `results` but for tenant and time: identity, stage, outputs, run, seconds.
        """
        for draft in drafts:
            for file in draft.manifest["files"]:
                self.blobs.adopt(staged / file["blob"], file["blob"])
        time = now()
        with writing(self.engine) as connection:
            if result is not None and self._result(connection, result["identity"]) is not None:
                return
            for draft in drafts:
                self._insert(connection, draft, run=run, time=time, role_parents=role_parents or {})
            if result is not None:
                connection.execute(results.insert().values(tenant=self.tenant, created_at=time, **result))

    def forget_result(self, identity: str) -> None:
        """Let a stage of this identity run again; what it made before stays."""
        with writing(self.engine) as connection:
            connection.execute(results.delete().where(results.c.tenant == self.tenant, results.c.identity == identity))

    def find_result(self, identity: str) -> JSON | None:
        """The outputs (and the seconds they took) of a stage with this identity, if it ran before."""
        with self.engine.connect() as connection:
            return self._result(connection, identity)

    def get(self, identifier: str) -> Artifact:
        """An artifact by its id, or by a name of one's own (`catalog.names`).

        Raises:
            NotFoundError: this tenant has none of that id or name.
        """
        named = sa.select(aliases.c.artifact).where(aliases.c.tenant == self.tenant, aliases.c.name == identifier)
        with self.engine.connect() as connection:
            if kind_of(identifier) is None:
                identifier = connection.execute(named).scalar() or identifier
            row = (
                connection.execute(
                    sa.select(artifacts).where(artifacts.c.tenant == self.tenant, artifacts.c.id == identifier)
                )
                .mappings()
                .first()
            )
        if row is None:
            raise NotFoundError(
                f"{identifier}: no such artifact",
                parameter="id",
                remedy="`modelmint datasets`, `modelmint models`, `modelmint alias` and `modelmint runs` list what there is.",
            )
        return self._artifact(row)

    def dataset(self, identifier: str) -> Dataset:
        return self._typed(identifier, Dataset)

    def model(self, identifier: str) -> Model:
        return self._typed(identifier, Model)

    def report(self, identifier: str) -> Report:
        return self._typed(identifier, Report)

    def list(self, kind: str, *, limit: int = 100) -> Sequence[Artifact]:
        """The newest artifacts of a kind, newest first."""
        query = sa.select(artifacts).where(artifacts.c.tenant == self.tenant, artifacts.c.kind == kind)
        with self.engine.connect() as connection:
            rows = (
                connection.execute(query.order_by(artifacts.c.created_at.desc(), artifacts.c.id.desc()).limit(limit))
                .mappings()
                .all()
            )
        return [self._artifact(row) for row in rows]

    def collect_garbage(self) -> int:
        """Remove blobs that no artifact holds; returns how many. Run it while no run is under way."""
        with self.engine.connect() as connection:
            held = set(connection.execute(sa.select(blobs.c.blob).distinct()).scalars())
        loose = [name for name in self.blobs.names() if name not in held]
        for name in loose:
            self.blobs.remove(name)
        return len(loose)

    def forget_copies(self) -> None:
        """Remove the plain copies that `Artifact.files.folder()` made."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def close(self) -> None:
        self.engine.dispose()

    def _typed(self, identifier: str, kind: type[_Kind]) -> _Kind:
        found = self.get(identifier)
        if not isinstance(found, kind):
            raise NotFoundError(f"{identifier}: is a {found.kind}, not a {kind.__name__.lower()}", parameter="id")
        return found

    def _artifact(self, row: Mapping[Any, Any]) -> Artifact:
        key = unwrap(row["wrapped_key"], self.tenant_key) if row["wrapped_key"] else None
        manifest = row["manifest"]
        if row["sealed_facts"]:
            facts = json.loads(unseal(row["sealed_facts"], key, self._about_facts(row["id"]))) if key else {}
            manifest = manifest | {"facts": facts}
        files = StoredFiles(manifest=manifest, key=key, read=self.blobs.open, scratch=self.scratch)
        return KINDS[row["kind"]](
            id=row["id"],
            kind=row["kind"],
            name=row["name"],
            digest=row["digest"],
            manifest=manifest,
            files=files,
        )

    def _result(self, connection: sa.Connection, identity: str) -> JSON | None:
        row = (
            connection.execute(
                sa.select(results).where(results.c.tenant == self.tenant, results.c.identity == identity)
            )
            .mappings()
            .first()
        )
        return dict(row) if row else None

    def _insert(
        self, connection: sa.Connection, draft: Draft, *, run: str | None, time: Any, role_parents: Mapping[str, str]
    ) -> None:
        manifest = draft.manifest | {
            "run": run,
            "created_at": time.isoformat(),
            "parents": [{"id": parent, "role": role} for parent, role in role_parents.items()],
        }
        sealed = None
        if draft.wrapped_key is not None:
            key = unwrap(draft.wrapped_key, self.tenant_key)
            sealed = seal(canonical(manifest["facts"]), key, self._about_facts(manifest["id"]))
            manifest = manifest | {"facts": {}}
        connection.execute(
            artifacts.insert().values(
                id=manifest["id"],
                tenant=self.tenant,
                kind=manifest["kind"],
                name=manifest["name"],
                digest=manifest["digest"],
                run=run,
                manifest=manifest,
                sealed_facts=sealed,
                wrapped_key=draft.wrapped_key,
                created_at=time,
            )
        )
        for parent, role in role_parents.items():
            connection.execute(
                parents.insert().values(tenant=self.tenant, child=manifest["id"], parent=parent, role=role)
            )
        for file in manifest["files"]:
            connection.execute(
                blobs.insert().values(
                    tenant=self.tenant,
                    artifact=manifest["id"],
                    path=file["path"],
                    blob=file["blob"],
                    stored_bytes=file["stored_bytes"],
                )
            )

    def _about_facts(self, identifier: str) -> str:
        return f"{self.tenant}|{identifier}|facts"

    def _open_tenant(self, master: bytes) -> bytes:
        query = sa.select(tenants.c.wrapped_key).where(tenants.c.id == self.tenant)
        with self.engine.connect() as connection:
            wrapped = connection.execute(query).scalar()
        if wrapped is None and self.tenant == DEFAULT_TENANT:
            with suppress(sa.exc.IntegrityError), writing(self.engine) as connection:  # another process may be first
                connection.execute(
                    tenants.insert().values(
                        id=self.tenant, name=self.tenant, wrapped_key=wrap(new_key(), master), created_at=now()
                    )
                )
            with self.engine.connect() as connection:
                wrapped = connection.execute(query).scalar()
        if wrapped is None:
            raise NotFoundError(f"tenant: there is none named {self.tenant!r}", parameter="tenant")
        return unwrap(wrapped, master)
