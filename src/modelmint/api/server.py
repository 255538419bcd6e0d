"""The server process: ``python -m modelmint.api.server --home H --port P``.

When it listens it prints one line, ``{"url": "http://127.0.0.1:8000"}``; port 0 takes a free one. It ends when the
process that started it ends, so that nothing is left behind by a parent that was killed.
"""

import argparse
import json
import os
import signal
import socket
import sys
import threading
import time
from asyncio import BaseTransport, TimerHandle
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelmint.api.app import create_app
from modelmint.catalog.catalog import Catalog
from modelmint.core.errors import InputError, ModelmintError, UnavailableError
from modelmint.core.settings import Settings

HEAD_S = 10.0  # a connection that has not sent the head of a request by then is closed
KEEP_ALIVE_S = 30
DRAIN_S = 10  # requests under way at the end may take this long
PARENT_S = 0.5


def serve(settings: Settings, host: str, port: int, *, announce: Callable[[str], None] = lambda _url: None) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first.

    Args:
        port: 0 takes a free one.
        announce: called with the URL when the server listens.

    Raises:
        InputError: the port is in use, or `host` is not an address of this machine.
        UnavailableError: the server did not start; its log has the cause.
    """
    Catalog(settings).close()  # what is wrong with the home is said here, not in a traceback of the event loop
    with _bound(host, port) as listener:
        url = f"http://{host}:{listener.getsockname()[1]}"
        server = _Server(
            uvicorn.Config(
                create_app(settings),
                http=_Patience,
                ws="none",
                loop="uvloop",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=DRAIN_S,
            ),
            lambda: announce(url),
        )
        for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again at its end; ours is a clean exit
            signal.signal(number, lambda _number, _frame: None)
        server.run(sockets=[listener])
    if not server.started:
        raise UnavailableError("The server did not start.", remedy="Its log has the cause.")


def main(arguments: list[str] | None = None) -> int:
    """The entry of the server process; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m modelmint.api.server")
    parser.add_argument("--home", help="the folder of the installation (MODELMINT_HOME)")
    parser.add_argument("--host", help="the address to listen on (MODELMINT_HOST)")
    parser.add_argument("--port", type=int, help="0 takes a free one (MODELMINT_PORT)")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="end with the process of this number")
    given = parser.parse_args(arguments)
    _end_with(given.parent)
    try:
        settings = Settings.read(home=given.home)
        serve(
            settings,
            given.host or settings.host,
            settings.port if given.port is None else given.port,
            announce=_print_url,
        )
    except ModelmintError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()


class _Patience(HttpToolsProtocol):
    """Closes a connection whose request head does not arrive within `HEAD_S`; uvicorn alone would wait for ever."""

    _cut: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        self._stop()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop()
        self._cut = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop(self) -> None:
        if self._cut is not None:
            self._cut.cancel()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"port: cannot listen on {host}:{port} ({reason})",
            parameter="port",
            remedy="Give another with --port or MODELMINT_PORT, or stop what uses this one.",
        ) from error
    return listener


def _end_with(parent: int) -> None:
    """End this process when its parent has ended; a thread, since a busy event loop must not delay it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(DRAIN_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _print_url(url: str) -> None:
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
