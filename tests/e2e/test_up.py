"""`modelmint up`: what it starts lives again when it is killed, and nothing outlives it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from modelmint.catalog.catalog import Catalog
from modelmint.core.settings import Settings
from modelmint.workspace import Workspace
from tests.tiny_variant import deploy_variant

pytestmark = [pytest.mark.destructive, pytest.mark.timeout(120)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    catalog = Catalog(Settings.read({}, home=tmp_path / "home"))
    deploy_variant(catalog, tmp_path / "work")
    catalog.close()
    return tmp_path / "home"


@pytest.fixture
def up(home: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """The command, and a client that has the key which it printed."""
    with started(home) as (process, client, _):
        yield process, client


@contextmanager
def started(home: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client, str]]:
    """The command, a client that has the key which it printed, and all that it printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "modelmint", "--home", str(home), "up", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    printed = "".join(iter(lambda: process.stdout.readline() if process.stdout else "", "Ctrl-C ends it.\n"))
    key = re.search(r"mm_\w+", printed)
    assert key, printed
    headers = {"Authorization": f"Bearer {key[0]}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=10) as client:
        until(lambda: healthy(client))
        yield process, client, printed
    process.terminate()
    process.wait(20)


def test_the_request_that_is_printed_is_for_what_is_deployed(home: Path) -> None:
    with started(home) as (_, client, printed):
        route, body = re.findall(r"curl http://[^/]+(\S+) .*?-d '(.*?)'", printed, re.DOTALL)[0]
        reply = client.post(route, content=body, headers={"Content-Type": "application/json"})
    assert '"model": "support"' in body
    assert reply.status_code == httpx.codes.OK


def healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def child(process: subprocess.Popen[str], module: str, other_than: int = 0) -> int | None:
    """The pid of the living child that runs a module."""
    for each in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if module in each.cmdline() and each.pid != other_than:
                return each.pid
    return None


def kill(process: subprocess.Popen[str], module: str) -> int:
    pid = child(process, module)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def test_the_printed_key_opens_the_endpoint_and_nothing_else_does(
    up: tuple[subprocess.Popen[str], httpx.Client],
) -> None:
    _, client = up
    body = {"model": "support", "input": "where is my parcel"}
    assert client.post("/v1/predict", json=body).json()["predictions"][0]["label"] == "delivery"
    assert client.post("/v1/predict", json=body, headers={"Authorization": "Bearer mm_wrong"}).status_code == 401


def test_a_killed_server_comes_back_and_no_answer_is_without_its_record(
    up: tuple[subprocess.Popen[str], httpx.Client], home: Path
) -> None:
    process, client = up
    body = {"model": "support", "input": "where is my parcel"}
    answered = {client.post("/v1/predict", json=body).json()["id"] for _ in range(20)}
    kill(process, "modelmint.api.server")
    until(lambda: healthy(client))
    answered.add(client.post("/v1/predict", json=body).json()["id"])
    with Workspace(home) as workspace:
        assert sum(line["num_requests"] for line in workspace.usage()["lines"]) == len(answered)


def test_a_killed_worker_comes_back(up: tuple[subprocess.Popen[str], httpx.Client]) -> None:
    process, _ = up
    first = kill(process, "modelmint.loop.worker")
    until(lambda: child(process, "modelmint.loop.worker", other_than=first) is not None)


def test_nothing_outlives_a_killed_supervisor(up: tuple[subprocess.Popen[str], httpx.Client]) -> None:
    process, client = up
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2
    process.kill()
    process.wait()
    until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family), seconds=25)
    assert not healthy(client)
