"""The catalog's contract, on every database."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.catalog.encryption import new_key, wrap
from modelmint.catalog.lineage import ancestors, descendants
from modelmint.catalog.schema import artifacts, tenants
from modelmint.core.clock import now
from modelmint.core.errors import InputError, IntegrityError, NotFoundError
from modelmint.core.settings import Settings
from modelmint.core.tables import QUARANTINE, read, rows
from modelmint.core.types import Dataset

TABLE = pa.table({"_row": ["a", "b"], "text": ["one secret", "two"], "label": ["x", "y"]})


def publish(
    catalog: Catalog,
    desk: StagingDesk,
    *,
    parents: dict[str, str] | None = None,
    result: dict[str, object] | None = None,
) -> None:
    catalog.publish(list(desk.drafts.values()), staged=desk.folder, role_parents=parents, result=result)
    desk.drafts.clear()


def test_a_published_dataset_reads_as_it_was_written(catalog: Catalog, desk: StagingDesk) -> None:
    made = desk.dataset("data", TABLE, facts={"about": "test"})
    publish(catalog, desk)
    found = catalog.dataset(made.id)
    assert (found.digest, found.num_rows, found.facts["about"]) == (made.digest, 2, "test")
    assert read(found).equals(TABLE)


def test_what_is_not_published_is_not_visible(catalog: Catalog, desk: StagingDesk) -> None:
    made = desk.dataset("data", TABLE)
    with pytest.raises(NotFoundError, match=made.id):
        catalog.get(made.id)


def test_equal_content_has_an_equal_digest_whatever_was_measured(desk: StagingDesk) -> None:
    first = desk.dataset("data", TABLE, measured={"seconds": 1.0})
    second = desk.dataset("data", TABLE, measured={"seconds": 2.0})
    assert first.digest == second.digest != desk.dataset("data", TABLE.slice(1)).digest


def test_an_empty_dataset_keeps_its_schema(catalog: Catalog, desk: StagingDesk) -> None:
    made = desk.dataset("quarantine", rows([], QUARANTINE))
    publish(catalog, desk)
    assert read(catalog.dataset(made.id)).schema.names == QUARANTINE.names


def test_publishing_an_identity_twice_keeps_the_first(catalog: Catalog, desk: StagingDesk, tmp_path: Path) -> None:
    first = desk.dataset("data", TABLE)
    result = {"identity": "i" * 64, "stage": "clean", "run": "run_1", "seconds": 1.0}
    publish(catalog, desk, result=result | {"outputs": {"data": [first.id]}})
    other = StagingDesk(
        folder=tmp_path / "other", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=tmp_path / "scratch2"
    )
    second = other.dataset("data", TABLE)
    publish(catalog, other, result=result | {"outputs": {"data": [second.id]}})
    found = catalog.find_result("i" * 64)
    assert found is not None
    assert found["outputs"] == {"data": [first.id]}
    assert [artifact.id for artifact in catalog.list("dataset")] == [first.id]


def test_lineage_names_every_ancestor_and_descendant(catalog: Catalog, desk: StagingDesk, tmp_path: Path) -> None:
    data = desk.dataset("data", TABLE)
    publish(catalog, desk)
    clean = desk.dataset("clean", TABLE.slice(1))
    publish(catalog, desk, parents={data.id: "data"})
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"w")
    model = desk.model("model", tmp_path / "model")
    publish(catalog, desk, parents={clean.id: "train", data.id: "other"})
    tree = ancestors(catalog, model.id)
    assert [(node.role, node.id) for node in tree.parents] == [("other", data.id), ("train", clean.id)]
    assert descendants(catalog, data.id) == sorted([clean.id, model.id])


def test_another_tenant_sees_nothing(catalog: Catalog, desk: StagingDesk, settings: Settings) -> None:
    made = desk.dataset("data", TABLE)
    publish(catalog, desk)
    master = bytes.fromhex((settings.home / "master.key").read_text())
    with catalog.engine.begin() as connection:
        connection.execute(
            tenants.insert().values(id="other", name="other", wrapped_key=wrap(new_key(), master), created_at=now())
        )
    other = Catalog(settings, "other")
    with pytest.raises(NotFoundError):
        other.get(made.id)
    assert other.list("dataset") == []
    other.close()


def test_a_tenant_that_does_not_exist_is_refused(catalog: Catalog, settings: Settings) -> None:
    with pytest.raises(NotFoundError, match="there is none named 'nobody'"):
        Catalog(settings, "nobody")


def test_a_text_in_a_dataset_stands_nowhere_in_the_home(
    catalog: Catalog, desk: StagingDesk, settings: Settings
) -> None:
    desk.dataset("data", TABLE)
    desk.report("card", {"example": "one secret"}, renderings={"report.html": "<p>one secret</p>"})
    publish(catalog, desk)
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    assert len(files) > 3  # the database, its log, two blobs
    assert not [path for path in files if b"one secret" in path.read_bytes()]
    assert catalog.list("report")[0].facts["example"] == "one secret"


@pytest.mark.parametrize("harm", ["flip", "cut", "swap"])
def test_a_blob_that_was_touched_is_refused(catalog: Catalog, desk: StagingDesk, settings: Settings, harm: str) -> None:
    made, other = desk.dataset("data", TABLE), desk.dataset("data", TABLE.slice(1))
    publish(catalog, desk)
    path = _blob(settings, made)
    content = path.read_bytes()
    path.write_bytes(
        {
            "flip": content[:-1] + bytes([content[-1] ^ 1]),
            "cut": content[:-1],
            "swap": _blob(settings, other).read_bytes(),
        }[harm]
    )
    with pytest.raises(IntegrityError, match="does not hold what was written"):
        read(catalog.dataset(made.id))


def test_dropping_the_key_erases_the_data(catalog: Catalog, desk: StagingDesk) -> None:
    made = desk.dataset("data", TABLE)
    publish(catalog, desk)
    with catalog.engine.begin() as connection:
        connection.execute(sa.update(artifacts).where(artifacts.c.id == made.id).values(wrapped_key=None))
    with pytest.raises(IntegrityError, match="the data is erased"):
        read(catalog.dataset(made.id))


def test_another_master_key_opens_nothing(catalog: Catalog, settings: Settings) -> None:
    with pytest.raises(IntegrityError, match=r"master\.key: does not open"):
        Catalog(replace(settings, master_key="00" * 32))


def test_a_master_key_that_others_can_read_is_refused(catalog: Catalog, settings: Settings) -> None:
    (settings.home / "master.key").chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        Catalog(settings)


def test_garbage_is_what_no_artifact_holds(catalog: Catalog, desk: StagingDesk, settings: Settings) -> None:
    made = desk.dataset("data", TABLE)
    desk.dataset("loose", TABLE.slice(1))
    staged = list(desk.drafts.values())
    for file in staged[1].manifest["files"]:
        catalog.blobs.adopt(desk.folder / file["blob"], file["blob"])
    catalog.publish(staged[:1], staged=desk.folder)
    assert catalog.collect_garbage() == 1
    assert read(catalog.dataset(made.id)).num_rows == 2


def test_processes_that_start_together_share_one_catalog(settings: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: Catalog(settings), range(4)))
    keys = {catalog.tenant_key for catalog in opened}
    for catalog in opened:
        catalog.close()
    assert len(keys) == 1


def test_writers_in_many_threads_do_not_lose_rows(catalog: Catalog, tmp_path: Path) -> None:
    def work(number: int) -> str:
        desk = StagingDesk(
            folder=tmp_path / f"s{number}",
            tenant=catalog.tenant,
            tenant_key=catalog.tenant_key,
            scratch=tmp_path / f"d{number}",
        )
        made = desk.dataset(f"d{number}", TABLE)
        publish(catalog, desk)
        return made.id

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(work, range(24)))
    assert {artifact.id for artifact in catalog.list("dataset")} == made


def test_the_home_is_closed_to_others(catalog: Catalog, settings: Settings) -> None:
    assert settings.home.stat().st_mode & 0o077 == 0
    assert (settings.home / "master.key").stat().st_mode & 0o077 == 0


def test_the_migrations_make_the_schema_that_the_code_has(catalog: Catalog) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from modelmint.catalog.schema import METADATA

    with catalog.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def _blob(settings: Settings, dataset: Dataset) -> Path:
    name = dataset.manifest["files"][0]["blob"]
    return settings.home / "blobs" / name[:2] / name


def test_a_large_file_is_sealed_in_chunks(catalog: Catalog, desk: StagingDesk, tmp_path: Path) -> None:
    noise = os.urandom(9_000_000)
    desk.report("big", {}, renderings={"noise.bin": noise})
    publish(catalog, desk)
    (found,) = catalog.list("report")
    with found.files.open("noise.bin") as stream:
        assert stream.read() == noise
