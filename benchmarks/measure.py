"""What every benchmark shares: the arguments, the machine, and the one form of the result."""

import argparse
import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
SAMPLE_S = 0.05

if sys.path[0] == str(ROOT / "benchmarks"):
    sys.path.append(sys.path.pop(0))  # peft.py here is not the library of that name


def arguments(about: str) -> argparse.Namespace:
    """``--json`` and ``--quick``."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--quick", action="store_true", help="a smaller size, said so in the output")
    return parser.parse_args()


def aim(what: str, value: float, least: float | None = None, most: float | None = None) -> dict[str, Any]:
    """One aim and whether it is met."""
    met = (least is None or value >= least) and (most is None or value <= most)
    return {"what": what, "value": value, "aim": f">= {least:g}" if least is not None else f"<= {most:g}", "met": met}


def report(
    name: str, figures: Mapping[str, Any], aims: Sequence[Mapping[str, Any]], *, options: argparse.Namespace
) -> int:
    """Print the result; the exit code is 1 when an aim is missed (a quick run has none)."""
    aims = [] if options.quick else list(aims)
    body = {
        "name": name,
        "commit": commit(),
        "machine": machine(),
        "quick": options.quick,
        "figures": dict(figures),
        "aims": aims,
    }
    if options.json:
        print(json.dumps(body, indent=2))
    else:
        print(
            f"{name}{' (quick: a smaller size)' if options.quick else ''}  commit {body['commit']}\n{body['machine']}"
        )
        for key, value in figures.items():
            print(f"  {key:<32} {value}")
        for each in aims:
            print(f"  {'met   ' if each['met'] else 'MISSED'} {each['what']} {each['aim']}: {each['value']:g}")
    return 0 if all(each["met"] for each in aims) else 1


def commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def machine() -> str:
    """Processor, cores, memory, Python."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, Python {platform.python_version()}"


def modelmint(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would, in this environment."""
    return subprocess.run(
        [sys.executable, "-m", "modelmint", "--home", str(home), *words], capture_output=True, text=True, check=False
    )


class Watch:
    """The highest sum of resident memory of a process and all below it; pages that they share count once each."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak, self._ended = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> int:
        self._ended.set()
        self._thread.join()
        return self._peak

    def _look(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            try:
                root = psutil.Process(self._pid)
                family = [root, *root.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            total = 0
            for process in family:
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self._peak = max(self._peak, total)
