"""Names of one's own, pins, and what may be removed."""

from pathlib import Path

import pyarrow as pa
import pytest

from modelmint.catalog.audit import entries
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.catalog.names import list_aliases, pin, remove, remove_alias, set_alias, unpin
from modelmint.core import tables
from modelmint.core.errors import InputError, NotFoundError
from modelmint.core.types import Dataset


@pytest.fixture
def published(catalog: Catalog, tmp_path: Path):
    """``published("a")``: a dataset of one row with that text, in the catalog."""

    def make(text: str, result: dict | None = None) -> Dataset:
        desk = StagingDesk(
            folder=tmp_path / f"staged-{text}",
            tenant=catalog.tenant,
            tenant_key=catalog.tenant_key,
            scratch=tmp_path / "desk",
        )
        made = desk.dataset("data", pa.table({"_row": ["r"], "text": [text]}))
        outputs = {"data": [made.id]}
        catalog.publish(
            list(desk.drafts.values()),
            staged=tmp_path / f"staged-{text}",
            run="run_1",
            result={"identity": text * 8, "stage": "collect", "outputs": outputs, "run": "run_1", "seconds": 1.0},
        )
        return catalog.dataset(made.id)

    return make


def test_a_name_stands_for_the_artifact_wherever_an_id_does(catalog: Catalog, published) -> None:
    made = published("a")
    set_alias(catalog, "golden", made.id)
    assert catalog.get("golden").id == made.id


def test_a_name_can_be_moved_and_the_move_is_audited(catalog: Catalog, published) -> None:
    first, second = published("a"), published("b")
    set_alias(catalog, "golden", first.id)
    assert set_alias(catalog, "golden", second.id)["before"] == first.id
    assert entries(catalog)[0]["about"] == {"artifact": second.id, "before": first.id}


@pytest.mark.parametrize("name", ["", "Golden", "1st", "a b", "ds_1", "a/b", "a" * 64, "金"])
def test_a_name_that_is_none_is_refused(catalog: Catalog, published, name: str) -> None:
    with pytest.raises(InputError, match="name: must be"):
        set_alias(catalog, name, published("a").id)


def test_a_name_for_an_artifact_that_is_not_there_is_refused(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError):
        set_alias(catalog, "golden", "ds_00000000000000000000000000")


def test_a_name_that_was_taken_away_is_not_found(catalog: Catalog, published) -> None:
    set_alias(catalog, "golden", published("a").id)
    remove_alias(catalog, "golden")
    assert list_aliases(catalog) == []
    with pytest.raises(NotFoundError):
        catalog.get("golden")


def test_what_is_pinned_cannot_be_removed_until_it_is_unpinned(catalog: Catalog, published) -> None:
    made = published("a")
    pin(catalog, made.id, reason="audit of 2026")
    with pytest.raises(InputError, match="it is pinned"):
        remove(catalog, made.id)
    unpin(catalog, made.id)
    assert remove(catalog, made.id)["removed"]


def test_what_has_a_name_cannot_be_removed(catalog: Catalog, published) -> None:
    made = published("a")
    set_alias(catalog, "golden", made.id)
    with pytest.raises(InputError, match="it has the name golden"):
        remove(catalog, made.id)


def test_what_was_removed_leaves_its_manifest_and_no_bytes(catalog: Catalog, published) -> None:
    made = published("a")
    remove(catalog, made.id)
    gone = catalog.dataset(made.id)
    assert (gone.digest, gone.facts, list(catalog.blobs.names())) == (made.digest, {}, [])
    with pytest.raises(NotFoundError, match="was removed"):
        tables.read(gone)


def test_what_was_removed_is_made_again_when_it_is_asked_for(catalog: Catalog, published) -> None:
    made = published("a")
    remove(catalog, made.id)
    assert catalog.find_result("a" * 8) is None
