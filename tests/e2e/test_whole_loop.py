"""The demo, from outside: it ends well, prints what a founder reads, and nothing leaves the machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelmint.workspace import Workspace

DEMO = Path(__file__).resolve().parents[2] / "examples" / "customer-service" / "demo.py"
WATCH = """
import os, sys
def hook(event, args):
    if event == "socket.connect":
        to = args[1]
    elif event == "socket.getaddrinfo":
        to = args[0]
    else:
        return
    with open(os.environ["EGRESS_LOG"], "a") as log:
        print(os.getpid(), event, repr(to), file=log)
sys.addaudithook(hook)
"""
LOCAL = ("127.0.0.1", "::1", "localhost")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path, Path]:
    """The demo on a sample, with every process's connections watched; its output, its home and the log."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "sitecustomize.py").write_text(WATCH)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "MODELMINT_"))}
    environ |= {"PYTHONPATH": str(folder), "EGRESS_LOG": str(folder / "egress.log"), "COLUMNS": "160"}
    words = [sys.executable, str(DEMO), "--home", str(folder / "home"), "--sample", "400", "--no-wait"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environ)
    return done, folder / "home", folder / "egress.log"


Demo = tuple[subprocess.CompletedProcess[str], Path, Path]


def test_the_demo_ends_well_and_prints_what_a_founder_reads(demo: Demo) -> None:
    done, _, _ = demo
    assert done.returncode == 0, done.stdout + done.stderr
    for word in (
        "rows in",
        "quarantined",
        "personal data masked",
        "test accuracy",
        "cheap baseline",
        "variant onnx-int8",
        "parity",
        "requests served",
        "report",
        "server",
    ):
        assert word in done.stdout, done.stdout


def test_nothing_leaves_the_machine(demo: Demo) -> None:
    _, _, log = demo
    lines = log.read_text().splitlines()
    assert lines  # the demo talks to its own server: the watch works
    assert [
        line for line in lines if not any(host in line for host in LOCAL) and "AF_UNIX" not in line and "'/" not in line
    ] == []


def test_the_served_requests_are_the_billed_ones(demo: Demo) -> None:
    done, home, _ = demo
    assert done.returncode == 0
    with Workspace(home) as workspace:
        lines = workspace.usage()["lines"]
    requests = sum(line["num_requests"] for line in lines)
    assert requests >= 216 + 108  # all of the traffic once, its second half again
    assert sum(line["num_inputs"] for line in lines) == requests


def test_the_lineage_of_what_is_served_reaches_the_raw_data(demo: Demo) -> None:
    _, home, _ = demo
    with Workspace(home) as workspace:
        (deployment,) = workspace.deployments()
        names = json.dumps(workspace.lineage(deployment["variant"]))
    assert '"role": "train"' in names
    assert '"name": "data"' in names


def test_the_report_asks_for_nothing_from_outside(demo: Demo) -> None:
    _, home, _ = demo
    page = (home / "report" / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert 'src="http' not in page
    assert "<link" not in page
