"""API keys: 256 random bits, kept as an HMAC-SHA256 under this server's pepper, so a stolen database opens nothing."""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from modelmint.catalog.audit import note
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.catalog.encryption import secret_file
from modelmint.catalog.schema import keys, tenants
from modelmint.core.clock import aware, monotonic_s, now
from modelmint.core.errors import AuthError, ForbiddenError, InputError, NotFoundError
from modelmint.core.ids import new_id
from modelmint.core.types import JSON

SCOPES = ("predict", "feedback", "admin", "override")
CACHE_S = 1.0  # a revoked key is refused at most this much later
CACHED_KEYS = 1000

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, as in core/ids
_PREFIX_LENGTH, _SECRET_LENGTH = 8, 52  # 52 characters of 5 bits: at least 256 bits


@dataclass(frozen=True, kw_only=True)
class Key:
    """What is known of a key; not the key itself."""

    id: str
    name: str
    prefix: str
    scopes: Sequence[str]
    created_at: datetime
    revoked_at: datetime | None = None

    def to_dict(self) -> JSON:
        return {
            "id": self.id,
            "name": self.name,
            "prefix": f"mm_{self.prefix}",
            "scopes": list(self.scopes),
            "created_at": self.created_at.isoformat(),
            "revoked_at": self.revoked_at.isoformat() if self.revoked_at else None,
        }


@dataclass(frozen=True, kw_only=True)
class NewKey(Key):
    """A key just made. `secret` is what its owner presents; it is shown once and stored nowhere."""

    secret: str


class Keyring:
    """Checks presented keys; what the database said is believed for `CACHE_S`. Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._pepper = catalog, _pepper(catalog)
        self._cache: dict[str, tuple[float, Mapping[str, Any] | None]] = {}
        self._lock = threading.Lock()

    def check(self, presented: str, scope: str) -> Key:
        """The key, if it is known, not revoked, and has the scope. May read the database.

        Raises:
            AuthError: it is not known, or it is revoked.
            ForbiddenError: it has not the scope.
        """
        if (found := self.cached(presented, scope)) is not None:
            return found
        prefix = _prefix(presented)
        with self._lock:  # of those that find the entry too old at once, one reads it
            entry = self._fresh(prefix)
            if entry is None:
                entry = (monotonic_s(), self._read(prefix))
                if len(self._cache) >= CACHED_KEYS:
                    self._cache.clear()
                self._cache[prefix] = entry
        return self._verify(presented, scope, entry[1])

    def cached(self, presented: str, scope: str) -> Key | None:
        """As `check`, without reading the database: None when the cache does not know."""
        entry = self._fresh(_prefix(presented))
        return None if entry is None else self._verify(presented, scope, entry[1])

    def _fresh(self, prefix: str) -> tuple[float, Mapping[str, Any] | None] | None:
        entry = self._cache.get(prefix)
        return entry if entry is not None and monotonic_s() - entry[0] < CACHE_S else None

    def _read(self, prefix: str) -> Mapping[str, Any] | None:
        with self._catalog.engine.connect() as connection:
            row = (
                connection.execute(
                    sa.select(keys).where(keys.c.tenant == self._catalog.tenant, keys.c.prefix == prefix)
                )
                .mappings()
                .first()
            )
        return {str(name): value for name, value in row.items()} if row else None

    def _verify(self, presented: str, scope: str, row: Mapping[str, Any] | None) -> Key:
        known = row["hmac"] if row is not None else bytes(32)
        if (
            not hmac.compare_digest(_hmac(self._pepper, presented), known)
            or row is None
            or row["revoked_at"] is not None
        ):
            raise bad_key()
        if scope not in row["scopes"]:
            raise ForbiddenError(
                f"key: needs the scope {scope}; {row['name']!r} has {', '.join(row['scopes'])}",
                parameter="key",
                remedy="Use a key that has the scope, or create one: `modelmint keys create`.",
            )
        return _key(row)


def create(catalog: Catalog, name: str, scopes: Sequence[str] = SCOPES, *, actor: str = "local") -> NewKey:
    """Make a key.

    Raises:
        InputError: no scope, or one that is not of `SCOPES`.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise InputError(
            f"scopes: must be some of {', '.join(SCOPES)}; got {', '.join(scopes) or 'none'}",
            parameter="scopes",
            remedy="Give each scope by its name.",
        )
    with writing(catalog.engine) as connection:
        return _create(connection, catalog, name, scopes, actor)


