"""Collecting from a file written by the test, and reading datasets as plain rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.core import tables
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.data.collect import CollectInputs, CollectOutputs, CollectSpec, collect


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write("a.csv", content)``: a file of the test's own folder."""

    def make(name: str, content: str | bytes) -> Path:
        path = tmp_path / "source" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


@pytest.fixture
def collected(context: StageContext) -> Callable[..., CollectOutputs]:
    """``collected(path, text="body")``: what collect makes of a source."""

    def run(source: Path | str, **spec: Any) -> CollectOutputs:
        return collect(CollectSpec(source=str(source), **spec), CollectInputs(), context)

    return run


def rows_of(dataset: Dataset) -> list[dict[str, Any]]:
    """Every row of a dataset."""
    found: list[dict[str, Any]] = tables.read(dataset).to_pylist()
    return found


def texts_of(dataset: Dataset) -> list[Any]:
    return tables.column(dataset, "text")


def reasons_of(quarantine: Dataset) -> list[Any]:
    return tables.column(quarantine, "reason")
