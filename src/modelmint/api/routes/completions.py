"""POST /v1/completions: texts that are gone on with, in the shape of the OpenAI API."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import JSONResponse, Response, StreamingResponse

from modelmint.api.routes.chat import DEFAULT_NEW_TOKENS, MAX_NEW_TOKENS, Words
from modelmint.api.routes.predict import while_connected
from modelmint.api.services import Shared, needs
from modelmint.business.completions import Piece, Texts, complete_texts
from modelmint.business.keys import Key
from modelmint.core.clock import now
from modelmint.core.ids import new_id
from modelmint.core.sampling import Sampling
from modelmint.core.stage import MAX_TEXT_CHARACTERS
from modelmint.core.types import JSON

MAX_PROMPTS = 8

router = APIRouter(tags=["inference"])

_Text = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]


class CompletionBody(BaseModel):
    """What to go on with, by which endpoint, and how."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str
    """The endpoint's name."""
    prompt: _Text | Annotated[list[_Text], Field(min_length=1, max_length=MAX_PROMPTS)]
    """A text to go on with, or a list of up to 8; 20,000 characters in all. An empty text begins one. Of a text longer
    than the model reads, the end is read.
    """
    max_tokens: int = Field(default=DEFAULT_NEW_TOKENS, ge=1, le=MAX_NEW_TOKENS)
    """How many tokens to write at most; 256 where it is not said."""
    temperature: float = Field(default=0.0, ge=0, le=2, allow_inf_nan=False)
    """0, the default, always takes the likeliest token: what `parity` has shown to be what was trained."""
    top_p: float = Field(default=1.0, gt=0, le=1, allow_inf_nan=False)
    """Draw from the likeliest tokens whose chances add up to this."""
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    """The same seed and text give the same answer."""
    stop: Words | Annotated[list[Words], Field(max_length=4)] | None = None
    """Words before which the answer ends."""
    logprobs: Literal[0] | None = None
    """0: answer with the log-probability of each token that was written, and its id."""
    stream: bool = False
    """Send the answer as it is written, as server-sent events."""
    n: Literal[1] = 1
    """One answer a text."""
    echo: Literal[False] = False
    """The text itself is not answered."""

    @field_validator("prompt")
    @classmethod
    def _short(cls, prompt: str | list[str]) -> str | list[str]:
        if sum(map(len, [prompt] if isinstance(prompt, str) else prompt)) > MAX_TEXT_CHARACTERS:
            raise ValueError(f"must have at most {MAX_TEXT_CHARACTERS} characters in all")
        return prompt

    def asked(self) -> Texts:
        return Texts(
            prompts=[self.prompt] if isinstance(self.prompt, str) else self.prompt,
            sampling=Sampling(
                max_new_tokens=self.max_tokens, temperature=self.temperature, top_p=self.top_p, seed=self.seed
            ),
            stops=[self.stop] if isinstance(self.stop, str) else self.stop or (),
        )


@router.post("/v1/completions")
async def complete(
    body: CompletionBody, request: Request, shared: Shared, key: Annotated[Key, needs("predict")]
) -> Response:
    """Go on with texts. Each request is one usage record, which is on disk before the reply, or its last piece, is sent."""
    identifier = new_id("prediction")
    pieces = complete_texts(shared, key, body.model, body.asked(), identifier=identifier, is_streamed=body.stream)
    if body.stream:
        first = await anext(pieces)  # what is wrong with the request is told before the stream begins
        return StreamingResponse(_events(first, pieces, body, identifier), media_type="text/event-stream")
    reply = await while_connected(request, _whole(pieces, body))
    return JSONResponse(reply) if reply is not None else Response(status_code=499)  # nobody reads it


async def _whole(pieces: AsyncIterator[Piece | JSON], body: CompletionBody) -> JSON:
    async with aclosing(pieces) as told:  # type: ignore[type-var]  # it is a generator
        async for one in told:
            if isinstance(one, dict):
                reply = one
    choices = [_choice(at, text, body, said=text["text"]) for at, text in enumerate(reply["texts"])]
    return _shaped(reply, choices) | {"usage": reply["usage"]}


async def _events(
    first: Piece | JSON, pieces: AsyncIterator[Piece | JSON], body: CompletionBody, identifier: str
) -> AsyncIterator[str]:
    """A piece an event, then the finish of each text, the last with the usage, then ``[DONE]``."""
    async with aclosing(pieces) as told:  # type: ignore[type-var]
        one = first
        while not isinstance(one, dict):
            at, piece = one
            choice = {"index": at, "text": piece, "logprobs": None, "finish_reason": None}
            yield _event(_shaped({"id": identifier, "model": body.model}, [choice]))
            one = await anext(told)
        ends = [_shaped(one, [_choice(at, text, body, said="")]) for at, text in enumerate(one["texts"])]
        ends[-1] |= {"usage": one["usage"]}
        for end in ends:
            yield _event(end)
        yield "data: [DONE]\n\n"


def _choice(at: int, text: JSON, body: CompletionBody, *, said: str) -> JSON:
    logprobs = None
    if body.logprobs is not None:
        names = {"tokens": "token", "token_logprobs": "logprob", "token_ids": "id"}
        logprobs = {name: [token[key] for token in text["tokens"]] for name, key in names.items()}
    return {"index": at, "text": said, "logprobs": logprobs, "finish_reason": text["finish"]}


def _shaped(reply: JSON, choices: Sequence[JSON]) -> JSON:
    return {
        "id": reply["id"],
        "object": "text_completion",
        "created": int(now().timestamp()),
        "model": reply["model"],
        **({"revision": reply["revision"]} if "revision" in reply else {}),
        "choices": list(choices),
    }


def _event(value: JSON) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
