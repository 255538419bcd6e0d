"""Opening the database: SQLite (WAL, every commit on disk) or PostgreSQL, migrated to this version's schema."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from modelmint.core.errors import StorageFullError, UnavailableError
from modelmint.core.settings import Settings

HEAD = "v0_3_0"  # the newest migration; named by release


def open_database(settings: Settings) -> sa.Engine:
    """An engine on a database whose schema is `HEAD`.

    Raises:
        UnavailableError: the database cannot be reached or written.
    """
    engine = connect(settings.database_url)
    try:
        if _version(engine) != HEAD:
            _migrate(engine, settings.home)
    except OperationalError as error:
        raise unavailable(error) from error
    return engine


def connect(url: str) -> sa.Engine:
    """An engine; on SQLite every connection has WAL, full fsync, foreign keys and a 30 s wait for locks."""
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's own BEGIN below; the driver begins none
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        immediate = connection.get_execution_options().get("modelmint_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that writes: it takes SQLite's write lock at its start, so that it never fails half-way on it."""
    try:
        with engine.connect().execution_options(modelmint_write=True) as connection, connection.begin():
            yield connection
    except OperationalError as error:
        raise unavailable(error) from error


def unavailable(error: OperationalError) -> UnavailableError | StorageFullError:
    """Our word for the driver's, without the connection string."""
    text = str(error.orig)
    if "disk is full" in text or "No space left" in text:
        return StorageFullError(
            "The database could not be written: no space is left on its disk.",
            remedy="Free some space, then run the same command again: it goes on where it stopped.",
        )
    return UnavailableError(
        f"The database did not answer: {text.strip().splitlines()[0]}",
        parameter="MODELMINT_DATABASE_URL",
        remedy="Check MODELMINT_DATABASE_URL, or that MODELMINT_HOME can be written.",
    )


def _version(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("select version_num from alembic_version")).scalar()


def _migrate(engine: sa.Engine, home: Path) -> None:
    """Bring the schema to `HEAD`; processes that start together take turns."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with _turn(home), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("select pg_advisory_xact_lock(7030681)"))
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)
        connection.commit()


@contextmanager
def _turn(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
