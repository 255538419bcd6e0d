"""The process of one stage: ``python -m modelmint.loop.process``, its task as one JSON line on standard input.

Progress and the result are JSON lines on the file descriptor that the task names; standard output and error are the
stage's log. It writes to its own folder alone. This is a named process boundary: what goes wrong here is answered as JSON.
"""

import hashlib
import hmac
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.core.clock import monotonic_s
from modelmint.core.errors import ModelmintError, StageError, StorageFullError
from modelmint.core.settings import Settings
from modelmint.core.stage import Endpoint, StageContext
from modelmint.core.types import JSON, Artifact, Model
from modelmint.loop.processes import die_with_parent
from modelmint.loop.stages import Verb, verbs

SAY_EVERY_S = 0.2


def main() -> None:
    """Read the task, run it, and answer, whatever happens."""
    task = json.loads(sys.stdin.readline())
    die_with_parent(task["parent"])
    channel = os.fdopen(task["channel"], "w", buffering=1)
    try:
        answer = execute(task, channel)
    except ModelmintError as error:
        answer = {"error": error.to_dict()}
    except OSError as error:
        traceback.print_exc()
        full = error.errno == 28
        answer = {
            "error": (
                StorageFullError(
                    "No space is left on the disk of MODELMINT_HOME.",
                    remedy="Free some space, then run the same command again.",
                )
                if full
                else StageError(f"{task['step']}: {error}")
            ).to_dict()
        }
    except Exception as error:  # noqa: BLE001  # the process boundary: logged, and answered as a failed stage
        traceback.print_exc()
        answer = {
            "error": StageError(
                f"{task['step']}: {type(error).__name__}: {error}", remedy=f"The log is at {task['log']}."
            ).to_dict()
        }
    channel.write(json.dumps(answer) + "\n")
    channel.flush()


def execute(task: JSON, channel: Any) -> JSON:
    """Run the stage; the answer names the drafts by role."""
    verb, catalog = verbs()[task["verb"]], Catalog(Settings.read(home=task["home"]), task["tenant"])
    folder = Path(task["folder"])
    catalog.scratch = folder / "inputs"
    inputs = _inputs(verb, catalog, task["inputs"])
    desk = StagingDesk(
        folder=folder / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=folder / "desk"
    )
    progress = _Progress(channel)
    outputs = verb.function(
        verb.spec.model_validate(task["spec"]), inputs, _context(task, desk, folder, progress, catalog)
    )
    progress.flush()
    roles = {field.name: _ids(getattr(outputs, field.name)) for field in fields(outputs)}
    kept = {identifier for ids in roles.values() for identifier in ids}
    return {
        "outputs": roles,
        "drafts": [draft.to_json() for identifier, draft in desk.drafts.items() if identifier in kept],
        "memory_bytes": _peak_bytes(),
    }


class _Progress:
    """Passes progress on, thinned to one line in `SAY_EVERY_S`; the last word is never lost."""

    def __init__(self, channel: Any) -> None:
        self._channel, self._said_s, self._waiting = channel, 0.0, ""

    def __call__(self, done: int, total: int, message: str) -> None:
        self._waiting = json.dumps({"done": done, "total": total, "message": message}) + "\n"
        if time.monotonic() - self._said_s >= SAY_EVERY_S:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self._channel.write(self._waiting)
        self._said_s, self._waiting = time.monotonic(), ""


def _inputs(verb: Verb, catalog: Catalog, ids: dict[str, list[str]]) -> Any:
    values: dict[str, Any] = {}
    for role in verb.inputs.values():
        found = tuple(_checked(catalog.get(identifier), role.kind, role.name) for identifier in ids.get(role.name, []))
        values[role.name] = found if role.many else (found[0] if found else None)
    return verb.inputs_type(**values)


def _checked(artifact: Artifact, kind: type[Artifact], role: str) -> Artifact:
    if not isinstance(artifact, kind):
        raise StageError(
            f"{role}: must be a {kind.__name__.lower()}; {artifact.id} is a {artifact.kind}", parameter=role
        )
    return artifact


def _ids(value: Artifact | tuple[Artifact, ...] | None) -> list[str]:
    artifacts = value if isinstance(value, tuple) else (() if value is None else (value,))
    return [artifact.id for artifact in artifacts]


def _context(task: JSON, desk: StagingDesk, folder: Path, progress: "_Progress", catalog: Catalog) -> StageContext:
    scratch, checkpoints = folder / "scratch", Path(task["checkpoints"])
    scratch.mkdir(parents=True, exist_ok=True)
    checkpoints.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def serve(model: Model) -> Iterator[Endpoint]:
        from modelmint.loop.candidate import candidate

        with candidate(model, home=folder / "candidate") as endpoint:
            yield endpoint

    timeout_s = task.get("timeout_s")
    return StageContext(
        desk=desk,
        scratch=scratch,
        checkpoints=checkpoints,
        seed=task["seed"],
        num_threads=task["num_threads"],
        machine_hour=task["machine_hour"],
        say=progress,
        serve=serve,
        deadline_s=monotonic_s() + timeout_s if timeout_s else None,
        tenant_secret=hmac.new(catalog.tenant_key, b"modelmint stage secret", hashlib.sha256).digest(),
        ray_address=_ray_address(task, catalog.settings),
    )


def _ray_address(task: JSON, settings: Settings) -> str | None:
    """The stage's own word wins: ``engine: local`` stays here, ``engine: ray`` without an address starts a Ray here."""
    engine = task.get("engine")
    if engine is None:
        return settings.ray_address if "ray" in verbs()[task["verb"]].engines else None
    return None if engine == "local" else settings.ray_address or "local"


def _peak_bytes() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
