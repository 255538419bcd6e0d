"""Is the server up, and what does it offer?"""

from typing import Any

from fastapi import APIRouter, Request

from modelmint.api.services import needs
from modelmint.core.types import JSON

router = APIRouter(tags=["system"])


@router.get("/health")
async def health() -> JSON:
    """The server answers. Needs no key."""
    return {"status": "ok"}


@router.get("/openapi.json", include_in_schema=False, dependencies=[needs("predict")])
async def openapi(request: Request) -> JSON:
    """The description of every route."""
    schema: dict[str, Any] = request.app.openapi()
    for path in schema["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)  # FastAPI's own; here a wrong request is a 400 in our shape
    return schema
