"""POST /v1/embeddings and POST /v1/rerank: vectors in the shape of the OpenAI API, rankings in that of Cohere and Jina."""

from base64 import b64encode
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from modelmint.api.routes.predict import MAX_INPUTS, while_connected
from modelmint.api.services import Shared, needs
from modelmint.business.keys import Key
from modelmint.business.searches import Embedded, Ranked, embed, rerank
from modelmint.business.service import Services
from modelmint.core.inputs import TextInput, plain
from modelmint.core.stage import MAX_TEXT_CHARACTERS
from modelmint.core.types import JSON
from modelmint.serving.answers import written

router = APIRouter(tags=["inference"])

_Text = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]
_Several = Annotated[list[_Text], Field(min_length=1, max_length=MAX_INPUTS)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_texts(value: Any) -> Any:
    return [plain(each) for each in value] if isinstance(value, list) else value


class EmbeddingsBody(BaseModel):
    """What to turn into vectors, and by which endpoint."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str
    """The endpoint's name."""
    input: Annotated[_Several, BeforeValidator(_as_list, json_schema_input_type=_Text | _Several)]
    """One text, or a list of them. A text that is longer than the model reads is cut."""
    encoding_format: Literal["float", "base64"] = "float"
    """Numbers, or the bytes of 32-bit numbers (little-endian) in base64."""
    dimensions: int | None = Field(default=None, ge=1)
    """Only the first so many numbers, at length 1 again; for models that were trained for it."""


class RerankBody(BaseModel):
    """A query, the documents that may answer it, and the endpoint that ranks them."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str
    """The endpoint's name."""
    query: _Text
    """What is asked."""
    documents: Annotated[
        _Several,
        BeforeValidator(_as_texts, json_schema_input_type=Annotated[list[_Text | TextInput], Field(min_length=1)]),
    ]
    """Texts, or objects with a `text`."""
    top_n: int | None = Field(default=None, ge=1)
    """Answer with the best so many; all of them where it is not said."""
    return_documents: bool = False
    """Answer with the texts too."""


@router.post("/v1/embeddings")
async def embeddings(
    body: EmbeddingsBody, request: Request, shared: Shared, key: Annotated[Key, needs("predict")]
) -> Response:
    """Vectors of texts, of length 1. Each request is one usage record, which is on disk before the reply is sent."""
    reply = await while_connected(request, _vectors(shared, key, body))
    return JSONResponse(reply) if reply is not None else Response(status_code=499)  # nobody reads it


@router.post("/v1/rerank")
async def ranking(
    body: RerankBody, request: Request, shared: Shared, key: Annotated[Key, needs("predict")]
) -> Response:
    """Documents in the order in which they answer a query. Each request is one usage record, on disk before the reply."""
    reply = await while_connected(request, _results(shared, key, body))
    return JSONResponse(reply) if reply is not None else Response(status_code=499)


async def _vectors(shared: Services, key: Key, body: EmbeddingsBody) -> JSON:
    found = await embed(shared, key, body.model, body.input, dimensions=body.dimensions)
    vectors: list[Any] = written(found.vectors)
    if body.encoding_format == "base64":
        vectors = [b64encode(one.astype("<f4").tobytes()).decode("ascii") for one in found.vectors]
    data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return {**_head(found), "object": "list", "data": data, "usage": _usage(found.num_tokens)}


async def _results(shared: Services, key: Key, body: RerankBody) -> JSON:
    found = await rerank(shared, key, body.model, body.query, body.documents)
    results = [
        {
            "index": at,
            "relevance_score": found.scores[at],
            **({"document": {"text": body.documents[at]}} if body.return_documents else {}),
        }
        for at in found.order[: body.top_n]
    ]
    return {**_head(found), "results": results, "usage": _usage(found.num_tokens)}


def _head(found: Embedded | Ranked) -> JSON:
    return {"id": found.id, "model": found.endpoint, "revision": found.revision}


def _usage(num_tokens: int) -> JSON:
    return {"prompt_tokens": num_tokens, "total_tokens": num_tokens}
