"""POST /v1/predict and GET /v1/models: the data plane."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, cast

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from modelmint.api.services import Shared, needs
from modelmint.business.keys import Key
from modelmint.business.service import answer
from modelmint.catalog.deployments import list_deployments
from modelmint.core.inputs import HTTPInput, Input, plain
from modelmint.core.types import JSON

MAX_INPUTS = 256

router = APIRouter(tags=["inference"])


def _as_list(value: Any) -> list[Any]:
    return [plain(each) for each in (value if isinstance(value, list) else [value])]


_Several = Annotated[list[HTTPInput], Field(min_length=1, max_length=MAX_INPUTS)]
_Inputs = Annotated[_Several, BeforeValidator(_as_list, json_schema_input_type=HTTPInput | _Several)]


class PredictBody(BaseModel):
    """What to answer, and by which endpoint."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str
    """The endpoint's name."""
    input: _Inputs
    """One input, or a list of them; which kind the model reads is its task's."""
    scores: bool = False
    """Answer with the score of every label."""


@router.post("/v1/predict")
async def predict(
    body: PredictBody, request: Request, shared: Shared, key: Annotated[Key, needs("predict")]
) -> Response:
    """Answer one input or several. Each request is one usage record, which is on disk before the reply is sent."""
    inputs = cast("list[Input]", body.input)
    reply = await while_connected(request, answer(shared, key, body.model, inputs, all_scores=body.scores))
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
