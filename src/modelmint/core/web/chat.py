"""A model behind an OpenAI-compatible endpoint, asked from a stage.

The endpoint is reached as every URL of a recipe is: at public addresses, or at those that the server's own setting
opens (`public_urls`), each connected to exactly as checked. Redirects are not followed.
"""

import json
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import httpcore
from pydantic import Field

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import AuthError, DataError, InputError, UnavailableError
from modelmint.core.hashing import digest
from modelmint.core.settings import Settings, secret
from modelmint.core.spec import Spec
from modelmint.core.web.pinned import PinnedBackend
from modelmint.core.web.public_urls import Allowed, Target, check_addresses, parse_url, system_addresses

TIMEOUT_S = 120.0
NUM_TRIES = 3
MAX_ANSWER_BYTES = 1 << 20


class ChatEndpoint(Spec):
    """Where a model answers. The texts are sent there: choose an endpoint that may see them."""

    url: str = Field(min_length=8, max_length=2000)
    """The base of an OpenAI-compatible API, for example ``http://127.0.0.1:8000/v1``. A host of your own network must
    stand in MODELMINT_ALLOW_PRIVATE_URLS.
    """
    model: str = Field(min_length=1, max_length=200)
    """The model's name there."""
    key_from: str | None = Field(default=None, pattern=r"^MODELMINT_SECRET_[A-Z0-9_]+$")
    """The environment variable (``MODELMINT_SECRET_...``) that holds the key, where the endpoint asks for one."""


class Chat:
    """Asks the endpoint at temperature 0. Every answer is kept in `folder`: a run that was stopped asks nothing again.

    Several threads may ask at once.

    Args:
        parameter: where the endpoint stands in the recipe, for errors; empty where it is the stage's own spec.
        check: called before each question; what it raises ends the run.

    Raises:
        InputError: the endpoint may not be asked, or the key is not set.
        UnavailableError: its host has no address.
    """

    def __init__(self, endpoint: ChatEndpoint, folder: Path, *, parameter: str, check: Callable[[], None]) -> None:
        self._endpoint, self._folder, self._check = endpoint, folder, check
        self._place = f"{parameter}." if parameter else ""
        folder.mkdir(parents=True, exist_ok=True)
        self._key = self._found_key()
        self._target, self._addresses = self._checked(f"{endpoint.url.rstrip('/')}/chat/completions")
        self._tls = _tls() if self._target.scheme == "https" else None

    def answer(self, system: str, user: str) -> str:
        """What the model says to a user's message.

        Raises:
            UnavailableError, AuthError: the endpoint cannot be reached, or refuses.
        """
        path = self._folder / digest([self._endpoint.url, self._endpoint.model, system, user])
        if path.exists():
            return path.read_text(encoding="utf-8")
        self._check()
        answer = self._asked(system, user)
        unfinished = path.with_suffix(f".{threading.get_ident()}")
        unfinished.write_text(answer, encoding="utf-8")
        unfinished.replace(path)
        return answer

    def _asked(self, system: str, user: str) -> str:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        body = json.dumps({"model": self._endpoint.model, "messages": messages, "temperature": 0, "seed": 0}).encode()
        url, said = self._endpoint.url, "no answer"
        for _ in range(NUM_TRIES):
            try:
                status, content = self._post(body)
            except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
                said = f"{type(error).__name__} {error}"
                continue
            if status == 200:
                return self._content(content)
            if status in (401, 403):
                raise AuthError(
                    f"{self._place}key_from: the endpoint {url} refuses the key (HTTP {status})",
                    parameter=f"{self._place}key_from",
                    remedy="Put a key that the endpoint takes into the variable that `key_from` names.",
                )
            said = f"HTTP {status}"
            if status < 500 and status != 429:
                break
        raise UnavailableError(
            f"{self._place}url: {url} must answer /chat/completions; got {said}",
            parameter=f"{self._place}url",
            remedy="Start the model, or mend `url` and `model`; what was answered so far is kept.",
        )

    def _post(self, body: bytes) -> tuple[int, bytes]:
        target, deadline_s = self._target, monotonic_s() + TIMEOUT_S
        origin = httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)
        request = httpcore.Request(
            "POST",
            httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target.path.encode()),
            headers={
                "Host": target.authority,
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                "Connection": "close",
                **({"Authorization": f"Bearer {self._key}"} if self._key else {}),
            },
            content=body,
        )
        backend = PinnedBackend(self._addresses, target.port, deadline_s=deadline_s)
        with httpcore.HTTPConnection(origin, ssl_context=self._tls, network_backend=backend) as connection:
            response = connection.handle_request(request)
            try:
                return response.status, _bounded(response)
            finally:
                response.close()

    def _content(self, content: bytes) -> str:
        try:
            return str(json.loads(content)["choices"][0]["message"]["content"])
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise UnavailableError(
                f"{self._place}url: {self._endpoint.url} must answer as the OpenAI API does; got {content[:120]!r}",
                parameter=f"{self._place}url",
                remedy="Give the base of an OpenAI-compatible API, which mostly ends in /v1.",
            ) from error

    def _found_key(self) -> str:
        name = self._endpoint.key_from
        if name is None:
            return ""
        try:
            return secret(name, parameter="key_from")
        except InputError as error:
            raise InputError(
                f"{self._place}key_from: must name a variable that is set where the worker runs; {name} is not",
                parameter=f"{self._place}key_from",
                remedy=f"Set {name}, or leave `key_from` out where the endpoint asks for no key.",
            ) from error

    def _checked(self, url: str) -> tuple[Target, list[str]]:
        allowed = Allowed.parse(Settings.read().allow_private_urls)
        try:
            target = parse_url(url, allowed)
            found = [target.host] if target.address is not None else system_addresses(target.host, target.port)
            return target, [str(address) for address in check_addresses(target, found, allowed)]
        except DataError as error:
            raise InputError(
                f"{self._place}{error.message.replace('source: a URL', 'url:', 1)}",
                parameter=f"{self._place}url",
                remedy=error.remedy,
            ) from error
        except OSError as error:
            raise UnavailableError(
                f"{self._place}url: the host of {url[:200]} has no address ({error})",
                parameter=f"{self._place}url",
                remedy="Check the spelling, and whether this machine may use the network.",
            ) from error


def _tls() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()


def _bounded(answer: httpcore.Response) -> bytes:
    """The body, cut off where it is longer than an answer can be."""
    content = bytearray()
    for part in answer.iter_stream():
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            break
    return bytes(content)
