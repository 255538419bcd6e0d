"""A connection that goes to addresses decided before, under one deadline, whatever name is asked for."""

import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore
from httpcore import SOCKET_OPTION

from modelmint.core.clock import monotonic_s

_CONNECT_S = 10.0
"""How long one address may take to answer before the next is tried."""


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to the given addresses, in order, and looks nothing up.

    Args:
        addresses: checked addresses.
        port: the port of all of them.
        deadline_s: on the monotonic clock; past it every call raises a timeout.
    """

    def __init__(self, addresses: Sequence[str], port: int, *, deadline_s: float) -> None:
        self._addresses, self._port, self._deadline_s = addresses, port, deadline_s
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002  the name stands in the request and in TLS; the address is decided
        port: int,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        fault: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in self._addresses:
            left_s = min(_left(self._deadline_s, httpcore.ConnectTimeout), _CONNECT_S)
            try:
                stream = self._sockets.connect_tcp(address, self._port, left_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
            else:
                return _TimedStream(stream, deadline_s=self._deadline_s)
        raise fault or httpcore.ConnectError("no address")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Iterable[SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Never."""
        raise httpcore.ConnectError(f"no sockets of this machine: {path}")


class _TimedStream(httpcore.NetworkStream):
    """A stream whose every call ends by the deadline, so that a server that drips bytes gains no time."""

    def __init__(self, stream: httpcore.NetworkStream, *, deadline_s: float) -> None:
        self._stream, self._deadline_s = stream, deadline_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, _left(self._deadline_s, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, _left(self._deadline_s, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        left_s = _left(self._deadline_s, httpcore.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, left_s)
        return _TimedStream(stream, deadline_s=self._deadline_s)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline_s: float, late: type[httpcore.TimeoutException]) -> float:
    left_s = deadline_s - monotonic_s()
    if left_s <= 0:
        raise late("the deadline has passed")
    return left_s
