"""How texts go on, paid: in pieces as they are written, and done when the usage record is on disk."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from modelmint.business.chats import DEADLINE_S
from modelmint.business.journal import Served
from modelmint.business.keys import Key
from modelmint.business.service import Services
from modelmint.catalog.deployments import Revision
from modelmint.core.clock import monotonic_s, now
from modelmint.core.sampling import Sampling
from modelmint.core.types import JSON
from modelmint.serving.scribe import Answer

Piece = tuple[int, str]
"""Which of the texts, and what it goes on with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """What is asked: texts to go on with, at least one."""

    prompts: Sequence[str]
    sampling: Sampling
    stops: Sequence[str] = ()


async def complete_texts(
    services: Services, key: Key, endpoint: str, texts: Texts, *, identifier: str, is_streamed: bool
) -> AsyncIterator[Piece | JSON]:
    """The pieces of one text after the other, while all are written; then the reply, which comes when the
    usage record is on disk.

    The reply is ``{"id", "model", "revision", "texts", "usage"}`` with a ``{"text", "finish", "tokens"}`` for each; `tokens`
    as in `business.chats`. Each text is an input of its own. Who goes away pays as for a chat (`business.chats`).

    Raises:
        NotFoundError, UnavailableError, InputError, OverloadError: see `Gateway.writing`.
        StorageFullError, UnavailableError: see `Journal.append`.
    """
    started_s = monotonic_s()
    is_recorded = False
    writing = services.gateway.writing(
        endpoint, texts.prompts, None, texts.sampling, stops=texts.stops, deadline_s=DEADLINE_S
    )
    async with writing as (revision, answers):

        def event() -> Served:
            return _event(identifier, services, key, texts, revision, answers, started_s)

        try:
            for at, answer in enumerate(answers):
                async for piece in answer:
                    yield at, piece
            await services.journal.append(event())
            is_recorded = True
        finally:
            if is_streamed and not is_recorded and any(answer.text for answer in answers):
                await services.journal.append(event())
        yield _reply(identifier, revision, answers)


def _event(
    identifier: str,
    services: Services,
    key: Key,
    texts: Texts,
    revision: Revision,
    answers: Sequence[Answer],
    started_s: float,
) -> Served:
    return Served(
        id=identifier,
        tenant=services.catalog.tenant,
        key=key.id,
        endpoint=revision.endpoint,
        revision=revision.revision,
        num_inputs=len(texts.prompts),
        num_tokens=sum(answer.num_tokens for answer in answers),
        price=revision.price,
        latency_ms=round((monotonic_s() - started_s) * 1000, 3),
        created_at=now(),
        inputs=list(texts.prompts),
        predictions=[{"text": answer.text, "finish": answer.finish} for answer in answers],
    )


def _reply(identifier: str, revision: Revision, answers: Sequence[Answer]) -> JSON:
    num_read = sum(answer.num_prompt_tokens for answer in answers)
    num_written = sum(answer.num_written_tokens for answer in answers)
    return {
        "id": identifier,
        "model": revision.endpoint,
        "revision": revision.revision,
        "texts": [{"text": answer.text, "finish": answer.finish, "tokens": answer.tokens} for answer in answers],
        "usage": {
            "prompt_tokens": num_read,
            "completion_tokens": num_written,
            "total_tokens": num_read + num_written,
        },
    }
