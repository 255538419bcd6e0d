"""Our stage `deduplicate` on a dataset in a catalog of its own, as the loop calls it; then the cluster of each row.

python run_modelmint.py INPUT.parquet FOLDER
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.core.settings import Settings
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.data.deduplicate import DeduplicateInputs, DeduplicateSpec, deduplicate


def main() -> None:
    source, folder, similarity = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    catalog = Catalog(Settings.read({}, home=folder / "home"))
    desk = StagingDesk(
        folder=folder / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=folder / "desk"
    )
    for name in ("scratch", "checkpoints"):
        (folder / name).mkdir()
    context = StageContext(
        desk=desk, scratch=folder / "scratch", checkpoints=folder / "checkpoints", seed=17, num_threads=2,
        machine_hour="0.10 USD", say=said, serve=None,
    )  # fmt: skip
    data = desk.dataset("data", rows(source), facts={"task": "text-generation"})
    print("begin", flush=True)
    made = deduplicate(DeduplicateSpec(similarity=similarity), DeduplicateInputs(data=data), context)
    print("done", flush=True)
    clusters = -1 - np.arange(data.num_rows)
    names: dict[str, int] = {}
    for batch in batches(made.data, ["_row", "_cluster"]):
        for row, name in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if name is not None:
                clusters[int(row)] = names.setdefault(name, len(names))
    for batch in batches(made.quarantine, ["_row", "cells"]):
        for row, cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            clusters[int(row)] = names.setdefault(json.loads(cells)["_cluster"], len(names))
    np.save(folder / "clusters.npy", clusters)


def rows(source: Path):  # type: ignore[no-untyped-def]
    for batch in pq.ParquetFile(source).iter_batches(columns=["id", "text"]):
        yield pa.record_batch({"_row": batch.column("id").cast(pa.string()), "text": batch.column("text")})


def said(done: int, total: int, message: str) -> None:
    if "--watch" in sys.argv:
        print(f"{time.perf_counter():.1f} {done} {total} {message}", file=sys.stderr)


if __name__ == "__main__":
    main()
