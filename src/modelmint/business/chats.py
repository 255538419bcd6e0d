"""The paid answer to a chat: in pieces as it is written, and done when its usage record is on disk."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from modelmint.business.journal import Served
from modelmint.business.keys import Key
from modelmint.business.service import Services
from modelmint.catalog.deployments import Revision
from modelmint.core.chat_template import Message
from modelmint.core.clock import monotonic_s, now
from modelmint.core.sampling import Sampling
from modelmint.core.types import JSON
from modelmint.serving.scribe import Answer

DEADLINE_S = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """What is asked: messages in the canonical form (`core.forms.MESSAGE`), tools as JSON text."""

    messages: Sequence[Message]
    tools: str | None
    sampling: Sampling
    stops: Sequence[str] = ()


async def answer_chat(
    services: Services, key: Key, endpoint: str, chat: Chat, *, identifier: str, is_streamed: bool
) -> AsyncIterator[str | JSON]:
    """The pieces of the answer, then the reply, which comes when the usage record is on disk.

    The reply is ``{"id", "model", "revision", "content", "finish", "tokens", "usage"}``; `tokens` has the text, id and
    log-probability of each. Who goes away from a stream pays for what was written until then; who goes away before
    anything was sent pays nothing.

    Args:
        identifier: the prediction's id, permanent.
        is_streamed: whether the pieces are sent as they come.

    Raises:
        NotFoundError, UnavailableError, InputError, OverloadError: see `Gateway.writing`.
        DataError: the model's template refuses the chat.
        StorageFullError, UnavailableError: see `Journal.append`.
    """
    started_s = monotonic_s()
    is_recorded = False
    writing = services.gateway.writing(
        endpoint, [chat.messages], chat.tools, chat.sampling, stops=chat.stops, deadline_s=DEADLINE_S
    )
    async with writing as (revision, (answer,)):

        def event() -> Served:
            return _event(identifier, services, key, chat, revision, answer, started_s)

        try:
            async for piece in answer:
                yield piece
            await services.journal.append(event())
            is_recorded = True
        finally:
            if is_streamed and not is_recorded and answer.text:
                await services.journal.append(event())
        yield _reply(identifier, revision, answer)


def _event(
    identifier: str,
    services: Services,
    key: Key,
    chat: Chat,
    revision: Revision,
    answer: Answer,
    started_s: float,
) -> Served:
    return Served(
        id=identifier,
        tenant=services.catalog.tenant,
        key=key.id,
        endpoint=revision.endpoint,
        revision=revision.revision,
        num_inputs=1,
        num_tokens=answer.num_tokens,
        price=revision.price,
        latency_ms=round((monotonic_s() - started_s) * 1000, 3),
        created_at=now(),
        inputs=[json.dumps(chat.messages, ensure_ascii=False)],
        predictions=[{"content": answer.text, "finish": answer.finish}],
    )


def _reply(identifier: str, revision: Revision, answer: Answer) -> JSON:
    return {
        "id": identifier,
        "model": revision.endpoint,
        "revision": revision.revision,
        "content": answer.text,
        "finish": answer.finish,
        "tokens": answer.tokens,
        "usage": {
            "prompt_tokens": answer.num_prompt_tokens,
            "completion_tokens": answer.num_written_tokens,
            "total_tokens": answer.num_tokens,
        },
    }
