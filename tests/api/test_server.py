import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from modelmint.api.server import main
from modelmint.business.metering import Ingester
from modelmint.catalog.catalog import Catalog
from modelmint.core.settings import Settings
from tests.api.processes import command, prepared, serving
from tests.business.journals import ingested


def test_the_server_imports_no_training_library() -> None:
    heavy = {"torch", "transformers", "sklearn", "onnx"}
    code = f"import sys, modelmint.api.server; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_it_serves_soon_after_its_start_and_ends_cleanly(tmp_path: Path) -> None:
    key = prepared(tmp_path / "home", tmp_path / "work")
    started = time.monotonic()
    with serving(tmp_path / "home") as (process, url):
        reply = httpx.post(
            f"{url}/v1/predict", json={"model": "support", "input": "money"}, headers={"Authorization": f"Bearer {key}"}
        )
        assert (reply.status_code, time.monotonic() - started < 5) == (200, True)  # idle: 1 s
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert list((tmp_path / "home" / "journal").glob("usage-*")) == []  # all of it is in the database


def test_a_port_in_use_is_said_with_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--home", str(tmp_path), "--host", "127.0.0.1", "--port", str(port)]) == 2
    told = capsys.readouterr().err
    assert (f"127.0.0.1:{port}" in told, "--port" in told) == (True, True)


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = f"import subprocess, time; print(subprocess.Popen({command(tmp_path)!r}).pid, flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert "url" in parent.stdout.readline()
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    alive = Path(f"/proc/{child}").exists()
    parent.stdout.close()
    if alive:
        os.kill(child, signal.SIGKILL)
    assert not alive


def test_a_client_that_stops_half_way_is_cut(tmp_path: Path) -> None:
    """No byte, half a head, half a body: each is closed at its deadline, here half a second."""
    code = (
        "import sys; from modelmint.api import limits, server; limits.BODY_S = server.HEAD_S = 0.5; "
        f"sys.exit(server.main(['--home', {str(tmp_path)!r}, '--port', '0']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(process.stdout.readline().rsplit(":", 1)[1].strip().strip('"}'))
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    answers = [_until_closed(port, sent)[:12] for sent in (b"", head[:30], head + b"{")]
    process.terminate()
    process.wait(15)
    process.stdout.close()
    assert answers == [b"", b"", b"HTTP/1.1 408"]


@pytest.mark.destructive
def test_no_acknowledged_request_is_without_its_record_after_kill_9(tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = prepared(home, tmp_path / "work")
    acknowledged: list[str] = []
    for round_s in (0.3, 0.7, 1.1):
        with serving(home) as (process, url):
            load = [threading.Thread(target=_hammer, args=(url, key, acknowledged)) for _ in range(8)]
            for thread in load:
                thread.start()
            time.sleep(round_s)
            process.kill()
            for thread in load:
                thread.join(10)
    catalog = Catalog(Settings.read({}, home=home))
    Ingester(catalog).run()
    recorded = ingested(catalog)
    catalog.close()
    assert len(acknowledged) > 50
    assert (set(acknowledged) - set(recorded), len(recorded) - len(set(recorded))) == (set(), 0)


def _hammer(url: str, key: str, acknowledged: list[str]) -> None:
    """Send requests until the server is gone; keep the ids that it answered with."""
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=5) as client:
        while True:
            try:
                reply = client.post(f"{url}/v1/predict", json={"model": "support", "input": "where is my parcel"})
            except httpx.HTTPError:
                return
            acknowledged.append(reply.json()["id"])


def _until_closed(port: int, sent: bytes) -> bytes:
    """What a server answers to these bytes before it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(sent)
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
    return received
