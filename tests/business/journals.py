"""Journals for tests: events, and a journal that is open for as long as its steps run."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from modelmint.business.journal import Journal, Served
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.events import Sealer
from modelmint.catalog.schema import usage

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def event(identifier: str, **changes: Any) -> Served:
    values: dict[str, Any] = {
        "id": identifier,
        "tenant": "default",
        "key": "key_1",
        "endpoint": "support",
        "revision": 1,
        "num_inputs": 1,
        "num_tokens": 4,
        "price": "0.50 USD",
        "latency_ms": 1.5,
        "created_at": NOON,
        "inputs": ["where is my parcel"],
        "predictions": [{"label": "delivery", "score": 0.9}],
    }
    return Served(**{**values, **changes})


def with_journal(catalog: Catalog, steps: Callable[[Journal], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        journal = Journal(catalog.settings.journal, Sealer(catalog, "predictions"))
        try:
            await steps(journal)
        finally:
            await journal.close()

    asyncio.run(main())


def write(catalog: Catalog, *events: Served) -> None:
    """A journal whose process has ended."""

    async def steps(journal: Journal) -> None:
        await asyncio.gather(*map(journal.append, events))

    with_journal(catalog, steps)


def ingested(catalog: Catalog) -> list[str]:
    with catalog.engine.connect() as connection:
        return sorted(connection.execute(sa.select(usage.c.id)).scalars())
