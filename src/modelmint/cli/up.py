"""`modelmint up`: one server and one worker, started, watched, and started again when they die."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import FrameType

import click

from modelmint.business.keys import first_key
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import list_deployments
from modelmint.core.errors import InputError
from modelmint.core.settings import Settings
from modelmint.core.types import JSON
from modelmint.loop.processes import end, start
from modelmint.trust.tasks import ROWS, TASKS, Call

WATCH_S = 0.2
MAX_PAUSE_S = 10.0


def up(settings: Settings, *, host: str | None = None, port: int | None = None) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        InputError: the port is in use.
    """
    settings = replace(settings, host=host or settings.host, port=port or settings.port)
    _check_free(settings.host, settings.port)
    catalog = Catalog(settings)
    key, request = first_key(catalog), _request(catalog)
    catalog.close()
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    children = [_Child("server", lambda: _server(settings)), _Child("worker", lambda: _worker(settings))]
    try:
        _greet(settings, key, *request)
        while not stop.wait(WATCH_S):
            for child in children:
                child.watch()
    finally:
        for child in children:
            end(child.process, grace_s=3.0)


class _Child:
    """A process that is to live; each death in a row doubles the pause before the next start."""

    def __init__(self, name: str, begin: Callable[[], subprocess.Popen[str]]) -> None:
        self.name, self._begin = name, begin
        self._pause_s, self._due, self._born = 0.5, 0.0, time.monotonic()
        self.process = begin()

    def watch(self) -> None:
        code = self.process.poll()
        if code is None:
            return
        if not self._due:
            end(self.process, grace_s=0.1)  # what it left behind
            self._pause_s = 0.5 if time.monotonic() - self._born > 60 else min(self._pause_s * 2, MAX_PAUSE_S)
            self._due = time.monotonic() + self._pause_s
            click.echo(f"{self.name}: ended with {code}; starting again in {self._pause_s:.1f} s", err=True)
        elif time.monotonic() >= self._due:
            self._due, self._born = 0.0, time.monotonic()
            self.process = self._begin()


def _server(settings: Settings) -> subprocess.Popen[str]:
    return _logged(
        settings,
        "server",
        "modelmint.api.server",
        "--home",
        str(settings.home),
        "--host",
        settings.host,
        "--port",
        str(settings.port),
    )


def _worker(settings: Settings) -> subprocess.Popen[str]:
    return _logged(
        settings, "worker", "modelmint.loop.worker", "--home", str(settings.home), "--parent", str(os.getpid())
    )


def _logged(settings: Settings, name: str, module: str, *arguments: str) -> subprocess.Popen[str]:
    settings.logs.mkdir(parents=True, exist_ok=True)
    with (settings.logs / f"{name}.log").open("a") as sink:
        return start(module, *arguments, stdout=sink.fileno(), stderr=sink.fileno(), home=settings.home)


def _request(catalog: Catalog) -> tuple[str, JSON]:
    """Route and body that the endpoint which was deployed last can answer; of any, where there is none yet."""
    deployed = [one.active for one in list_deployments(catalog)]
    if not deployed:
        return "/v1/predict", {"model": "ENDPOINT", "input": "your text"}
    last = max(deployed, key=lambda one: one.created_at)
    call = TASKS.get(str(catalog.model(last.variant).facts.get("task", "text-classification")), ROWS).call or Call()
    return call.route, {"model": last.endpoint, **call.body}


def _greet(settings: Settings, key: str | None, route: str, body: JSON) -> None:
    url = f"http://{settings.host}:{settings.port}"
    click.echo(f"Modelmint serves at {url}  (home {settings.home}, logs {settings.logs})")
    if key:
        click.echo(f"\nYour first API key, shown this once:\n\n    {key}\n")
    given = json.dumps(body, ensure_ascii=False)
    click.echo(
        f"Try it:\n    curl {url}{route} -H 'Authorization: Bearer {key or '$MODELMINT_KEY'}' \\\n"
        f"         -H 'Content-Type: application/json' -d '{given}'\n\nCtrl-C ends it."
    )


def _check_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"port: {host}:{port} cannot be listened on ({error.strerror})",
                parameter="port",
                remedy=f"Choose another: modelmint up --port {port + 1}",
            ) from error
