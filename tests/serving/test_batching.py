import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import pytest

from modelmint.core.errors import DataError, OverloadError
from modelmint.serving.batching import Batcher
from modelmint.serving.engines import SOFTMAX, Encoding, Logits


class SlowEngine:
    """Answers with the number of words; notes each batch; `gate` holds it back, and the word "fail" breaks it."""

    labels = ("words",)
    how = SOFTMAX
    max_batch = 32

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()

    def check(self, texts: Sequence[Any]) -> None:
        pass

    def encode(self, texts: Sequence[Any]) -> list[Encoding]:
        if "unreadable" in texts:
            raise DataError("image: must be one that can be read")
        if "fail" in texts:
            raise RuntimeError("broken")
        return [[1] * len(text.split()) for text in texts]

    def logits(self, encodings: Sequence[Encoding]) -> Logits:
        self.gate.wait(10)
        self.batches.append([len(ids) for ids in encodings])
        return np.array([[len(ids)] for ids in encodings], np.float32)

    def predict(self, texts: Sequence[Any]) -> Logits:
        return self.logits(self.encode(texts))


def run(steps: Callable[[Batcher, SlowEngine], Coroutine[Any, Any, None]], *, max_waiting: int = 1024) -> SlowEngine:
    engine = SlowEngine()

    async def main() -> None:
        batcher = Batcher(engine, max_waiting=max_waiting)
        try:
            await steps(batcher, engine)
        finally:
            engine.gate.set()
            await batcher.close()

    asyncio.run(main())
    return engine


async def held(batcher: Batcher, engine: SlowEngine) -> asyncio.Task[Any]:
    """The engine is busy with one text until its gate opens."""
    engine.gate.clear()
    first = asyncio.create_task(batcher.logits(["busy"], deadline_s=10))
    await asyncio.sleep(0.05)
    return first


def test_requests_that_wait_together_share_a_batch() -> None:
    async def steps(batcher: Batcher, engine: SlowEngine) -> None:
        first = await held(batcher, engine)
        others = [asyncio.create_task(batcher.logits([f"{'w ' * n}"], deadline_s=10)) for n in (1, 2, 3)]
        await asyncio.sleep(0.05)
        engine.gate.set()
        assert [rows.tolist() for rows, _ in await asyncio.gather(first, *others)] == [
            [[1.0]],
            [[1.0]],
            [[2.0]],
            [[3.0]],
        ]

    assert run(steps).batches == [[1], [1, 2, 3]]


def test_an_input_that_cannot_be_read_is_no_error_of_those_who_wait_beside_it() -> None:
    async def steps(batcher: Batcher, engine: SlowEngine) -> None:
        first = await held(batcher, engine)
        others = [asyncio.create_task(batcher.logits([text], deadline_s=10)) for text in ("unreadable", "two words")]
        await asyncio.sleep(0.05)
        engine.gate.set()
        _, wrong, right = await asyncio.gather(first, *others, return_exceptions=True)
        assert isinstance(wrong, DataError)
        assert not isinstance(right, BaseException)
        assert right[0].tolist() == [[2.0]]

    run(steps)


def test_a_long_text_does_not_pad_short_ones() -> None:
    async def steps(batcher: Batcher, engine: SlowEngine) -> None:
        rows, num_tokens = await batcher.logits(["a b", "w " * 100, "c"], deadline_s=10)
        assert (rows.tolist(), num_tokens) == ([[2.0], [100.0], [1.0]], 103)

    assert sorted(run(steps).batches) == [[2, 1], [100]]


def test_a_request_of_many_texts_does_not_block_one_of_a_single_text() -> None:
    async def steps(batcher: Batcher, engine: SlowEngine) -> None:
        first = await held(batcher, engine)
        many = asyncio.create_task(batcher.logits(["x"] * 256, deadline_s=10))
        await asyncio.sleep(0.01)
        single = asyncio.create_task(batcher.logits(["one two"], deadline_s=10))
        await asyncio.sleep(0.01)
        engine.gate.set()
        await asyncio.gather(first, many, single)

    assert 2 in run(steps).batches[1]


def test_too_many_waiting_texts_are_turned_away() -> None:
    async def steps(batcher: Batcher, engine: SlowEngine) -> None:
        first = await held(batcher, engine)
        with pytest.raises(OverloadError, match="at most 4 may"):
            await batcher.logits(["x"] * 4, deadline_s=10)
        engine.gate.set()
        await first

    run(steps, max_waiting=4)


def test_a_request_past_its_deadline_is_told_so_and_its_work_is_dropped() -> None:
    async def steps(batcher: Batcher, engine: SlowEngine) -> None:
        first = await held(batcher, engine)
        started = time.monotonic()
        with pytest.raises(OverloadError, match=r"no answer within 0\.1 s"):
            await batcher.logits(["late late"], deadline_s=0.1)
        assert time.monotonic() - started < 1
        engine.gate.set()
        await first
        await batcher.logits(["next"], deadline_s=10)

    assert run(steps).batches == [[1], [1]]


def test_the_work_of_a_cancelled_request_is_dropped() -> None:
    async def steps(batcher: Batcher, engine: SlowEngine) -> None:
        first = await held(batcher, engine)
        gone = asyncio.create_task(batcher.logits(["gone gone"], deadline_s=10))
        await asyncio.sleep(0.01)
        gone.cancel()
        engine.gate.set()
        await first
        await batcher.logits(["next"], deadline_s=10)

    assert run(steps).batches == [[1], [1]]


def test_a_failing_engine_fails_the_request_and_serves_the_next() -> None:
    async def steps(batcher: Batcher, engine: SlowEngine) -> None:
        with pytest.raises(RuntimeError, match="broken"):
            await batcher.logits(["fail"], deadline_s=10)
        await batcher.logits(["next"], deadline_s=10)

    assert run(steps).batches == [[1]]
