"""What may be released by hand: a variant that a parity report let through."""

from pathlib import Path

import pytest

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import GateError, NotFoundError
from modelmint.serving.release import released
from modelmint.workspace import Workspace
from tests.tiny_variant import publish_variant


def replayed(catalog: Catalog, desk: StagingDesk, variant: str, model: str, refused: list[str]) -> str:
    report = desk.report("parity", {"refused": refused})
    roles = {variant: "variant", model: "model"}
    catalog.publish([desk.drafts.pop(report.id)], staged=desk.folder, role_parents=roles)
    return report.id


def test_a_variant_that_passed_parity_may_be_deployed(catalog: Catalog, desk: StagingDesk, tmp_path: Path) -> None:
    variant, model = (publish_variant(catalog, tmp_path / name).id for name in ("variant", "model"))
    report = replayed(catalog, desk, variant, model, refused=[])
    assert (released(catalog, variant).parity, released(catalog, variant).model) == (report, model)
    with Workspace(catalog.settings.home) as workspace:
        assert workspace.deploy(variant, "support", price="0.10 USD")["revision"] == 1
        assert workspace.predict("support", ["where is my parcel"])["predictions"][0]["label"] == "delivery"


def test_a_variant_that_parity_refused_may_not(catalog: Catalog, desk: StagingDesk, tmp_path: Path) -> None:
    variant, model = (publish_variant(catalog, tmp_path / name).id for name in ("variant", "model"))
    replayed(catalog, desk, variant, model, refused=["answers differ"])
    with pytest.raises(GateError, match="no parity report that let it through"):
        released(catalog, variant)


def test_a_variant_without_a_replay_may_not(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(GateError):
        released(catalog, publish_variant(catalog, tmp_path / "variant").id)


def test_a_variant_that_is_not_there_is_named(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError, match="mdl_nothing"):
        released(catalog, "mdl_nothing")
