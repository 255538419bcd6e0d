"""POST /v1/predict and GET /v1/models: the data plane."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, field_validator
from starlette.responses import JSONResponse, Response

from modelmint.api.services import Shared, needs
from modelmint.business.keys import Key
from modelmint.business.service import answer
from modelmint.catalog.deployments import list_deployments
from modelmint.core.stage import MAX_TEXT_CHARACTERS
from modelmint.core.types import JSON

MAX_INPUTS = 256

router = APIRouter(tags=["inference"])

_TEXT = {"type": "string", "maxLength": MAX_TEXT_CHARACTERS}
_INPUT = {
    "anyOf": [
        _TEXT,
        {"type": "object", "properties": {"text": _TEXT}, "required": ["text"], "additionalProperties": False},
    ]
}


class PredictBody(BaseModel):
    """What to answer, and by which endpoint."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str
    """The endpoint's name."""
    input: Annotated[
        list[Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]],
        Field(min_length=1, max_length=MAX_INPUTS),
        WithJsonSchema(
            {"anyOf": [*_INPUT["anyOf"], {"type": "array", "items": _INPUT, "minItems": 1, "maxItems": MAX_INPUTS}]}
        ),
    ]
    """A text, `{"text": ...}`, or a list of them."""
    scores: bool = False
    """Answer with the score of every label."""

    @field_validator("input", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> list[Any]:
        values = value if isinstance(value, list) else [value]
        return [each["text"] if isinstance(each, dict) and each.keys() == {"text"} else each for each in values]


@router.post("/v1/predict")
async def predict(
    body: PredictBody, request: Request, shared: Shared, key: Annotated[Key, needs("predict")]
) -> Response:
    """Answer one text or several. Each request is one usage record, which is on disk before the reply is sent."""
    reply = await while_connected(request, answer(shared, key, body.model, body.input, all_scores=body.scores))
    return JSONResponse(reply) if reply is not None else Response(status_code=499)  # nobody reads it


@router.get("/v1/models", dependencies=[needs("predict")])
def models(shared: Shared) -> JSON:
    """The endpoints there are, in the shape of the OpenAI API."""
    return {
        "object": "list",
        "data": [
            {
                "id": each.active.endpoint,
                "object": "model",
                "created": int(each.active.created_at.timestamp()),
                "owned_by": shared.catalog.tenant,
            }
            for each in list_deployments(shared.catalog)
        ],
    }


async def while_connected(request: Request, work: Coroutine[Any, Any, JSON]) -> JSON | None:
    """The result of `work`; None when the client went away first, in which case `work` is cancelled."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        leaving.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
