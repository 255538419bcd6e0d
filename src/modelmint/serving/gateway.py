"""The gateway: an endpoint's name -> its active revision -> the batcher of that variant.

It reads the catalog a few times a second, so a switch or a rollback made by any process takes effect within a second.
The new variant is loaded before the first request is sent to it; the old one stays for a rollback, or until its last
request is done. No request is lost and none waits for a load, but for the very first of an endpoint.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import Revision, list_deployments, unknown_endpoint
from modelmint.core.errors import InputError, ModelmintError, UnavailableError
from modelmint.core.inputs import Input
from modelmint.core.sampling import Sampling
from modelmint.core.types import JSON
from modelmint.serving.batching import Batcher
from modelmint.serving.engines import Engine, Logits, open_engine
from modelmint.serving.scribe import Answer, Scribe
from modelmint.serving.writers import Asked, Writer, open_writer, writes

REFRESH_S = 0.25
RETRY_S = 5.0  # a variant that does not open is tried again after this

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a revision answered: logits of shape (num_texts, num_labels), and how many tokens it read."""

    revision: Revision
    labels: Sequence[str]
    how: JSON
    """How logits become answers (`engines.answers`)."""
    logits: Logits
    num_tokens: int


@dataclass(kw_only=True)
class _Lane:
    """A loaded variant, and how many requests are on it."""

    serves: Batcher | Scribe
    """A batcher of a model that labels, a scribe of one that writes."""
    num_requests: int = 0


