"""One library imports one file: reads it, and writes it as Parquet. Run by ``import.py`` in an environment of its own.

python run.py LIBRARY FILE FOLDER

Prints JSON: rows, seconds of reading and writing (importing the library left out), peak resident memory. A library that
streams does both at once: its time stands under ``write_s`` and there is no ``read_s``.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def modelmint(source: Path, folder: Path) -> dict[str, Any]:
    """The stage `collect`: also checks every row, gives ids, counts, and seals (AES-256-GCM) what it writes."""
    from modelmint.catalog.drafts import StagingDesk
    from modelmint.catalog.encryption import new_key
    from modelmint.core.stage import StageContext
    from modelmint.data.collect import CollectInputs, CollectSpec, collect

    for name in ("scratch", "checkpoints"):
        (folder / name).mkdir()
    desk = StagingDesk(folder=folder / "staged", tenant="t", tenant_key=new_key(), scratch=folder / "desk")
    context = StageContext(
        desk=desk, scratch=folder / "scratch", checkpoints=folder / "checkpoints", seed=17, num_threads=2,
        machine_hour="0.10 USD", say=lambda _done, _total, _said: None, serve=None,
    )  # fmt: skip
    begun = time.perf_counter()
    made = collect(CollectSpec(source=str(source)), CollectInputs(), context)
    return {"rows": made.data.num_rows, "write_s": time.perf_counter() - begun}


def pandas(source: Path, folder: Path) -> dict[str, Any]:
    import pandas as pd

    begun = time.perf_counter()
    if source.suffix == ".csv":
        frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    else:
        frame = pd.read_json(source, lines=True, dtype=False)
    read_s = time.perf_counter() - begun
    frame.to_parquet(folder / "out.parquet", compression="zstd")
    return {"rows": len(frame), "read_s": read_s, "write_s": time.perf_counter() - begun}


def polars(source: Path, folder: Path) -> dict[str, Any]:
    import polars as pl

    begun = time.perf_counter()
    schema = {"text": pl.String, "label": pl.String}
    frame = pl.read_csv(source, schema=schema) if source.suffix == ".csv" else pl.read_ndjson(source, schema=schema)
    read_s = time.perf_counter() - begun
    frame.write_parquet(folder / "out.parquet", compression="zstd")
    return {"rows": len(frame), "read_s": read_s, "write_s": time.perf_counter() - begun}


def polars_streaming(source: Path, folder: Path) -> dict[str, Any]:
    import polars as pl

    begun = time.perf_counter()
    schema = {"text": pl.String, "label": pl.String}
    frame = pl.scan_csv(source, schema=schema) if source.suffix == ".csv" else pl.scan_ndjson(source, schema=schema)
    frame.sink_parquet(folder / "out.parquet", compression="zstd")
    write_s = time.perf_counter() - begun
    return {"rows": pl.scan_parquet(folder / "out.parquet").select(pl.len()).collect().item(), "write_s": write_s}


def datasets(source: Path, folder: Path) -> dict[str, Any]:
    from datasets import load_dataset

    kind = "csv" if source.suffix == ".csv" else "json"
    begun = time.perf_counter()
    data = load_dataset(kind, data_files=str(source), split="train", cache_dir=str(folder / "cache"))
    read_s = time.perf_counter() - begun
    data.to_parquet(folder / "out.parquet")
    return {"rows": len(data), "read_s": read_s, "write_s": time.perf_counter() - begun}


LIBRARIES: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "modelmint": modelmint,
    "pandas": pandas,
    "polars": polars,
    "polars-streaming": polars_streaming,
    "datasets": datasets,
}


def main() -> None:
    library, source, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    measured = LIBRARIES[library](source, folder)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**measured, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()
