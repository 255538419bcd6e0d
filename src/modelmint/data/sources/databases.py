"""A connection that can only read: SQLite opened read-only, PostgreSQL in a read-only transaction."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import DataError, InputError, UnavailableError
from modelmint.core.hashing import digest, file_digest
from modelmint.core.settings import secret
from modelmint.data.sources.extras import need_library
from modelmint.data.sources.secrets import refuse_password

if TYPE_CHECKING:
    import sqlalchemy as sa

SCHEMES = ("sqlite", "postgresql", "postgresql+psycopg", "postgres")
MAX_QUERY_S = 3600
MAX_CELL_BYTES = 64 << 20
"""A larger cell of SQLite ends the query; PostgreSQL's cells are bounded by their 1 GB alone."""

_CONNECT_S = 10
_BUFFERED_ROWS = 256
_STEPS_A_LOOK = 1_000_000


@contextmanager
def reading(url: str, password_from: str | None) -> Iterator["sa.Connection"]:
    """An open connection, closed and rolled back at the end.

    Args:
        url: an SQLAlchemy URL without a password.
        password_from: the environment variable (``MODELMINT_SECRET_...``) that holds it.

    Raises:
        InputError: an unknown scheme, a password in the URL, or no driver.
        UnavailableError: the database cannot be reached.
    """
    import sqlalchemy as sa

    parsed = check_url(url)
    engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _postgres(parsed, password_from)
    options: dict[str, Any] = {"stream_results": True, "max_row_buffer": _BUFFERED_ROWS, "no_parameters": True}
    if engine.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    try:
        try:
            connection = engine.connect()
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            raise UnavailableError(
                f"source: the database {shown(url)} does not answer: {_first_line(error)}",
                parameter="source",
                remedy="Check host, name, user and password_from; the password may also stand in ~/.pgpass.",
            ) from error
        with closing(connection):
            yield connection.execution_options(**options)
    finally:
        engine.dispose()


@contextmanager
def refused() -> Iterator[None]:
    """Say in our words what a database says of a query."""
    import sqlalchemy as sa

    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        raise DataError(
            f"query: the database refuses it: {_first_line(error)}",
            parameter="query",
            remedy=f"Try the query in the database's own client; it may only read, and take {MAX_QUERY_S:,} s.",
        ) from error


def check_url(url: str) -> "sa.URL":
    """The URL, parsed.

    Raises:
        InputError: not a URL of `SCHEMES`, or one that holds a password. The message never repeats it.
    """
    import sqlalchemy as sa

    refuse_password(url)
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise InputError(
            f"source: must be a URL such as postgresql://user@host/name or sqlite:///file.db; its scheme is {url.partition(':')[0][:30]!r}",
            parameter="source",
            remedy="Write special characters in it as %40.",
        ) from error
    if parsed.drivername not in SCHEMES:
        raise InputError(
            f"source: must be a URL of {', '.join(SCHEMES)}; its scheme is {parsed.drivername[:30]!r}",
            parameter="source",
            remedy="Export the rows from that database as CSV or Parquet, and collect the file.",
        )
    return parsed


def shown(url: str) -> str:
    """The URL as it may be shown: without password and without what follows the name of the database."""
    import sqlalchemy as sa

    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        return f"{url.partition(':')[0][:30]}://…"
    bare = sa.URL.create(parsed.drivername, parsed.username, None, parsed.host, parsed.port, parsed.database)
    return bare.render_as_string()


def sqlite_digest(url: str) -> str:
    """The digest of an SQLite database's file and of the log beside it."""
    path = Path(check_url(url).database or "").expanduser()
    log = path.with_name(f"{path.name}-wal")
    return digest([file_digest(each) for each in (path, log) if each.is_file()])


def _sqlite(url: "sa.URL") -> "sa.Engine":
    import sqlalchemy as sa

    path = Path(url.database or "").expanduser()
    if not url.database or not path.is_file():
        raise DataError(
            f"source: the SQLite database {url.database or '(none)'} is not there",
            parameter="source",
            remedy="Write sqlite:///relative/file.db or sqlite:////absolute/file.db.",
        )

    def connect() -> sqlite3.Connection:
        opened = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=30)
        opened.execute("PRAGMA query_only = ON")
        opened.execute("PRAGMA trusted_schema = OFF")
        opened.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL_BYTES)
        opened.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        end_s = monotonic_s() + MAX_QUERY_S
        opened.set_progress_handler(lambda: int(monotonic_s() > end_s), _STEPS_A_LOOK)
        return opened

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.NullPool)


def _postgres(url: "sa.URL", password_from: str | None) -> "sa.Engine":
    import sqlalchemy as sa

    need_library("psycopg", extra="postgres", what="reading from PostgreSQL")
    full = url.set(drivername="postgresql+psycopg", password=secret(password_from) if password_from else None)
    # The first option holds for every transaction of the session, also for one that a query could begin by a trick.
    options = f"-c default_transaction_read_only=on -c statement_timeout={MAX_QUERY_S * 1000}"
    return sa.create_engine(
        full,
        poolclass=sa.pool.NullPool,
        hide_parameters=True,
        connect_args={"options": options, "connect_timeout": _CONNECT_S, "application_name": "modelmint collect"},
    )


def _first_line(error: Exception) -> str:
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0][:300] if said else type(error).__name__
