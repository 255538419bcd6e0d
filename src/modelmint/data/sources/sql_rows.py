"""Rows of a database by URL and query: one statement that reads, in a transaction that cannot write, streamed.

SQLite is opened read-only; PostgreSQL gives the rows by a cursor on its side. The password comes from an environment
variable or the driver's own files (``~/.pgpass``), never from the URL: a recipe is kept, shown and shared.
"""

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from modelmint.core.errors import DataError
from modelmint.core.hashing import digest
from modelmint.data.sources.databases import reading, refused, sqlite_digest
from modelmint.data.sources.queries import check_query
from modelmint.data.sources.rows import Reading, Row, SourceFile, need

MAX_COLUMNS = 2000
_ROWS_AT_A_TIME = 256


def sql_rows(file: SourceFile, how: Reading) -> Iterator[Row]:
    """The rows of a query; cells are strings, numbers, booleans, bytes, lists, and dates as ISO 8601 text.

    Raises:
        InputError: no query, one that does not only read, a URL that holds a password, or no driver.
        DataError: the database refuses the query, or a wanted column is not in its result.
        UnavailableError: the database cannot be reached.
    """
    query = check_query(how.query)
    with reading(file.url, how.password_from) as connection, refused():
        result = connection.exec_driver_sql(query)
        names = [str(name) for name in result.keys()]  # noqa: SIM118  # a result is no mapping
        if len(names) > MAX_COLUMNS:
            raise DataError(
                f"query: may give {MAX_COLUMNS:,} columns; gives {len(names):,}",
                parameter="query",
                remedy="Name the columns that are needed.",
            )
        need(how.columns, names, "the result of the query")
        number = 0
        while rows := result.fetchmany(_ROWS_AT_A_TIME):
            for row in rows:
                yield Row(number, {name: _value(cell) for name, cell in zip(names, row, strict=True)})
                number += 1


def sql_fingerprint(file: SourceFile, how: Reading) -> str:
    """What the database holds now: it changes with any write to it, at the latest when the write is committed.

    SQLite is told by the bytes of its files. PostgreSQL counts its transactions for the whole server: a write elsewhere
    makes the query run again, and none is missed.

    Raises:
        InputError, UnavailableError: as `sql_rows`.
    """
    query = check_query(how.query)
    with reading(file.url, how.password_from) as connection, refused():
        if connection.dialect.name == "postgresql":
            state = str(connection.exec_driver_sql("select pg_current_snapshot()").scalar())
        else:
            state = sqlite_digest(file.url)
        return digest([file.url, query, state])


def _value(cell: Any) -> Any:
    if cell is None or isinstance(cell, str | bool | int | float | bytes | list | dict):
        return cell
    if isinstance(cell, Decimal):
        return int(cell) if cell.is_finite() and cell == cell.to_integral_value() and abs(cell) < 2**63 else float(cell)
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    return bytes(cell) if isinstance(cell, memoryview | bytearray) else str(cell)