class Gateway:
    """Serves every endpoint of a catalog. Belongs to one event loop; `start` it first and `close` it at the end."""

    def __init__(self, catalog: Catalog, *, num_threads: int) -> None:
        self._catalog, self._num_threads = catalog, num_threads
        self._active: Mapping[str, Revision] = {}  # as the catalog has it
        self._routes: dict[str, Revision] = {}  # those of which the variant is loaded
        self._before: dict[str, Revision] = {}  # where a rollback would return to
        self._lanes: dict[str, _Lane] = {}
        self._failures: dict[str, tuple[float, BaseException]] = {}
        self._turn = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load what is deployed, then watch for changes. An endpoint that does not load answers with an error."""
        await self.refresh()
        self._watcher = asyncio.create_task(self._watch())

    async def predict(
        self,
        endpoint: str,
        texts: Sequence[Input],
        *,
        deadline_s: float,
        accept: Callable[[JSON], None] = lambda _how: None,
    ) -> Served:
        """Answer at least one text by the endpoint's active revision.

        Args:
            accept: raises an InputError where the request is not for a model that answers so (`Served.how`).

        Raises:
            NotFoundError: no such endpoint; the message names those there are.
            UnavailableError: its variant could not be loaded.
            InputError, OverloadError: see `Batcher.logits`.
        """
        revision = self._routes.get(endpoint) or await self._fresh(endpoint)
        lane = self._lanes[revision.variant]
        if not isinstance(lane.serves, Batcher):
            raise _other_route(endpoint, lane.serves)
        accept(lane.serves.engine.how)
        lane.num_requests += 1
        try:
            logits, num_tokens = await lane.serves.logits(texts, deadline_s=deadline_s)
        finally:
            lane.num_requests -= 1
        engine = lane.serves.engine
        return Served(revision=revision, labels=engine.labels, how=engine.how, logits=logits, num_tokens=num_tokens)

    @asynccontextmanager
    async def writing(
        self,
        endpoint: str,
        asked: Sequence[Asked],
        tools: str | None,
        sampling: Sampling,
        *,
        stops: Sequence[str] = (),
        deadline_s: float,
    ) -> AsyncIterator[tuple[Revision, Sequence[Answer]]]:
        """An answer to each chat, or how each text goes on, by the endpoint's active revision; they are written for as
        long as the context lasts.

        Args:
            asked: at least one; all chats, or all texts.

        Raises:
            NotFoundError, UnavailableError: as `predict`.
            InputError: the endpoint's model does not write, or not what was asked for.
            OverloadError: too many wait; as one iterates, too: the answer was not ready within `deadline_s`.
        """
        revision = self._routes.get(endpoint) or await self._fresh(endpoint)
        lane = self._lanes[revision.variant]
        are_texts = isinstance(asked[0], str)
        if not isinstance(lane.serves, Scribe) or lane.serves.writer.answers_chats == are_texts:
            raise _other_route(endpoint, lane.serves)
        answers: list[Answer] = []
        lane.num_requests += 1
        try:
            for one in asked:
                answers.append(lane.serves.answer(one, tools, sampling, stops=stops, deadline_s=deadline_s))
            yield revision, answers
        finally:
            for answer in answers:
                answer.leave()
            lane.num_requests -= 1

    async def refresh(self) -> None:
        """Read the catalog, load what became active and only then route to it."""
        async with self._turn:
            deployments = await asyncio.to_thread(list_deployments, self._catalog)
            self._active = {deployment.active.endpoint: deployment.active for deployment in deployments}
            for endpoint, active in self._active.items():
                route = self._routes.get(endpoint)
                if active != route and await self._load(active.variant):
                    if route is not None and route.variant != active.variant:
                        self._before[endpoint] = route
                    self._routes[endpoint] = active
            for endpoint in self._routes.keys() - self._active.keys():
                del self._routes[endpoint]
            await self._let_go()

    async def close(self) -> None:
        """Stop watching and end the engines; close it when no request is under way."""
        if self._watcher:
            self._watcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._watcher
        for lane in self._lanes.values():
            await lane.serves.close()

    async def _fresh(self, endpoint: str) -> Revision:
        """An endpoint may be younger than the last look at the catalog."""
        await self.refresh()
        if endpoint in self._routes:
            return self._routes[endpoint]
        if endpoint not in self._active:
            raise unknown_endpoint(endpoint, list(self._active))
        _, failure = self._failures[self._active[endpoint].variant]
        cause = failure.message if isinstance(failure, ModelmintError) else type(failure).__name__
        raise UnavailableError(
            f"model: the variant behind {endpoint} could not be loaded: {cause}",
            parameter="model",
            remedy="The server's log has more; a rollback returns to what was served before.",
        )

    async def _load(self, variant: str) -> bool:
        """Whether the variant is loaded; tries to load it unless that failed a moment ago."""
        now_s = asyncio.get_running_loop().time()
        if variant in self._lanes:
            return True
        if variant in self._failures and now_s < self._failures[variant][0]:
            return False
        loading = asyncio.ensure_future(asyncio.to_thread(self._open, variant))
        await asyncio.wait([loading])
        if error := loading.exception():  # whatever it is, the other endpoints go on
            log.error("variant %s could not be loaded", variant, exc_info=error)
            self._failures[variant] = (now_s + RETRY_S, error)
            return False
        self._failures.pop(variant, None)
        opened = loading.result()
        self._lanes[variant] = _Lane(serves=Scribe(opened) if isinstance(opened, Writer) else Batcher(opened))
        return True

    def _open(self, variant: str) -> Engine | Writer:
        folder = self._catalog.model(variant).files.folder()
        return (open_writer if writes(folder) else open_engine)(folder, self._num_threads)

    async def _let_go(self) -> None:
        """Close the lanes that no endpoint uses or would return to, once their last request is done."""
        kept = {revision.variant for revision in (*self._routes.values(), *self._before.values())}
        for variant in [
            variant for variant, lane in self._lanes.items() if variant not in kept and not lane.num_requests
        ]:
            await self._lanes.pop(variant).serves.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self.refresh()
            except (ModelmintError, sa.exc.SQLAlchemyError) as error:
                log.warning("the deployments could not be read; serving goes on as before: %s", error)


def _other_route(endpoint: str, serves: Batcher | Scribe) -> InputError:
    if isinstance(serves, Batcher):
        what, route = "answers texts with labels or numbers", "/v1/predict"
    elif serves.writer.answers_chats:
        what, route = "writes answers to chats", "/v1/chat/completions"
    else:
        what, route = "goes on with texts", "/v1/completions"
    return InputError(
        f"model: {endpoint} {what}", parameter="model", remedy=f"Ask it by POST {route}, or name another endpoint."
    )
