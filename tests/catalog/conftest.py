"""Catalogs on every database that we promise: SQLite always, PostgreSQL where MODELMINT_TEST_POSTGRES_URL names a server."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.core.settings import Settings


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    plain = Settings.read({}, home=tmp_path / "home")
    if request.param == "sqlite":
        yield plain
        return
    server = os.environ.get("MODELMINT_TEST_POSTGRES_URL")
    if not server:
        pytest.skip("MODELMINT_TEST_POSTGRES_URL names no PostgreSQL server")
    name, admin = f"t{uuid.uuid4().hex}", sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
    url = sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    yield replace(plain, database_url=url)
    with admin.connect() as connection:
        connection.execute(sa.text(f"drop database {name} with (force)"))
    admin.dispose()


@pytest.fixture
def catalog(settings: Settings) -> Iterator[Catalog]:
    opened = Catalog(settings)
    yield opened
    opened.close()
