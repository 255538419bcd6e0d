"""Chats, or texts to go on with, through a real endpoint over HTTP, greedy and with the log-probability of every token."""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Event
from typing import Any

import httpx

from modelmint.core.clock import monotonic_s
from modelmint.core.stage import Endpoint
from modelmint.core.types import JSON
from modelmint.evaluation.proof.replay import MAX_FAILED, REFUSALS, said_by

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What the endpoint answered: token ids with the log-probability it says each has, and how many it read."""

    ids: list[int]
    logprobs: list[float]
    stopped: bool
    num_prompt_tokens: int
    text: str
    latency_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatReplay:
    """`said` has one entry a chat, None where no answer came; `failures` says why, each with its number of rows.

    A chat that is too long for the endpoint has no answer and is no failure where the endpoint refused it.
    """

    said: list[Said | None]
    failures: list[JSON]
    failed: list[bool]


def replay_chats(
    endpoint: Endpoint,
    chats: Sequence[Messages | str],
    tools: Sequence[Any],
    *,
    max_tokens: int,
    concurrency: int,
    timeout_s: float,
    say: Callable[[int], None] = lambda _done: None,
) -> ChatReplay:
    """Send every chat once; `say` is told how many are done, from this thread. No request is tried twice.

    After `MAX_FAILED` failed requests no more are sent; the rest count as failed.
    """
    said: list[Said | None] = [None] * len(chats)
    failed = [False] * len(chats)
    reasons: Counter[str] = Counter()
    stop = Event()
    with httpx.Client(timeout=timeout_s, trust_env=False) as client, ThreadPoolExecutor(concurrency) as pool:

        def ask(at: int) -> Said | str:
            if stop.is_set():
                return f"not sent, after {MAX_FAILED} failed requests"
            return _sent(
                client, endpoint, _body(endpoint, chats[at], tools[at], max_tokens), _is_long(endpoint, chats[at])
            )

        replies = {pool.submit(ask, at): at for at in range(len(chats))}
        for done, finished in enumerate(as_completed(replies), 1):
            at, reply = replies[finished], finished.result()
            if isinstance(reply, Said):
                said[at] = reply
            elif reply:
                failed[at] = True
                reasons[reply] += 1
            if sum(failed) >= MAX_FAILED:
                stop.set()
            say(done)
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ChatReplay(
        said=said, failures=[{"reason": reason, "num_rows": count} for reason, count in ranked], failed=failed
    )


def _body(endpoint: Endpoint, chat: Messages | str, tools: Any, max_tokens: int) -> JSON:
    """A message as OpenAI has it: no key without a value, tool calls as a list."""
    if isinstance(chat, str):
        return {"model": endpoint.name, "prompt": chat, "max_tokens": max_tokens, "logprobs": 0}
    messages = []
    for one in chat:
        message = {key: value for key, value in one.items() if value is not None}
        if isinstance(message.get("tool_calls"), str):
            message["tool_calls"] = json.loads(message["tool_calls"])
        messages.append(message)
    asked = {"model": endpoint.name, "messages": messages, "max_tokens": max_tokens, "logprobs": True}
    return asked | ({"tools": json.loads(tools)} if tools else {})


def _is_long(endpoint: Endpoint, chat: Messages | str) -> bool:
    contents = [chat] if isinstance(chat, str) else [one.get("content") or "" for one in chat]
    return sum(map(len, contents)) > endpoint.max_characters


def text_of(chat: Messages | str) -> str:
    """The text, or what is said last."""
    return chat if isinstance(chat, str) else str((chat[-1].get("content") if chat else "") or "")


def _sent(client: httpx.Client, endpoint: Endpoint, body: JSON, is_long: bool) -> Said | str:
    """The answer, or why there is none; an empty reason where the endpoint refused what it must refuse."""
    started_s = monotonic_s()
    try:
        response = client.post(
            f"{endpoint.url.rstrip('/')}/v1/{'completions' if 'prompt' in body else 'chat/completions'}",
            json=body,
            headers={"Authorization": f"Bearer {endpoint.key}"},
        )
        latency_ms = (monotonic_s() - started_s) * 1e3
        if is_long:
            refused = response.status_code in REFUSALS
            return "" if refused else f"HTTP {response.status_code} for what is too long: it must be refused"
        if response.status_code != httpx.codes.OK:
            return f"HTTP {response.status_code}: {said_by(response)}"
        return _read(response.json(), latency_ms)
    except httpx.TransportError as error:
        return f"no answer: {type(error).__name__}"
    except ValueError:  # of response.json
        return "the answer is not JSON"


def _read(body: Any, latency_ms: float) -> Said | str:
    try:
        choice = body["choices"][0]
        ids, logprobs = _tokens(choice["logprobs"])
        said = Said(
            ids=ids,
            logprobs=logprobs,
            stopped=choice["finish_reason"] == "stop",
            num_prompt_tokens=int(body["usage"]["prompt_tokens"]),
            text=str(choice["text"] if "text" in choice else choice["message"]["content"]),
            latency_ms=latency_ms,
        )
    except (KeyError, IndexError, TypeError, ValueError):
        return "the answer has not the shape of a completion with log-probabilities"
    if not all(math.isfinite(one) for one in said.logprobs):
        return "a log-probability is no finite number"
    return said


def _tokens(told: JSON) -> tuple[list[int], list[float]]:
    """Ids and log-probabilities, of texts as two lists, of chats token by token."""
    if "token_ids" in told:
        pairs = list(zip(told["token_ids"], told["token_logprobs"], strict=True))
    else:
        pairs = [(token["id"], token["logprob"]) for token in told["content"]]
    return [int(one) for one, _ in pairs], [float(other) for _, other in pairs]
