"""What tests share: a real catalog in a temporary home, and stages run in this process on it."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.core.settings import Settings
from modelmint.core.stage import Endpoint, StageContext
from modelmint.core.types import Dataset, Model

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.read({}, home=tmp_path / "home")


@pytest.fixture
def catalog(settings: Settings) -> Iterator[Catalog]:
    opened = Catalog(settings)
    yield opened
    opened.close()


@pytest.fixture
def desk(catalog: Catalog, tmp_path: Path) -> StagingDesk:
    return StagingDesk(
        folder=tmp_path / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=tmp_path / "desk"
    )


@pytest.fixture
def context(desk: StagingDesk, tmp_path: Path) -> StageContext:
    """A stage context as the loop makes it, in this process. `serve` is the real candidate server."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "checkpoints").mkdir()

    @contextmanager
    def serve(model: Model) -> Iterator[Endpoint]:
        from modelmint.loop.candidate import candidate

        with candidate(model, home=tmp_path / "candidate") as endpoint:
            yield endpoint

    return StageContext(
        desk=desk,
        scratch=tmp_path / "scratch",
        checkpoints=tmp_path / "checkpoints",
        seed=17,
        num_threads=2,
        machine_hour="0.10 USD",
        say=lambda _done, _total, _message: None,
        serve=serve,
    )


@pytest.fixture
def dataset(desk: StagingDesk) -> Callable[..., Dataset]:
    """Make a dataset of rows: ``dataset([{"text": ..., "label": ...}])``; `_row` is added where it is missing."""

    def make(rows: list[dict[str, Any]], name: str = "data") -> Dataset:
        return desk.dataset(
            name, pa.Table.from_pylist([{"_row": f"r{index}", **row} for index, row in enumerate(rows)])
        )

    return make


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data sets; absent on most machines."""
    if not SHARED.exists() and os.environ.get("MODELMINT_REQUIRE_DATA"):
        pytest.fail(f"MODELMINT_REQUIRE_DATA is set and {SHARED} is not there")
    if not SHARED.exists():
        pytest.skip("the real data sets (../shared/data) are not on this machine")
    return SHARED


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Every test ends the threads it began."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in set(threading.enumerate()) - before if not thread.daemon]
    for thread in left:
        thread.join(timeout=2)  # transformers ends the threads that read weights without waiting for them
    left = [thread for thread in left if thread.is_alive()]
    assert not left, f"threads left running: {left}"
