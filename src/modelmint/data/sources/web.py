"""A file by URL: only from public addresses, each connected to exactly as checked, bounded in size and time.

No proxy, cookie or cache takes part, and no credential but a `Token`; redirects are followed by hand, each as a new URL. The name is looked
up once and its checked address is what is connected to, so a name that changes its address in between (DNS rebinding)
gains nothing. One deadline bounds it all: the look-up, the connection, TLS, and a server that drips bytes.
"""

import ssl
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from urllib.parse import urljoin

import httpcore

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import DataError, UnavailableError
from modelmint.core.settings import Settings
from modelmint.core.web.pinned import PinnedBackend
from modelmint.core.web.public_urls import Allowed, Target, check_addresses, parse_url, system_addresses
from modelmint.data.sources.bearer import Token
from modelmint.data.sources.web_headers import next_link, suffix_for

Resolve = Callable[[str, int], Sequence[str]]
"""``resolve(host, port)``: the addresses of a name, as text; OSError where it has none."""

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK_BYTES = 1 << 16
_LOOK_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A file that came. `url` is the last address, after redirects."""

    path: Path
    url: str
    content_type: str
    """The media type without its parameters, in lower case; empty where the server gave none."""
    next_url: str | None
    """What the response's Link header calls the next page; not checked yet."""
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one fetch may take, and how it reaches out."""

    max_bytes: int
    """How large the file may be, on the wire and unpacked."""
    timeout_s: float
    """How long all of it may take, redirects included."""
    allowed: Allowed = field(default_factory=lambda: Allowed.parse(Settings.read().allow_private_urls))
    """By default what the environment allows, and so nothing private."""
    resolve: Resolve | None = None
    """None: the system's resolver."""
    tls: ssl.SSLContext | None = None
    """None: the certificate authorities of the system's web clients."""
    token: Token | None = None
    say: Callable[[int, int], None] = lambda _done, _total: None
    """``say(done_bytes, total_bytes)``, a total of 0 when unknown."""


def fetch(url: str, folder: Path, limits: Limits, *, name: str = "source") -> Fetched:
    """Fetch a URL into a new file of `folder`: `name` and a suffix by what the server says it is.

    Raises:
        DataError: the URL, or one it redirects to, may not be asked for; the answer is no file, too large or broken.
        UnavailableError: the server cannot be reached, failed, or took longer than the limit.
    """
    with _followed(url, limits) as (response, headers, target):
        return _store(response, headers, target, folder, limits, name)


def validators(url: str, limits: Limits) -> str | None:
    """What the server says tells this state of the file from others (ETag, Last-Modified).

    None where it says nothing, or cannot be reached: being offline is no error here, as reading says so.

    Raises:
        DataError: as `fetch`.
    """
    try:
        with _followed(url, replace(limits, timeout_s=min(limits.timeout_s, _LOOK_S))) as (_, headers, _):
            return headers.get("etag") or headers.get("last-modified")
    except UnavailableError:
        return None


@contextmanager
def _followed(url: str, limits: Limits) -> Iterator[tuple[httpcore.Response, dict[str, str], Target]]:
    """The answer at the end of all redirects, its headers by name in lower case, and where it came from."""
    deadline_s = monotonic_s() + limits.timeout_s
    target = parse_url(url, limits.allowed)
    for _ in range(MAX_REDIRECTS + 1):
        with _answer(target, limits, deadline_s) as response:
            headers = _headers(response)
            if response.status not in _REDIRECTS:
                _check_status(response.status, target)
                yield response, headers, target
                return
        target = _redirected(target, headers.get("location"), limits.allowed)
    raise DataError(
        f"source: a URL may redirect at most {MAX_REDIRECTS} times; {url[:200]} goes on",
        parameter="source",
        remedy="Give the address it leads to.",
    )


@contextmanager
def _answer(target: Target, limits: Limits, deadline_s: float) -> Iterator[httpcore.Response]:
    addresses = check_addresses(target, _addresses(target, limits, deadline_s), limits.allowed)
    backend = PinnedBackend([str(address) for address in addresses], target.port, deadline_s=deadline_s)
    origin = httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)
    headers = {
        "Host": target.authority,
        "User-Agent": "modelmint",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, identity",
        "Connection": "close",
        **(limits.token.headers(target) if limits.token else {}),
    }
    request = httpcore.Request(
        "GET",
        httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target.path.encode()),
        headers=list(headers.items()),
    )
    tls = limits.tls or _verified() if target.scheme == "https" else None
    try:
        with httpcore.HTTPConnection(origin, ssl_context=tls, network_backend=backend) as connection:
            response = connection.handle_request(request)
            try:
                yield response
            finally:
                response.close()
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        late = monotonic_s() >= deadline_s
        said = f"took longer than {limits.timeout_s:g} s" if late else f"broke off: {error or type(error).__name__}"
        raise UnavailableError(
            f"source: fetching {target.url[:200]} {said}",
            parameter="source",
            remedy="Try again, or download the file yourself and give its path.",
        ) from error


