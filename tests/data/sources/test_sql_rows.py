"""Reading databases: rows by a query, in a connection that cannot write, and no password anywhere."""

import os
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from modelmint.core.errors import DataError, InputError, UnavailableError
from modelmint.data.sources.databases import reading, shown
from modelmint.data.sources.rows import Reading, Row, SourceFile
from modelmint.data.sources.sql_rows import sql_fingerprint, sql_rows


@pytest.fixture
def database(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("create table tickets (text text, label text, n integer, raw blob)")
        connection.executemany(
            "insert into tickets values (?, ?, ?, ?)", [("你好", "a", 1, b"\0"), ("bye", "b", None, None)]
        )
    connection.close()
    return f"sqlite:///{tmp_path}/a.db"


def source(url: str) -> SourceFile:
    return SourceFile(path=Path(), key="data", split=None, format="sql", url=url)


def read(url: str, query: str | None, **how: Any) -> list[Row]:
    return list(sql_rows(source(url), Reading(query=query, **how)))


def test_rows_come_with_their_columns(database: str) -> None:
    rows = read(database, "select text, label, n, raw from tickets order by label")
    assert [row.cells for row in rows] == [
        {"text": "你好", "label": "a", "n": 1, "raw": b"\0"},
        {"text": "bye", "label": "b", "n": None, "raw": None},
    ]


def test_a_per_cent_sign_and_a_colon_are_no_parameters(database: str) -> None:
    rows = read(database, "select text, '%s :a' as label from tickets where text like '%b%'")
    assert [row.cells for row in rows] == [{"text": "bye", "label": "%s :a"}]


def test_a_missing_column_names_those_there(database: str) -> None:
    with pytest.raises(DataError, match="'label' is not in the result of the query; its columns are: 'text'"):
        read(database, "select text from tickets", columns=["label"])


def test_a_column_given_twice_is_refused_when_it_is_wanted(database: str) -> None:
    with pytest.raises(DataError, match="'text' is there 2 times"):
        read(database, "select text, label as text from tickets", columns=["text"])


def test_a_wrong_query_is_told(database: str) -> None:
    with pytest.raises(DataError, match="refuses it: no such table: nope"):
        read(database, "select * from nope")


def test_sqlite_cannot_be_written(database: str) -> None:
    with reading(database, None) as connection, pytest.raises(sa.exc.OperationalError, match="readonly"):
        connection.exec_driver_sql("delete from tickets")


def test_a_cell_that_sqlite_would_blow_up_is_refused(database: str) -> None:
    with pytest.raises(DataError, match="too big"):
        read(database, "select zeroblob(1000000000) as text, 'a' as label")


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        read(f"sqlite:///{tmp_path}/nope.db", "select 1")
    assert not (tmp_path / "nope.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@localhost/x",
        "postgresql://u@localhost/x?password=hunter2",
        "postgresql://u@localhost/x?sslpassword=hunter2",
        "mysql://u:hunter2@localhost/x",
        "not-a-url:hunter2@",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError) as caught:
        read(url, "select 1")
    assert "hunter2" not in str(caught.value) + str(caught.value.to_dict())


def test_only_secrets_are_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELMINT_MASTER_KEY", "hunter2")
    with pytest.raises(InputError, match="is another variable") as caught:
        read("postgresql://u@localhost/x", "select 1", password_from="MODELMINT_MASTER_KEY")
    assert "hunter2" not in str(caught.value)


def test_a_url_is_shown_without_what_is_secret() -> None:
    assert shown("postgresql://u:hunter2@db/x?sslpassword=hunter2") == "postgresql://u@db/x"


def test_a_database_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELMINT_SECRET_T", "hunter2")
    with pytest.raises(UnavailableError, match=r"postgresql://u@127.0.0.1:1/x does not answer") as caught:
        read("postgresql://u@127.0.0.1:1/x", "select 1", password_from="MODELMINT_SECRET_T")
    assert "hunter2" not in str(caught.value)


def test_the_fingerprint_changes_with_the_data(database: str, tmp_path: Path) -> None:
    how = Reading(query="select * from tickets")
    before = sql_fingerprint(source(database), how)
    assert sql_fingerprint(source(database), how) == before
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("insert into tickets values ('x', 'a', 1, null)")
    connection.close()
    assert sql_fingerprint(source(database), how) != before


class Postgres(NamedTuple):
    """A table of 20,000 rows in a real PostgreSQL."""

    url: str
    """Without the password."""
    table: str
    engine: sa.Engine

    def read(self, query: str) -> list[Row]:
        return read(self.url, query.format(table=self.table), password_from="MODELMINT_SECRET_TEST")


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    given = os.environ.get("MODELMINT_TEST_POSTGRES_URL")
    if not given:
        pytest.skip("MODELMINT_TEST_POSTGRES_URL is not set")
    engine, table = sa.create_engine(given), f"t{uuid.uuid4().hex}"
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"create table {table} as select 'text ' || n as text, mod(n, 3)::numeric as label, n * 1.5 as price, "
            "timestamp '2026-03-01 12:00' as at, array[n] as tags from generate_series(1, 20000) n"
        )
    url = engine.url
    monkeypatch.setenv("MODELMINT_SECRET_TEST", str(url.password))
    bare = sa.URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
    yield Postgres(bare.render_as_string(), table, engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"drop table {table}")
    engine.dispose()


@pytest.mark.postgres
def test_postgres_gives_its_rows_typed(postgres: Postgres) -> None:
    rows = postgres.read("select * from {table}")
    assert len(rows) == 20_000
    assert rows[0].cells == {
        "text": "text 1",
        "label": 1,
        "price": 1.5,
        "at": "2026-03-01T12:00:00",
        "tags": [1],
    }


@pytest.mark.postgres
@pytest.mark.parametrize(
    "query",
    [
        "with x as (delete from {table} returning *) select * from x",
        "select * into other from {table}",
        "select setval('nope', 1)",
        "select * from {table} for update",
    ],
)
def test_postgres_cannot_be_written(postgres: Postgres, query: str) -> None:
    with pytest.raises(DataError, match="refuses it"):
        postgres.read(query)


@pytest.mark.postgres
def test_postgres_stays_read_only_behind_a_second_statement(postgres: Postgres) -> None:
    with reading(postgres.url, "MODELMINT_SECRET_TEST") as connection, pytest.raises(sa.exc.SQLAlchemyError):
        connection.exec_driver_sql(f"select 1; commit; delete from {postgres.table}; select 1")
    assert len(postgres.read("select 1 as n from {table}")) == 20_000


@pytest.mark.postgres
def test_the_fingerprint_of_postgres_changes_with_a_write(postgres: Postgres) -> None:
    how = Reading(query=f"select * from {postgres.table}", password_from="MODELMINT_SECRET_TEST")
    before = sql_fingerprint(source(postgres.url), how)
    with postgres.engine.begin() as connection:
        connection.exec_driver_sql(f"update {postgres.table} set label = 0 where label = 1")
    assert sql_fingerprint(source(postgres.url), how) != before


@pytest.mark.postgres
def test_a_wrong_password_is_told_without_it(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELMINT_SECRET_TEST", "hunter2")
    with pytest.raises(UnavailableError, match="password authentication failed") as caught:
        postgres.read("select 1")
    assert "hunter2" not in str(caught.value)
