"""A running application with one endpoint, and keys for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from modelmint.api.app import create_app
from modelmint.business.keys import create
from modelmint.catalog.catalog import Catalog
from modelmint.core.settings import Settings
from tests.tiny_variant import deploy_variant


def header(catalog: Catalog, *scopes: str) -> dict[str, str]:
    """The header of a new key with these scopes."""
    return {"Authorization": f"Bearer {create(catalog, 'test', scopes).secret}"}


@contextmanager
def running(catalog: Catalog, work: Path) -> Iterator[TestClient]:
    """Sends a key with every scope; `support` is deployed."""
    deploy_variant(catalog, work)
    headers = header(catalog, "predict", "feedback", "admin", "override")
    with TestClient(create_app(catalog.settings), headers=headers, raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def client(catalog: Catalog, tmp_path: Path) -> Iterator[TestClient]:
    """A fresh application, for tests that change what it holds."""
    with running(catalog, tmp_path / "support") as opened:
        yield opened


@pytest.fixture(scope="session")
def shared_catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    opened = Catalog(Settings.read({}, home=tmp_path_factory.mktemp("api") / "home"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def shared_client(shared_catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One application for all tests that change nothing."""
    with running(shared_catalog, tmp_path_factory.mktemp("support")) as opened:
        yield opened


@pytest.fixture(scope="session")
def key(shared_catalog: Catalog) -> Callable[..., dict[str, str]]:
    """The header of a key of the shared application: ``key("predict")``."""
    made: dict[tuple[str, ...], dict[str, str]] = {}

    def make(*scopes: str) -> dict[str, str]:
        return made.setdefault(scopes, header(shared_catalog, *scopes))

    return make