def _addresses(target: Target, limits: Limits, deadline_s: float) -> Sequence[str]:
    if target.address is not None:
        return [target.host]
    answer: list[Sequence[str] | OSError] = []

    def ask() -> None:
        try:
            answer.append((limits.resolve or system_addresses)(target.host, target.port))
        except OSError as error:
            answer.append(error)

    thread = Thread(target=ask, daemon=True)  # the system's resolver takes no time limit
    thread.start()
    thread.join(max(0.0, deadline_s - monotonic_s()))
    if not answer or isinstance(answer[0], OSError):
        said = str(answer[0]) if answer and isinstance(answer[0], OSError) else "no answer in time"
        raise UnavailableError(
            f"source: the host {target.host} has no address ({said})",
            parameter="source",
            remedy="Check the spelling of the URL, and whether this machine may use the network.",
        )
    return answer[0]


def _redirected(target: Target, location: str | None, allowed: Allowed) -> Target:
    if not location:
        raise DataError(f"source: {target.url[:200]} redirects to nowhere", parameter="source")
    found = parse_url(urljoin(target.url, location), allowed)
    if target.scheme == "https" and found.scheme == "http":
        raise DataError(
            f"source: {target.url[:200]} redirects from https to http ({found.authority})",
            parameter="source",
            remedy="Give an address that stays encrypted.",
        )
    return found


def _check_status(status: int, target: Target) -> None:
    if status == 200:
        return
    kind = UnavailableError if status >= 500 or status == 429 else DataError
    raise kind(
        f"source: {target.url[:200]} answered with HTTP {status}; 200 is needed",
        parameter="source",
        remedy="Open it in a browser: is it public, and still there?",
    )


def _store(
    response: httpcore.Response, headers: dict[str, str], target: Target, folder: Path, limits: Limits, name: str
) -> Fetched:
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    path = folder / (name + suffix_for(content_type, target.path))
    said = headers.get("content-length", "")
    total_bytes = int(said) if said.isdecimal() and len(said) < 16 else 0
    if total_bytes > limits.max_bytes:  # the bound that holds is on what comes, below
        raise _too_large(target, limits.max_bytes)
    num_bytes = 0
    with ExitStack() as undo:
        undo.callback(path.unlink, missing_ok=True)
        with path.open("xb") as sink:
            for part in _decoded(response, headers.get("content-encoding", ""), target, limits):
                num_bytes += len(part)
                if num_bytes > limits.max_bytes:
                    raise _too_large(target, limits.max_bytes)
                sink.write(part)
                limits.say(num_bytes, max(total_bytes, num_bytes))
        undo.pop_all()
    following = next_link(headers.get("link", ""))
    return Fetched(
        path=path,
        url=target.url,
        content_type=content_type,
        next_url=urljoin(target.url, following) if following else None,
        num_bytes=num_bytes,
    )


def _decoded(response: httpcore.Response, encoding: str, target: Target, limits: Limits) -> Iterator[bytes]:
    """The body, unpacked in small pieces; the wire's bytes are bounded too (a packed nothing has no end)."""
    encoding = encoding.strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise DataError(
            f"source: {target.url[:200]} came as {encoding[:60]!r}; gzip or identity are taken", parameter="source"
        )
    unpack = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
    wire_bytes = 0
    for chunk in response.iter_stream():
        wire_bytes += len(chunk)
        if wire_bytes > limits.max_bytes + _CHUNK_BYTES:
            raise _too_large(target, limits.max_bytes)
        if unpack is None:
            yield chunk
            continue
        try:
            waiting = chunk
            while waiting:
                yield unpack.decompress(waiting, _CHUNK_BYTES)
                waiting = unpack.unconsumed_tail
        except zlib.error as error:
            raise _broken(target, str(error)) from error
    if unpack is not None and (not unpack.eof or unpack.unused_data):
        raise _broken(target, "the packed body ends early or goes on after its end")


def _headers(response: httpcore.Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in response.headers:
        key = name.decode("latin-1").lower()
        found[key] = f"{found[key]}, {value.decode('latin-1')}" if key in found else value.decode("latin-1")
    return found


def _verified() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context(trust_env=False)


def _too_large(target: Target, max_bytes: int) -> DataError:
    return DataError(
        f"max_download_bytes: a download may have {max_bytes:,} bytes, packed and unpacked; {target.url[:200]} has more",
        parameter="max_download_bytes",
        remedy="Raise max_download_bytes of the collect stage, or give a smaller file.",
    )


def _broken(target: Target, said: str) -> DataError:
    return DataError(f"source: {target.url[:200]} came broken: {said}", parameter="source", remedy="Try again.")
