"""A stage's context in this process: what the loop gives a stage, on an empty home."""

import os
import time
from contextlib import AbstractContextManager
from pathlib import Path

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.core.settings import Settings
from modelmint.core.stage import Endpoint, StageContext
from modelmint.core.types import Model

NUM_THREADS = len(os.sched_getaffinity(0))
"""As many as this process may use cores: `taskset -c 1 python benchmarks/tasks.py media` leaves the others alone."""


def busy_s() -> float:
    """Seconds that the threads were busy, a thread: what the clock would show on cores that nothing else uses."""
    return time.process_time() / NUM_THREADS


def stage_context(home: Path, *, seed: int, num_threads: int) -> StageContext:
    """A fresh context below `home`; it serves nothing."""
    catalog = Catalog(Settings.read({}, home=home / "home"))
    for name in ("scratch", "checkpoints"):
        (home / name).mkdir(parents=True)
    return StageContext(
        desk=StagingDesk(
            folder=home / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=home / "desk"
        ),
        scratch=home / "scratch",
        checkpoints=home / "checkpoints",
        seed=seed,
        num_threads=num_threads,
        machine_hour="0.10 USD",
        say=lambda _done, _total, _message: None,
        serve=_nowhere,
    )


def _nowhere(model: Model) -> AbstractContextManager[Endpoint]:
    raise RuntimeError(f"a benchmark serves nothing; asked to serve {model.name}")
