"""Reading datasets in batches."""

import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelmint.core import tables
from modelmint.core.types import Dataset

_GROUPS, _GROUP_BYTES = 24, 2 << 20


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """48 MB of cells that do not pack, in 24 row groups."""
    path, noise = tmp_path / "a.parquet", np.random.default_rng(1)
    with pq.ParquetWriter(path, pa.schema([("cell", pa.binary())])) as writer:
        for _ in range(_GROUPS):
            cells = [noise.bytes(_GROUP_BYTES // 64) for _ in range(64)]
            writer.write_table(pa.table({"cell": pa.array(cells, pa.binary())}))
    return path


@contextmanager
def _opened(path: Path) -> Any:
    with path.open("rb") as stream:
        yield cast("IO[bytes]", stream)


def _batches(path: Path) -> Any:
    files = SimpleNamespace(open=lambda _: _opened(path))
    return tables.batches(cast("Dataset", SimpleNamespace(paths=lambda: iter(["a.parquet"]), files=files)))


def test_what_was_read_is_not_kept(large: Path) -> None:
    """Arrow by itself reads a file ahead and keeps all of it until the file is closed: of a shard, 1 GB."""
    tracemalloc.start()
    try:
        assert sum(batch.num_rows for batch in _batches(large)) == _GROUPS * 64
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 6 * _GROUP_BYTES
