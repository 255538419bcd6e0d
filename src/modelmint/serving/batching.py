"""Micro-batching: requests that wait at the same time share a forward pass.

There is no timer. While the engine works, what arrives waits; when it is free, it takes what waits. So one lonely
request is served at once, and batches grow with the load. A batch holds texts of about one length (a long text would
pad thirty short ones), taken from the waiting requests in turn: 256 texts of one request do not block another's one.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from modelmint.core.errors import ModelmintError, OverloadError
from modelmint.core.inputs import Input
from modelmint.serving.engines import Encoding, Engine, Logits, stacked

BATCH_TOKENS = 4096  # with padding; a text that is longer goes alone
MAX_WAITING = 1024  # texts; beyond it new requests are turned away, since their wait would outlast their deadline
SHORTEST = 16  # lengths up to this share a batch


class Batcher:
    """One engine, one thread for it, and the requests that wait for it. Belongs to one event loop."""

    def __init__(self, engine: Engine, *, max_waiting: int = MAX_WAITING) -> None:
        self.engine = engine
        self._max_waiting, self._num_waiting = max_waiting, 0
        self._arrived: list[_Request] = []
        self._turns: deque[_Request] = deque()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "engine")
        self._worker = asyncio.create_task(self._work())

    async def logits(self, texts: Sequence[Input], *, deadline_s: float) -> tuple[Logits, int]:
        """Logits of shape (num_texts, num_labels), and how many tokens were read. Cancel it and its work is dropped.

        Raises:
            InputError: the engine cannot read the inputs.
            OverloadError: too many texts wait, or the answer was not ready within `deadline_s`.
        """
        if self._num_waiting and self._num_waiting + len(texts) > self._max_waiting:
            raise OverloadError(
                f"input: {self._num_waiting} texts wait for this model, and at most {self._max_waiting} may",
                parameter="input",
                remedy="Send it again after the seconds of Retry-After.",
            )
        request = _Request(texts)
        self._num_waiting += len(texts)
        self._arrived.append(request)
        self._wake.set()
        try:
            async with asyncio.timeout(deadline_s):
                return await request.done, request.num_tokens
        except TimeoutError as error:
            raise OverloadError(
                f"input: no answer within {deadline_s:g} s",
                parameter="input",
                remedy="Send it again after the seconds of Retry-After, with fewer or shorter texts.",
            ) from error
        finally:
            self._num_waiting -= len(texts)

    async def close(self) -> None:
        """End the thread when its batch is done; requests that still wait are cancelled."""
        self._worker.cancel()
        with suppress(asyncio.CancelledError):
            await self._worker
        for request in (*self._arrived, *self._turns):
            request.done.cancel()
        await asyncio.to_thread(self._thread.shutdown)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._arrived and not self._turns:
                self._wake.clear()
                await self._wake.wait()
            arrived, self._arrived = self._arrived, []
            self._turns.extend(arrived)
            self._turns = deque(request for request in self._turns if not request.done.done())
            step = loop.run_in_executor(self._thread, self._step, list(self._turns))
            await asyncio.wait([step])
            if error := step.exception():  # whatever it is, it is the answer to each who waits; the worker goes on
                for request in self._turns:
                    request.fail(error)
                continue
            for request in step.result():
                request.finish()
            self._turns.rotate(-1)

    def _step(self, turns: Sequence["_Request"]) -> Sequence["_Request"]:
        """On the engine's thread: read what is new, run one batch; returns the requests that this finished."""
        fresh = [request for request in turns if not request.read]
        for request in fresh:
            try:
                self.engine.check(request.texts)
                request.take_in(self.engine.encode(request.texts))
            except ModelmintError as error:  # what one caller sent is no other's error
                request.wrong = error
        batch = pick(turns, self.engine.max_batch)
        if batch:
            for (request, position, _), row in zip(
                batch, self.engine.logits([ids for _, _, ids in batch]), strict=True
            ):
                request.rows[position] = row
        return [request for request in turns if request.wrong or len(request.rows) == len(request.texts)]


class _Request:
    """The texts of one caller, those that wait by their length, and the rows of logits that are done."""

    def __init__(self, texts: Sequence[Input]) -> None:
        self.texts = texts
        self.wrong: ModelmintError | None = None
        self.done: asyncio.Future[Logits] = asyncio.get_running_loop().create_future()
        self.rows: dict[int, Logits] = {}
        self.waiting: dict[int, deque[tuple[int, Encoding]]] = {}
        self.num_tokens = 0
        self.read = False

    def take_in(self, encodings: Sequence[Encoding]) -> None:
        for position, ids in enumerate(encodings):
            self.waiting.setdefault(_bucket(len(ids)), deque()).append((position, ids))
        self.num_tokens = sum(map(len, encodings))
        self.read = True

    def finish(self) -> None:
        if self.wrong:
            self.fail(self.wrong)
        elif not self.done.done():
            self.done.set_result(stacked([self.rows[position] for position in range(len(self.texts))]))

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def pick(turns: Sequence[_Request], max_batch: int) -> list[tuple[_Request, int, Encoding]]:
    """The next batch: the length of the first request's longest-waiting text, then one text a request in turn."""
    first = next((request for request in turns if request.waiting), None)
    if first is None:
        return []
    bucket = next(iter(first.waiting))
    room = min(max_batch, max(1, BATCH_TOKENS // bucket))
    batch: list[tuple[_Request, int, Encoding]] = []
    sharing = [request for request in turns if bucket in request.waiting]
    while sharing and len(batch) < room:
        for request in sharing[: room - len(batch)]:
            batch.append((request, *request.waiting[bucket].popleft()))
            if not request.waiting[bucket]:
                del request.waiting[bucket]
        sharing = [request for request in sharing if bucket in request.waiting]
    return batch


def _bucket(num_tokens: int) -> int:
    """The power of two that holds a length: texts of one bucket pad one another by less than half."""
    return max(SHORTEST, 1 << (num_tokens - 1).bit_length())
