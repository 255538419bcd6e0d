"""The command, as a person types it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from modelmint.cli.main import modelmint


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    """``run("data", "peek", "a.csv")``: the standard output; raises what the command raised."""

    def call(*words: str) -> str:
        result = CliRunner().invoke(modelmint, ["--home", str(tmp_path / "home"), *words])
        if result.exception and not (isinstance(result.exception, SystemExit) and result.exception.code == 0):
            raise result.exception
        return result.stdout

    return call
