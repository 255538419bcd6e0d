"""The loop with its state in PostgreSQL: the run, the engine's own tables and the cache."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

pytestmark = pytest.mark.postgres


@pytest.fixture
def database_url() -> Iterator[str]:
    server = os.environ.get("MODELMINT_TEST_POSTGRES_URL")
    if not server:
        pytest.skip("MODELMINT_TEST_POSTGRES_URL names no PostgreSQL server")
    name, admin = f"t{uuid.uuid4().hex}", sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
    yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sa.text(f"drop database {name} with (force)"))
    admin.dispose()


def test_a_run_ends_well_and_its_second_time_is_taken_from_the_catalog(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,label\n" + "".join(f"question {n},label{n % 3}\n" for n in range(60)))
    (tmp_path / "recipe.yaml").write_text(
        "stages:\n  - collect: {source: data.csv}\n  - clean\n  - split: {test: 0.2}\n"
    )
    command = [
        sys.executable,
        "-m",
        "modelmint",
        "--home",
        str(tmp_path / "home"),
        "run",
        str(tmp_path / "recipe.yaml"),
    ]
    environ = {**os.environ, "MODELMINT_DATABASE_URL": database_url}
    runs = [
        subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, env=environ) for _ in range(2)
    ]
    assert [done.returncode for done in runs] == [0, 0], runs[0].stderr
    assert all(stage["cached"] for stage in json.loads(runs[1].stdout)["stages"])
    assert not list((tmp_path / "home").glob("*.sqlite"))