def first_key(catalog: Catalog) -> str | None:
    """The secret of a key with every scope, made when this tenant has had no key yet; None ever after. Show it once."""
    with writing(catalog.engine) as connection:
        connection.execute(
            sa.select(tenants.c.id).where(tenants.c.id == catalog.tenant).with_for_update(key_share=True)
        )
        if connection.execute(sa.select(keys.c.id).where(keys.c.tenant == catalog.tenant).limit(1)).first():
            return None
        return _create(connection, catalog, "first", SCOPES, "local").secret


def list_keys(catalog: Catalog) -> Sequence[Key]:
    """Every key, revoked ones too, oldest first."""
    query = sa.select(keys).where(keys.c.tenant == catalog.tenant).order_by(keys.c.created_at, keys.c.id)
    with catalog.engine.connect() as connection:
        return [_key(row) for row in connection.execute(query).mappings()]


def revoke(catalog: Catalog, identifier: str, *, actor: str = "local") -> Key:
    """Revoke a key by its id, for good; every server refuses it within 2 s. A second time changes nothing.

    Raises:
        NotFoundError: no such key.
    """
    own = sa.and_(keys.c.tenant == catalog.tenant, keys.c.id == identifier)
    with writing(catalog.engine) as connection:
        changed = connection.execute(keys.update().where(own, keys.c.revoked_at.is_(None)).values(revoked_at=now()))
        row = connection.execute(sa.select(keys).where(own)).mappings().first()
        if row is None:
            raise NotFoundError(
                f"key: there is none with the id {identifier!r}",
                parameter="key",
                remedy="`modelmint keys list` names them.",
            )
        if changed.rowcount:
            note(connection, catalog, actor=actor, action="key.revoke", subject=identifier)
        return _key(row)


def bad_key() -> AuthError:
    """One answer for every key that does not open: it does not say why."""
    return AuthError(
        "key: needs a valid API key",
        parameter="key",
        remedy="Send the header `Authorization: Bearer mm_…`; `modelmint keys create` makes a key.",
    )


def _create(connection: sa.Connection, catalog: Catalog, name: str, scopes: Sequence[str], actor: str) -> NewKey:
    prefix = _random(_PREFIX_LENGTH)
    secret = f"mm_{prefix}_{_random(_SECRET_LENGTH)}"
    made = NewKey(id=new_id("key"), name=name, prefix=prefix, scopes=tuple(scopes), created_at=now(), secret=secret)
    connection.execute(
        keys.insert().values(
            id=made.id,
            tenant=catalog.tenant,
            name=name,
            prefix=prefix,
            hmac=_hmac(_pepper(catalog), secret),
            scopes=list(scopes),
            created_at=made.created_at,
        )
    )
    note(connection, catalog, actor=actor, action="key.create", subject=made.id, name=name, scopes=list(scopes))
    return made


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _pepper(catalog: Catalog) -> bytes:
    return secret_file(catalog.settings.home / "pepper.key")


def _hmac(pepper: bytes, secret: str) -> bytes:
    return hmac.new(pepper, secret.encode(), hashlib.sha256).digest()


def _prefix(presented: str) -> str:
    """The part by which a key is looked up. Raises AuthError when it is no key of ours."""
    kind, _, rest = presented.partition("_")
    prefix, _, secret = rest.partition("_")
    if kind != "mm" or len(prefix) != _PREFIX_LENGTH or len(secret) != _SECRET_LENGTH or not presented.isascii():
        raise bad_key()
    return prefix


def _key(row: Mapping[Any, Any]) -> Key:
    return Key(
        id=row["id"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=tuple(row["scopes"]),
        created_at=aware(row["created_at"]),
        revoked_at=aware(row["revoked_at"]) if row["revoked_at"] else None,
    )
