"""The statement of usage: what was used in a period, and what it costs, to the cent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.schema import usage
from modelmint.core.errors import InputError
from modelmint.core.money import Money, money
from modelmint.core.types import JSON


@dataclass(frozen=True, kw_only=True)
class Line:
    """One endpoint at one price."""

    endpoint: str
    num_requests: int
    num_inputs: int
    num_tokens: int
    price: Money
    """For 1,000 inputs."""

    @property
    def amount(self) -> Money:
        """Rounded once, half up, to the currency's minor unit."""
        return self.price.times(Decimal(self.num_inputs) / 1000).rounded()

    def to_dict(self) -> JSON:
        return {
            "endpoint": self.endpoint,
            "num_requests": self.num_requests,
            "num_inputs": self.num_inputs,
            "num_tokens": self.num_tokens,
            "price": str(self.price),
            "amount": str(self.amount),
        }


def statement(catalog: Catalog, endpoint: str | None = None, *, since: datetime, until: datetime) -> Sequence[Line]:
    """Usage with ``since <= time < until``, a line for each endpoint and price, from what is in the database.

    Args:
        endpoint: this one only.
        since, until: times with a zone.

    Raises:
        InputError: a time without a zone, or `until` before `since`.
    """
    for name, time in (("since", since), ("until", until)):
        if time.tzinfo is None:
            raise InputError(
                f"{name}: must be a time with a zone; got {time.isoformat()}",
                parameter=name,
                remedy="Write it like 2026-01-31T00:00:00Z.",
            )
    if until < since:
        raise InputError(
            f"until: must not be before since ({since.isoformat()}); got {until.isoformat()}", parameter="until"
        )
    total, at = sa.func.sum, usage.c.created_at
    query = (
        sa.select(
            usage.c.endpoint, usage.c.price, sa.func.count(), total(usage.c.num_inputs), total(usage.c.num_tokens)
        )
        .where(usage.c.tenant == catalog.tenant, at >= since.astimezone(UTC), at < until.astimezone(UTC))
        .group_by(usage.c.endpoint, usage.c.price)
        .order_by(usage.c.endpoint, usage.c.price)
    )
    if endpoint is not None:
        query = query.where(usage.c.endpoint == endpoint)
    with catalog.engine.connect() as connection:
        rows = connection.execute(query).all()
    return [
        Line(
            endpoint=name,
            price=money(price),
            num_requests=num_requests,
            num_inputs=int(num_inputs),
            num_tokens=int(num_tokens),
        )
        for name, price, num_requests, num_inputs, num_tokens in rows
    ]
