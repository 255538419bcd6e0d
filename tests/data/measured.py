"""Runs cases one by one, each in a fork of one warm process, and says what each took: a JSON line in, a JSON line out.

A case is ``{"do": "collect", "spec": {...}}`` or ``{"do": "recipe", "path": ...}``, and ``"folder"``: an empty folder
for its work. Processor time is measured, not the clock, so that a busy machine changes no result.
"""

import json
import os
import pkgutil
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

WARM = (
    "modelmint.catalog.drafts", "modelmint.loop.document", "encodings.utf_7", "encodings.gb18030", "lzma", "bz2",
    "pandas", "jinja2", "py3langid", "pyarrow.dataset", "scipy.sparse",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a case."""

    error: str = ""
    """The class of the error; empty where there was none."""
    message: str = ""
    remedy: str = ""
    num_rows: int = 0
    reasons: dict[str, int]
    """Quarantined rows by reason."""
    cpu_s: float
    extra_bytes: int
    """Peak of resident memory above the warm process's."""
    child_cpu_s: float
    child_bytes: int
    """Peak of resident memory of the largest process it started."""


class Measuring:
    """The warm process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def run(self, case: dict[str, Any]) -> Outcome:
        """Run one case; a case that dies has the error ``died``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def measuring() -> Iterator[Measuring]:
    server = Measuring()
    try:
        yield server
    finally:
        server.close()


def main() -> None:
    import modelmint.data

    for module in pkgutil.walk_packages(modelmint.data.__path__, "modelmint.data."):
        if module.name.endswith(("_rows", "collect", "archives", "web_source", "parse_process", "office")):
            import_module(module.name)
    for name in WARM:
        with suppress(ModuleNotFoundError):  # pandas: pyarrow imports it where it is installed
            import_module(name)
    import_module("modelmint.core.language.languages").language_of("The language model is loaded once a process.")
    for line in sys.stdin:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            said = _run(json.loads(line))
            os.write(writer, json.dumps(said).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            answer = stream.read()
        _, status = os.waitpid(child, 0)
        died = {"error": "died", "message": f"status {status}", "reasons": {}, "cpu_s": 0, "extra_bytes": 0}
        died |= {"child_cpu_s": 0, "child_bytes": 0}
        sys.stdout.write((answer.decode() if answer else json.dumps(died)) + "\n")
        sys.stdout.flush()


def _run(case: dict[str, Any]) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))  # a bomb that goes off must not harm the machine
    resource.setrlimit(resource.RLIMIT_CPU, (60, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    before_bytes, began_s = _resident_bytes(), time.process_time()
    try:
        said = _recipe(case) if case["do"] == "recipe" else _collect(case)
    except BaseException as error:  # noqa: BLE001  # the boundary of the process: the test looks at it
        said = {"error": type(error).__name__, "message": getattr(error, "message", str(error))[:2000], "reasons": {}}
        said |= {"remedy": getattr(error, "remedy", None) or ""}
    mine, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return said | {
        "cpu_s": time.process_time() - began_s,
        "extra_bytes": mine.ru_maxrss * 1024 - before_bytes,
        "child_cpu_s": others.ru_utime + others.ru_stime,
        "child_bytes": others.ru_maxrss * 1024,
    }


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _recipe(case: dict[str, Any]) -> dict[str, Any]:
    from modelmint.loop.document import read_document

    read_document(Path(case["path"]))
    return {"reasons": {}}


def _collect(case: dict[str, Any]) -> dict[str, Any]:
    from modelmint.catalog.drafts import StagingDesk
    from modelmint.core import tables
    from modelmint.core.stage import StageContext
    from modelmint.data.collect import CollectInputs, CollectSpec, collect

    folder = Path(case["folder"])
    for name in ("scratch", "checkpoints"):
        (folder / name).mkdir(parents=True)
    desk = StagingDesk(folder=folder / "staged", tenant="t", tenant_key=bytes(32), scratch=folder / "desk")
    context = StageContext(
        desk=desk,
        scratch=folder / "scratch",
        checkpoints=folder / "checkpoints",
        seed=17,
        num_threads=1,
        machine_hour="0.10 USD",
        say=lambda _done, _total, _message: None,
        serve=lambda _model: (_ for _ in ()).throw(AssertionError("nothing is served")),
    )
    outputs = collect(CollectSpec(**case["spec"]), CollectInputs(), context)
    return {
        "num_rows": outputs.data.num_rows,
        "reasons": dict(Counter(tables.column(outputs.quarantine, "reason"))),
    }


if __name__ == "__main__":
    main()
