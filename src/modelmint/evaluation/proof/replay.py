"""Texts through a real endpoint over HTTP: several clients at a time, requests of mixed sizes.

It knows an address and the shape of an answer, never a model.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Event

import httpx
import numpy as np

from modelmint.core.clock import monotonic_s
from modelmint.core.inputs import Input, fits, shown
from modelmint.core.stage import Endpoint
from modelmint.core.types import JSON
from modelmint.evaluation.proof.ports import PREDICT, Port

SIZES = (1, 1, 2, 3, 5, 8)  # texts in a request; a request of one text is a bare string every other time
ALONE = (1,)
SHOWN_CHARS = 200
MAX_FAILED = 20  # requests: a server that hangs must not be waited for once a request; the rest count as failed
REFUSALS = (httpx.codes.BAD_REQUEST, httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.UNPROCESSABLE_ENTITY)


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """`answers` has one entry a text, None where none came; `failures` says why, each with its number of rows.

    A text that is too long for the endpoint has no answer and is no failure where the endpoint refused it.
    """

    answers: list[JSON | None]
    """As the endpoint gives them: ``{"label", "score", "scores"}``, ``{"labels", "label_scores", "scores"}`` or ``{"value"}``,
    ``{"tags", "tag_scores", "entities"}``, ``{"answer", "answer_start", "score"}``, ``{"items": [{"item", "score"}]}``,
    ``{"embedding"}`` or ``{"score"}``."""
    failures: list[JSON]
    failed: list[bool]
    latencies_ms: list[float]
    """Of the requests that were answered."""
    num_requests: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Request:
    start: int
    texts: Sequence[Input]
    bare: bool
    must_be_refused: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reply:
    """Without answers and without a reason the endpoint refused what it must refuse."""

    answers: list[JSON] | None
    reason: str
    latency_ms: float


_NOT_SENT = _Reply(answers=None, reason=f"not sent, after {MAX_FAILED} failed requests", latency_ms=0.0)


def replay(
    endpoint: Endpoint,
    texts: Sequence[Input],
    *,
    concurrency: int,
    timeout_s: float,
    seed: int,
    sizes: Sequence[int] = SIZES,
    may_answer: Sequence[bool] = (),
    port: Port = PREDICT,
    say: Callable[[int], None] = lambda _done: None,
) -> Replay:
    """Send every text once; `say` is told how many are done, from this thread. No request is tried twice.

    A text that is longer than the endpoint takes, or that by `may_answer` it may not answer, goes alone and must be
    refused. After `MAX_FAILED` failed requests no
    more are sent; their texts have no answer, and `failures` says so.
    """
    takes = [fits(one, endpoint.max_characters) for one in texts]
    if may_answer:
        takes = [fit and may for fit, may in zip(takes, may_answer, strict=True)]
    requests = _requests(texts, seed, sizes, takes, port)
    answers: list[JSON | None] = [None] * len(texts)
    failed = [False] * len(texts)
    reasons: Counter[str] = Counter()
    latencies_ms: list[float] = []
    done = num_failed = 0
    stop = Event()
    with httpx.Client(timeout=timeout_s, trust_env=False) as client, ThreadPoolExecutor(concurrency) as pool:
        replies = {pool.submit(_send, client, endpoint, port, request, stop): request for request in requests}
        for finished in as_completed(replies):
            request, reply = replies[finished], finished.result()
            span = slice(request.start, request.start + len(request.texts))
            if reply.answers is not None:
                latencies_ms.append(reply.latency_ms)
                answers[span] = reply.answers
            elif reply.reason:
                reasons[reply.reason] += len(request.texts)
                failed[span] = [True] * len(request.texts)
                num_failed += 1
            if num_failed >= MAX_FAILED:
                stop.set()
            say(done := done + len(request.texts))
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return Replay(
        answers=answers,
        failures=[{"reason": reason, "num_rows": count} for reason, count in ranked],
        failed=failed,
        latencies_ms=latencies_ms,
        num_requests=len(requests),
    )


def _send(client: httpx.Client, endpoint: Endpoint, port: Port, request: _Request, stop: Event) -> _Reply:
    if stop.is_set():
        return _NOT_SENT
    started_s = monotonic_s()
    try:
        response = client.post(
            f"{endpoint.url.rstrip('/')}{port.path}",
            json={"model": endpoint.name, **port.body(request.texts, request.bare)},
            headers={"Authorization": f"Bearer {endpoint.key}"},
        )
        latency_ms = (monotonic_s() - started_s) * 1e3
        if request.must_be_refused:
            return _refused(response, request.texts[0], endpoint.max_characters)
        if response.status_code != httpx.codes.OK:
            return _Reply(
                answers=None, reason=f"HTTP {response.status_code}: {said_by(response)}", latency_ms=latency_ms
            )
        body = response.json()
    except httpx.TransportError as error:
        return _Reply(answers=None, reason=f"no answer: {type(error).__name__}", latency_ms=0.0)
    except ValueError:  # of response.json
        return _Reply(answers=None, reason="the answer is not JSON", latency_ms=0.0)
    answers, reason = port.answers(body, len(request.texts))
    return _Reply(answers=answers, reason=reason, latency_ms=latency_ms)


def _refused(response: httpx.Response, one: Input, max_characters: int) -> _Reply:
    """The rule of a text that is too long: the endpoint says that its input is, and does not answer it."""
    reason = ""
    if response.status_code not in REFUSALS:
        long = f"a text of more than {max_characters:,} characters"
        what = long if not fits(one, max_characters) else f"a row that it cannot read ({shown(one, 60)})"
        reason = f"HTTP {response.status_code} for {what}: it must be refused"
    return _Reply(answers=None, reason=reason, latency_ms=0.0)


def said_by(response: httpx.Response) -> str:
    """The message of an error in our shape, without what differs from request to request."""
    try:
        return str(response.json()["error"]["message"])[:SHOWN_CHARS]
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase


def _requests(
    texts: Sequence[Input], seed: int, sizes: Sequence[int], takes: Sequence[bool], port: Port
) -> list[_Request]:
    """Every text once, in requests of seeded sizes; what must be refused goes alone."""
    random = np.random.default_rng(seed)
    requests: list[_Request] = []
    start = 0
    while start < len(texts):
        part = texts[start : start + int(random.choice(sizes))]
        other = next((at for at, one in enumerate(part) if not port.together(part[0], one)), len(part))
        part = part[:other]
        refused = [at for at in range(len(part)) if not takes[start + at]]
        if refused:
            part = part[: max(1, refused[0])]
        bare = len(part) == 1 and len(requests) % 2 == 0
        requests.append(_Request(start=start, texts=part, bare=bare, must_be_refused=refused[:1] == [0]))
        start += len(part)
    return requests
