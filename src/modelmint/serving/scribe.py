"""Answers that are written at the same time: one writer, one thread for it, and a token in turn for each.

So a short answer does not wait for a long one, and each is streamed as it grows. A prompt is read whole in one turn.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from modelmint.core.errors import OverloadError, UnavailableError
from modelmint.core.sampling import Sampling
from modelmint.core.types import JSON
from modelmint.serving.writers import Asked, Finish, Writer, Writing

MAX_ACTIVE = 8  # answers under way: each holds the memory of its own tokens
MAX_WAITING = 64
STEPS = 4  # tokens of each answer between two looks at who has come and gone


class Scribe:
    """A writer and the answers that it is asked for. Belongs to one event loop."""

    def __init__(self, writer: Writer, *, max_active: int = MAX_ACTIVE, max_waiting: int = MAX_WAITING) -> None:
        self.writer = writer
        self._max_active, self._max_waiting = max_active, max_waiting
        self._waiting: deque[Answer] = deque()
        self._active: list[Answer] = []
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "writer")
        self._worker = asyncio.create_task(self._work())

    def answer(
        self,
        asked: Asked,
        tools: str | None,
        sampling: Sampling,
        *,
        stops: Sequence[str] = (),
        deadline_s: float,
    ) -> "Answer":
        """The answer to a chat, or how a text goes on, which is written from now on; iterate over its pieces, and `Answer.leave` in the end.

        Raises:
            OverloadError: too many wait.
        """
        self._waiting = deque(each for each in self._waiting if not each.is_left)
        if len(self._waiting) >= self._max_waiting:
            raise OverloadError(
                f"model: {len(self._waiting)} answers wait for it, and at most {self._max_waiting} may",
                parameter="model",
                remedy="Send it again after the seconds of Retry-After.",
            )
        answer = Answer(asked, tools, sampling, stops, deadline_s)
        self._waiting.append(answer)
        self._wake.set()
        return answer

    async def close(self) -> None:
        """End the thread when its turn is done; answers under way end with an `UnavailableError`."""
        self._worker.cancel()
        with suppress(asyncio.CancelledError):
            await self._worker
        for each in (*self._active, *self._waiting):
            each.tell(UnavailableError("model: the server ends", parameter="model", remedy="Send it again."))
        await asyncio.to_thread(self._thread.shutdown)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._active = [each for each in self._active if not each.is_left]
            while self._waiting and len(self._active) < self._max_active:
                if not (each := self._waiting.popleft()).is_left:
                    self._active.append(each)
            if not self._active:
                self._wake.clear()
                await self._wake.wait()
                continue
            turns = [loop.run_in_executor(self._thread, each.write, self.writer) for each in self._active]
            await asyncio.wait(turns)
            for each, turn in zip(self._active, turns, strict=True):
                each.tell(turn.exception())  # whatever it is, it is the answer to who asked; the others go on
            self._active = [each for each in self._active if not each.is_done]


class Answer:
    """What is being written for one caller. Iterate over it for the pieces of its text, which end before a stop word.

    `write` is called on the writer's thread, everything else on the event loop.
    """

    def __init__(
        self,
        asked: Asked,
        tools: str | None,
        sampling: Sampling,
        stops: Sequence[str],
        deadline_s: float,
    ) -> None:
        self.asked, self.tools, self.sampling = asked, tools, sampling
        self.told: asyncio.Queue[str | BaseException | None] = asyncio.Queue()
        self.writing: Writing | None = None
        self.is_left = self.is_done = False
        self._deadline_s, self._ends_s = deadline_s, asyncio.get_running_loop().time() + deadline_s
        self._stops = [stop for stop in stops if stop]
        self._num_sent = 0
        self._text = ""
        self._finish: Finish | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        while (piece := await self._next()) is not None:
            yield piece

    async def _next(self) -> str | None:
        try:
            async with asyncio.timeout_at(self._ends_s):
                piece = await self.told.get()
        except TimeoutError as error:
            raise OverloadError(
                f"max_tokens: the answer was not ready within {self._deadline_s:g} s",
                parameter="max_tokens",
                remedy="Send it again after the seconds of Retry-After, with fewer max_tokens.",
            ) from error
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def leave(self) -> None:
        """Nobody reads it any more: it is written no further."""
        self.is_left = True

    @property
    def text(self) -> str:
        """What was sent so far; at the end, all of it."""
        return self._text[: self._num_sent]

    @property
    def finish(self) -> Finish:
        return self._finish or "length"

    @property
    def num_tokens(self) -> int:
        """Read and written."""
        return self.num_prompt_tokens + self.num_written_tokens

    @property
    def num_prompt_tokens(self) -> int:
        return self.writing.num_prompt_tokens if self.writing else 0

    @property
    def num_written_tokens(self) -> int:
        return len(self.writing.ids) if self.writing else 0

    @property
    def tokens(self) -> list[JSON]:
        """``{"token", "id", "logprob"}`` of each that was written."""
        writing = self.writing
        told = zip(writing.tokens, writing.ids, writing.logprobs, strict=True) if writing else ()
        return [{"token": token, "id": token_id, "logprob": round(logprob, 6)} for token, token_id, logprob in told]

    def write(self, writer: Writer) -> None:
        """On the writer's thread: a few tokens more."""
        if self.writing is None:
            self.writing = writer.start(self.asked, self.tools, self.sampling)
        for _ in range(STEPS):
            if not self.writing.step():
                self._finish = self.writing.finish
                break
        self._text = self.writing.text
        place = min((at for stop in self._stops if (at := self._text.find(stop)) >= 0), default=None)
        if place is not None:
            self._text, self._finish = self._text[:place], "stop"

    def tell(self, error: BaseException | None = None) -> None:
        """On the event loop: send what is new, but not the beginning of what may become a letter or a stop word."""
        if error is not None:
            self.is_done = True
            self.told.put_nowait(error)
            return
        end = len(self._text) if self._finish else len(self._text.rstrip("\ufffd")) - self._held_back()
        if end > self._num_sent:
            start, self._num_sent = self._num_sent, end
            self.told.put_nowait(self._text[start:end])
        if self._finish is not None:
            self.is_done = True
            self.told.put_nowait(None)

    def _held_back(self) -> int:
        return max((len(stop) - 1 for stop in self._stops), default=0)
