"""Running one stage in its own process: its progress goes to the catalog, and a cancel, a deadline or a crash ends it whole."""

import json
import os
import select
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from modelmint.catalog.catalog import Catalog
from modelmint.core.clock import monotonic_s
from modelmint.core.errors import CancelledRunError, StageError, from_dict
from modelmint.core.types import JSON
from modelmint.loop.plan import Step
from modelmint.loop.processes import end, is_alive, own_name, start
from modelmint.loop.runs import run_row, update_stage

POLL_S = 0.25
GRACE_S = 5.0
"""How long past its deadline a stage may take to say so itself."""


def supervise(
    catalog: Catalog,
    run: str,
    position: int,
    step: Step,
    *,
    inputs: dict[str, list[str]],
    seed: int,
    folder: Path,
    checkpoints: Path,
) -> JSON:
    """Run a stage and wait for its answer.

    Returns:
        ``{"outputs": {role: [ids]}, "drafts": [...]}``; the drafts' blobs lie in ``folder/staged``.

    Raises:
        CancelledRunError: the run was cancelled; the process is gone.
        ModelmintError: what the stage itself raised; StageError when its process died.
    """
    log = catalog.settings.logs / run / f"{position:02d}-{step.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    task = {
        "verb": step.verb,
        "step": step.name,
        "spec": step.spec,
        "inputs": inputs,
        "seed": seed,
        "home": str(catalog.settings.home),
        "tenant": catalog.tenant,
        "folder": str(folder),
        "checkpoints": str(checkpoints),
        "log": str(log),
        "channel": writer,
        "parent": os.getpid(),
        "num_threads": os.cpu_count() or 1,
        "machine_hour": catalog.settings.machine_hour,
        "timeout_s": step.timeout_s,
        "engine": step.engine,
    }
    with log.open("a") as sink, os.fdopen(reader, "rb") as channel:
        child = start(
            "modelmint.loop.process",
            stdout=sink.fileno(),
            stderr=sink.fileno(),
            home=catalog.settings.home,
            pass_fds=(writer,),
        )
        os.close(writer)
        try:
            if child.stdin is not None:
                child.stdin.write(json.dumps(task) + "\n")
                child.stdin.flush()
            answer = _follow(catalog, run, position, step, child.poll, channel)
        except BrokenPipeError:
            answer = None
        finally:
            end(child, grace_s=0.2)
    if answer is None:
        raise StageError(
            f"{step.name}: its process died ({_cause(child.returncode)})",
            parameter=step.name,
            remedy=f"The log is at {log}. A kill without a word is most often a lack of memory: give it less at once, in a training by a smaller micro_batch_size; then run the same again.",
        )
    if "error" in answer:
        raise from_dict(answer["error"])
    return answer


def stage_folder(catalog: Catalog) -> Path:
    """A fresh folder for one execution of a stage, on the disk of the store so that publishing is a rename."""
    base = catalog.settings.scratch / "stages"
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Path(tempfile.mkdtemp(prefix=f"{own_name()}-", dir=base))


def sweep(catalog: Catalog) -> None:
    """Remove the folders of executions whose worker is dead, and what such a worker was copying into the store."""
    for folder in (catalog.settings.scratch / "stages").glob("*@*-*"):
        if not is_alive(folder.name.rpartition("-")[0]):
            shutil.rmtree(folder, ignore_errors=True)
    catalog.blobs.sweep()


def _follow(
    catalog: Catalog, run: str, position: int, step: Step, poll: Callable[[], int | None], channel: IO[bytes]
) -> JSON | None:
    """Pass progress on until the answer comes; None when the process ends without one."""
    started, buffer = monotonic_s(), b""
    while True:
        ended = poll() is not None
        buffer += _read(channel)
        *lines, buffer = buffer.split(b"\n")
        messages = [json.loads(line) for line in lines]
        if progress := [message for message in messages if "done" in message]:
            update_stage(catalog, run, position, **progress[-1])
        if answers := [message for message in messages if "done" not in message]:
            return answers[-1]  # type: ignore[no-any-return]
        if ended:
            return None
        if run_row(catalog, run)["cancel_requested"]:
            raise CancelledRunError(f"{step.name}: cancelled")
        if step.timeout_s and monotonic_s() - started > step.timeout_s + GRACE_S:
            raise StageError(
                f"{step.name}: ran past timeout_s={step.timeout_s:g}",
                parameter="timeout_s",
                remedy="Raise timeout_s of this stage in the recipe.",
            )
        _wait(channel)


def _read(channel: IO[bytes]) -> bytes:
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(channel.fileno(), 1 << 16)
        except BlockingIOError:
            part = b""
        if not part:
            return b"".join(parts)
        parts.append(part)


def _wait(channel: IO[bytes]) -> None:
    select.select([channel], [], [], POLL_S)


def _cause(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
