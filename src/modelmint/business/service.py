"""The paid answer, and everything it needs, opened once a process. The faces call this."""

import asyncio
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from modelmint.business.journal import Journal, Served
from modelmint.business.keys import Key, Keyring
from modelmint.business.metering import Ingester
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.events import Sealer
from modelmint.core.clock import monotonic_s, now
from modelmint.core.errors import ModelmintError
from modelmint.core.ids import new_id
from modelmint.core.inputs import Input, kept
from modelmint.core.settings import Settings
from modelmint.core.types import JSON
from modelmint.serving.engines import answers
from modelmint.serving.gateway import Gateway
from modelmint.serving.gateway import Served as Answered

DEADLINE_S = 30.0
INGEST_S = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Services:
    """The rooms below, opened."""

    catalog: Catalog
    gateway: Gateway
    journal: Journal
    ingester: Ingester
    keyring: Keyring


async def answer(
    services: Services, key: Key, endpoint: str, texts: Sequence[Input], *, all_scores: bool = False
) -> JSON:
    """Answer at least one input, and return when the usage record is on disk: no reply without its record.

    Returns:
        ``{"id", "model", "revision", "predictions": [{"label", "score", "scores"?}], "usage": {...}}``; what a
        prediction holds is `serving.engines.answers`'.

    Raises:
        NotFoundError, UnavailableError, InputError, OverloadError: see `Gateway.predict`.
        StorageFullError, UnavailableError: see `Journal.append`.
    """
    started_s = monotonic_s()
    served = await services.gateway.predict(endpoint, texts, deadline_s=DEADLINE_S)
    predictions = answers(served.logits, served.labels, how=served.how, all_scores=all_scores, inputs=texts)
    event = await record(services, key, served, texts, [_kept(each) for each in predictions], started_s=started_s)
    return {
        "id": event.id,
        "model": event.endpoint,
        "revision": event.revision,
        "predictions": predictions,
        "usage": {"num_inputs": event.num_inputs, "num_tokens": event.num_tokens},
    }


async def record(
    services: Services,
    key: Key,
    served: Answered,
    inputs: Sequence[Input],
    predictions: Sequence[JSON],
    *,
    started_s: float,
    num_inputs: int | None = None,
) -> Served:
    """Bring what was answered into the journal; when this returns it is on disk, and the reply may be sent.

    Args:
        num_inputs: what is billed, where it is not the number of `inputs`.

    Raises:
        StorageFullError, UnavailableError: see `Journal.append`.
    """
    revision = served.revision
    event = Served(
        id=new_id("prediction"),
        tenant=services.catalog.tenant,
        key=key.id,
        endpoint=revision.endpoint,
        revision=revision.revision,
        num_inputs=len(inputs) if num_inputs is None else num_inputs,
        num_tokens=served.num_tokens,
        price=revision.price,
        latency_ms=round((monotonic_s() - started_s) * 1000, 3),
        created_at=now(),
        inputs=[kept(one) for one in inputs],
        predictions=predictions,
    )
    await services.journal.append(event)
    return event


def said_of(vector: Any) -> JSON:
    """What of a vector is kept with its prediction: its width, and the digest of its 32-bit numbers."""
    numbers = np.asarray(vector, np.float32)
    return {"width": len(numbers), "sha256": hashlib.sha256(numbers.tobytes()).hexdigest()}


def _kept(prediction: JSON) -> JSON:
    if "embedding" in prediction:
        return said_of(prediction["embedding"])
    return {name: value for name, value in prediction.items() if name != "scores"}


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open the rooms below, and close them the other way round: what was acknowledged ends up in the database."""
    async with AsyncExitStack() as stack:
        catalog = await asyncio.to_thread(Catalog, settings)
        stack.callback(catalog.close)
        ingester = Ingester(catalog)
        stack.push_async_callback(_ingest, ingester)
        journal = Journal(settings.journal, Sealer(catalog, "predictions"))
        stack.push_async_callback(journal.close)
        gateway = Gateway(catalog, num_threads=len(os.sched_getaffinity(0)))
        stack.push_async_callback(gateway.close)
        await gateway.start()
        ingesting = asyncio.create_task(_keep_ingesting(ingester))
        stack.callback(ingesting.cancel)
        yield Services(catalog=catalog, gateway=gateway, journal=journal, ingester=ingester, keyring=Keyring(catalog))


def predict_here(settings: Settings, endpoint: str, texts: Sequence[Input], *, scores: bool = False) -> JSON:
    """`answer` in this process, for the command line and notebooks: the same gateway, the same record."""
    local = Key(id="local", name="local", prefix="", scopes=("predict",), created_at=now())

    async def ask() -> JSON:
        async with open_services(settings) as services:
            return await answer(services, local, endpoint, texts, all_scores=scores)

    with ThreadPoolExecutor(1) as thread:  # of its own: a notebook has an event loop already
        return thread.submit(asyncio.run, ask()).result()


async def _keep_ingesting(ingester: Ingester) -> None:
    while True:
        await _ingest(ingester)
        await asyncio.sleep(INGEST_S)


async def _ingest(ingester: Ingester) -> None:
    try:
        await asyncio.to_thread(ingester.run)
    except (ModelmintError, OSError, sa.exc.SQLAlchemyError) as error:
        log.warning("usage records wait in the journal: %s", error)
