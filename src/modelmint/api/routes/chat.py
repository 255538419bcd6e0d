"""POST /v1/chat/completions: chats, in the shape of the OpenAI API."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from starlette.responses import JSONResponse, Response, StreamingResponse

from modelmint.api.routes.predict import while_connected
from modelmint.api.services import Shared, needs
from modelmint.business.chats import Chat, answer_chat
from modelmint.business.keys import Key
from modelmint.core.clock import now
from modelmint.core.ids import new_id
from modelmint.core.sampling import Sampling
from modelmint.core.stage import MAX_TEXT_CHARACTERS
from modelmint.core.types import JSON

MAX_MESSAGES = 200
MAX_NEW_TOKENS = 4_096
DEFAULT_NEW_TOKENS = Sampling().max_new_tokens

router = APIRouter(tags=["inference"])

Words = Annotated[str, Field(min_length=1, max_length=100)]


class ToolCall(BaseModel):
    """A function that the assistant called."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(default="", max_length=200)
    type: Literal["function"] = "function"
    function: dict[Literal["name", "arguments"], str]


class ChatMessage(BaseModel):
    """One message; what the assistant said may have no content beside its calls."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | None = Field(default=None, max_length=MAX_TEXT_CHARACTERS)
    name: str | None = Field(default=None, max_length=200)
    tool_calls: list[ToolCall] | None = Field(default=None, max_length=32)
    tool_call_id: str | None = Field(default=None, max_length=200)

    def canonical(self) -> JSON:
        given = self.model_dump(exclude_none=True)
        calls = {"tool_calls": json.dumps(given["tool_calls"], ensure_ascii=False)} if self.tool_calls else {}
        return {**given, "content": self.content or "", **calls}


class ChatBody(BaseModel):
    """What to answer, by which endpoint, and how."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str
    """The endpoint's name."""
    messages: list[ChatMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    """The chat so far, of at most 20,000 characters in all. Where it is longer than the model reads, its oldest turns
    are left out.
    """
    tools: list[dict[str, Any]] | None = Field(default=None, max_length=64)
    """Functions that the model may call, as OpenAI describes them. Calls come back in the content, as the model was
    taught to write them.
    """
    max_tokens: int | None = Field(default=None, ge=1, le=MAX_NEW_TOKENS)
    """How long the answer may become; 256 where it is not said."""
    max_completion_tokens: int | None = Field(default=None, ge=1, le=MAX_NEW_TOKENS)
    """The newer name of `max_tokens`."""
    temperature: float = Field(default=0.0, ge=0, le=2, allow_inf_nan=False)
    """0, the default, always takes the likeliest token: what `parity` has shown to be what was trained."""
    top_p: float = Field(default=1.0, gt=0, le=1, allow_inf_nan=False)
    """Draw from the likeliest tokens whose chances add up to this."""
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    """The same seed and chat give the same answer."""
    stop: Words | Annotated[list[Words], Field(max_length=4)] | None = None
    """Words before which the answer ends."""
    logprobs: bool = False
    """Answer with the log-probability of each token, and its id."""
    stream: bool = False
    """Send the answer as it is written, as server-sent events."""
    n: Literal[1] = 1
    """One answer a request."""

    @field_validator("messages")
    @classmethod
    def _short(cls, messages: list[ChatMessage]) -> list[ChatMessage]:
        num_characters = sum(len(json.dumps(one.canonical(), ensure_ascii=False)) for one in messages)
        if sum(len(one.content or "") for one in messages) > MAX_TEXT_CHARACTERS or num_characters > 2 * (
            MAX_TEXT_CHARACTERS
        ):
            raise ValueError(f"must have at most {MAX_TEXT_CHARACTERS} characters in all")
        return messages

    @field_validator("tools")
    @classmethod
    def _few(cls, tools: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        if len(json.dumps(tools)) > MAX_TEXT_CHARACTERS:
            raise ValueError(f"must have at most {MAX_TEXT_CHARACTERS} characters as JSON")
        return tools

    @model_validator(mode="after")
    def _one_length(self) -> "ChatBody":
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("max_tokens and max_completion_tokens are two names of one thing; give one of them")
        return self

    def asked(self) -> Chat:
        return Chat(
            messages=[one.canonical() for one in self.messages],
            tools=json.dumps(self.tools, ensure_ascii=False) if self.tools else None,
            sampling=Sampling(
                max_new_tokens=self.max_tokens or self.max_completion_tokens or DEFAULT_NEW_TOKENS,
                temperature=self.temperature,
                top_p=self.top_p,
                seed=self.seed,
            ),
            stops=[self.stop] if isinstance(self.stop, str) else self.stop or (),
        )


@router.post("/v1/chat/completions")
async def complete(body: ChatBody, request: Request, shared: Shared, key: Annotated[Key, needs("predict")]) -> Response:
    """Answer a chat. Each request is one usage record, which is on disk before the reply, or its last piece, is sent."""
    identifier = new_id("prediction")
    pieces = answer_chat(shared, key, body.model, body.asked(), identifier=identifier, is_streamed=body.stream)
    if body.stream:
        first = await anext(pieces)  # what is wrong with the request is told before the stream begins
        return StreamingResponse(_events(first, pieces, body, identifier), media_type="text/event-stream")
    reply = await while_connected(request, _whole(pieces, body))
    return JSONResponse(reply) if reply is not None else Response(status_code=499)  # nobody reads it


async def _whole(pieces: AsyncIterator[str | JSON], body: ChatBody) -> JSON:
    async with aclosing(pieces) as told:  # type: ignore[type-var]  # it is a generator
        async for one in told:
            if isinstance(one, dict):
                reply = one
    message = {"role": "assistant", "content": reply["content"]}
    return _shaped(reply, {"message": message, "logprobs": _logprobs(reply, body)}, "chat.completion") | {
        "usage": reply["usage"]
    }


async def _events(
    first: str | JSON, pieces: AsyncIterator[str | JSON], body: ChatBody, identifier: str
) -> AsyncIterator[str]:
    """A piece an event, then the finish with the usage, then ``[DONE]``."""
    async with aclosing(pieces) as told:  # type: ignore[type-var]
        one = first
        head = {"id": identifier, "model": body.model, "finish": None}
        yield _event(_shaped(head, {"delta": {"role": "assistant", "content": ""}}, "chat.completion.chunk"))
        while True:
            if isinstance(one, dict):
                last = _shaped(one, {"delta": {}, "logprobs": _logprobs(one, body)}, "chat.completion.chunk")
                yield _event(last | {"usage": one["usage"]})
                yield "data: [DONE]\n\n"
                return
            yield _event(_shaped(head, {"delta": {"content": one}}, "chat.completion.chunk"))
            one = await anext(told)


def _shaped(reply: JSON, choice: JSON, kind: str) -> JSON:
    return {
        "id": reply["id"],
        "object": kind,
        "created": int(now().timestamp()),
        "model": reply["model"],
        **({"revision": reply["revision"]} if "revision" in reply else {}),
        "choices": [{"index": 0, **choice, "finish_reason": reply["finish"]}],
    }


def _logprobs(reply: JSON, body: ChatBody) -> JSON | None:
    return {"content": reply["tokens"]} if body.logprobs else None


def _event(value: JSON) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
