"""What a client may send: how much, how fast, and of which kind. Pure ASGI, before any route."""

import asyncio
import itertools
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelmint.api.errors import NotJSONError, SlowClientError, TooLargeError, answer
from modelmint.core.errors import ModelmintError

BODY_BYTES = 1 << 20
BODY_S = 10.0


class BodyLimits:
    """Reads the body of a request, at most `BODY_BYTES` of JSON within `BODY_S`, and hands it on whole."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            body = await _body(Headers(scope=scope), receive)
        except ModelmintError as error:
            await answer(error)(scope, receive, send)
            return
        if body is None:  # the client is gone
            return
        whole: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def replay() -> Message:
            nonlocal whole
            message, whole = whole, None
            return message or await receive()

        await self.app(scope, replay, send)


class RequestIds:
    """Gives each request an id, which is in the header ``x-request-id`` of its response and in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._process, self._numbers = secrets.token_hex(8), itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identifier = f"req_{self._process}-{next(self._numbers)}"
        scope.setdefault("state", {})["request_id"] = identifier

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = identifier
            await send(message)

        await self.app(scope, receive, named)


async def _body(headers: Headers, receive: Receive) -> bytes | None:
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > BODY_BYTES:
        raise _too_large()
    chunks: list[bytes] = []
    num_bytes = 0
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                chunks.append(message.get("body", b""))
                num_bytes += len(chunks[-1])
                if num_bytes > BODY_BYTES:
                    raise _too_large()
                if not message.get("more_body", False):
                    break
    except TimeoutError as error:
        raise SlowClientError(
            f"body: must arrive within {BODY_S:g} s; got {num_bytes} bytes by then",
            parameter="body",
            remedy="Send the whole body at once.",
        ) from error
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if num_bytes and kind != "application/json":
        raise NotJSONError(
            f"content-type: must be application/json; got {kind or 'none'}",
            parameter="content-type",
            remedy="Send JSON with the header `Content-Type: application/json`.",
        )
    return b"".join(chunks)


def _too_large() -> TooLargeError:
    return TooLargeError(
        f"body: must be at most {BODY_BYTES} bytes; got more",
        parameter="body",
        remedy="Send the inputs in several requests.",
    )
