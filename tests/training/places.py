"""A home of a stage's own, for a training or a search in whatever process: its context, and datasets in it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.core.settings import Settings
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset


def new_context(
    home: Path, say: Callable[[int, int, str], None], *, num_threads: int = 1, ray_address: str | None = None
) -> StageContext:
    """A fresh one each time, but for the checkpoints in `home`, which are gone on from."""
    turn = home / f"{time.monotonic_ns()}"
    (turn / "scratch").mkdir(parents=True)
    catalog = Catalog(Settings.read({}, home=turn / "home"))
    desk = StagingDesk(
        folder=turn / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=turn / "desk"
    )
    catalog.close()

    def serve(_model: Any) -> Any:
        raise NotImplementedError

    return StageContext(
        desk=desk,
        scratch=turn / "scratch",
        checkpoints=home / "checkpoints",
        seed=17,
        num_threads=num_threads,
        machine_hour="0.10 USD",
        say=say,
        serve=serve,
        ray_address=ray_address,
    )


def new_dataset(context: StageContext, name: str, rows: list[dict[str, Any]]) -> Dataset:
    """The rows, named r0, r1 and so on."""
    table = pa.Table.from_pylist([{"_row": f"r{at}", **row} for at, row in enumerate(rows)])
    made: Dataset = context.desk.dataset(name, table)
    return made
