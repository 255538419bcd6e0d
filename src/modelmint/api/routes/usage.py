"""GET /v1/usage: the statement."""

from datetime import timedelta

from fastapi import APIRouter
from pydantic import AwareDatetime

from modelmint.api.services import Shared, needs
from modelmint.business.statement import statement
from modelmint.core.clock import now
from modelmint.core.types import JSON

router = APIRouter(tags=["usage"], dependencies=[needs("admin")])


@router.get("/v1/usage")
def usage(
    shared: Shared,
    endpoint: str | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> JSON:
    """What was used and what it costs, every acknowledged request included; by default this month's, in UTC."""
    shared.ingester.run()
    end = until or now() + timedelta(seconds=1)
    begin = since or end.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    lines = statement(shared.catalog, endpoint, since=begin, until=end)
    return {
        "object": "usage",
        "since": begin.isoformat(),
        "until": end.isoformat(),
        "lines": [line.to_dict() for line in lines],
    }
