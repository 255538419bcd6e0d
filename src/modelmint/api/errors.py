"""Every error leaves in one JSON shape (`core/errors.py`), whoever raised it."""

import logging
from collections.abc import Mapping
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from modelmint.core.errors import AuthError, InputError, ModelmintError, NotFoundError, OverloadError
from modelmint.core.inputs import SHAPES

log = logging.getLogger(__name__)


class MethodError(InputError):
    code = "method_not_allowed"
    http_status = 405


class SlowClientError(InputError):
    code = "request_timeout"
    http_status = 408


class TooLargeError(InputError):
    code = "too_large"
    http_status = 413


class NotJSONError(InputError):
    code = "unsupported_media_type"
    http_status = 415


def install(app: FastAPI) -> None:
    """Answer every exception of the application; the last handler is this process's one boundary."""
    app.add_exception_handler(ModelmintError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def answer(error: ModelmintError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response to an error; what it is `about` stays here when it is the server's fault."""
    body = error.to_dict()
    if error.http_status >= 500:
        body["error"].pop("about", None)
    extra = dict(headers or {})
    if isinstance(error, OverloadError):
        extra["retry-after"] = str(error.retry_after_s)
    if isinstance(error, AuthError) and error.http_status == 401:
        extra["www-authenticate"] = "Bearer"
    if isinstance(error, (SlowClientError, TooLargeError)):
        extra["connection"] = "close"  # the rest of the body is not wanted
    return JSONResponse(body, error.http_status, extra)


async def _ours(_request: Request, raised: Exception) -> JSONResponse:
    error = cast("ModelmintError", raised)
    if error.http_status >= 500:
        log.error("%s", error)
    return answer(error)


async def _invalid(_request: Request, raised: Exception) -> JSONResponse:
    first = cast("RequestValidationError", raised).errors()[0]
    name = _name(first["loc"])
    return answer(
        InputError(
            f"{name}: {first['msg'][:1].lower()}{first['msg'][1:]}; got {_given(first)}",
            parameter=name,
            remedy="GET /openapi.json describes every request.",
        )
    )


async def _http(request: Request, raised: Exception) -> JSONResponse:
    error = cast("HTTPException", raised)
    headers = error.headers
    if error.status_code == 404:
        return answer(
            NotFoundError(
                f"path: there is nothing at {request.url.path}",
                parameter="path",
                remedy="GET /openapi.json lists the routes.",
            ),
            headers,
        )
    if error.status_code == 405:
        allowed = Headers(headers or {}).get("allow", "")
        return answer(
            MethodError(
                f"method: {request.url.path} takes {allowed}; got {request.method}",
                parameter="method",
                remedy=f"Send {allowed}.",
            ),
            headers,
        )
    return answer(InputError(str(error.detail)), headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    identifier = request.scope.get("state", {}).get("request_id", "")
    log.error("request %s failed", identifier, exc_info=error)
    return answer(
        ModelmintError("The server failed on this request.", remedy=f"Its log has the cause under {identifier}."),
        {"x-request-id": identifier},
    )


def _name(place: tuple[Any, ...]) -> str:
    """("body", "input", 3) -> input[3]. A part may be what the client wrote: it is cut and made printable."""
    name = ""
    for part in place[1:] or place:
        if part in SHAPES:  # which of several forms was meant
            continue
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name[:80].encode("utf-8", "replace").decode()


def _given(problem: Mapping[str, Any]) -> str:
    value = problem.get("input")
    if problem["type"] == "missing" or value is None:
        return "nothing"
    if isinstance(value, (str, list)) and len(value) > 40:
        return f"{len(value)} {'characters' if isinstance(value, str) else 'items'}"
    return repr(value)[:80]
