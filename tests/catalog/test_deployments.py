from pathlib import Path

import pytest

from modelmint.catalog.audit import entries
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import deploy, list_deployments, list_revisions, rollback, switch
from modelmint.core.errors import InputError, NotFoundError
from tests.tiny_variant import deploy_variant


def two_revisions(catalog: Catalog, tmp_path: Path) -> None:
    deploy_variant(catalog, tmp_path / "1")
    deploy_variant(catalog, tmp_path / "2", labels=("a", "b", "c"))


def test_the_same_variant_at_the_same_price_makes_no_new_revision(catalog: Catalog, tmp_path: Path) -> None:
    made = deploy_variant(catalog, tmp_path)
    again = deploy(catalog, endpoint="support", model=made.model, variant=made.variant, price=made.price)
    assert (again.revision, len(list_revisions(catalog, "support"))) == (1, 1)


def test_a_new_price_makes_a_new_revision(catalog: Catalog, tmp_path: Path) -> None:
    made = deploy_variant(catalog, tmp_path)
    again = deploy(catalog, endpoint="support", model=made.model, variant=made.variant, price="0.75 USD")
    assert (again.revision, again.price) == (2, "0.75 USD")


def test_a_rollback_returns_to_the_revision_before_and_a_second_one_takes_it_back(
    catalog: Catalog, tmp_path: Path
) -> None:
    two_revisions(catalog, tmp_path)
    assert [rollback(catalog, "support").revision, rollback(catalog, "support").revision] == [1, 2]
    assert list_deployments(catalog)[0].previous == 1


def test_a_rollback_with_one_revision_says_there_is_none_to_return_to(catalog: Catalog, tmp_path: Path) -> None:
    deploy_variant(catalog, tmp_path)
    with pytest.raises(InputError, match="none to return to"):
        rollback(catalog, "support")


def test_a_switch_to_a_revision_that_does_not_exist_names_those_that_do(catalog: Catalog, tmp_path: Path) -> None:
    two_revisions(catalog, tmp_path)
    with pytest.raises(NotFoundError, match="has revisions 1 to 2; got 7"):
        switch(catalog, "support", 7)


def test_an_endpoint_that_does_not_exist_names_those_that_do(catalog: Catalog, tmp_path: Path) -> None:
    deploy_variant(catalog, tmp_path)
    with pytest.raises(NotFoundError, match="'sales'; there are support"):
        rollback(catalog, "sales")


def test_every_change_is_audited_and_a_change_to_the_same_is_none(catalog: Catalog, tmp_path: Path) -> None:
    two_revisions(catalog, tmp_path)
    switch(catalog, "support", 1, actor="key_1")
    switch(catalog, "support", 1)
    rollback(catalog, "support")
    told = [(entry["action"], entry["actor"], entry["about"]["revision"]) for entry in reversed(entries(catalog))]
    assert told == [
        ("deployment.deploy", "local", 1),
        ("deployment.deploy", "local", 2),
        ("deployment.switch", "key_1", 1),
        ("deployment.rollback", "local", 2),
    ]
