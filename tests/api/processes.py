"""The server as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelmint.business.keys import create
from modelmint.catalog.catalog import Catalog
from modelmint.core.settings import Settings
from tests.tiny_variant import deploy_variant


def command(home: Path, port: int = 0) -> list[str]:
    return [sys.executable, "-m", "modelmint.api.server", "--home", str(home), "--port", str(port)]


def prepared(home: Path, work: Path) -> str:
    """A home with an endpoint; returns a key for it."""
    catalog = Catalog(Settings.read({}, home=home))
    deploy_variant(catalog, work)
    secret = create(catalog, "test").secret
    catalog.close()
    return secret


@contextmanager
def serving(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its URL; killed at the end if it still lives."""
    process = subprocess.Popen(command(home), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, str(json.loads(process.stdout.readline())["url"])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
