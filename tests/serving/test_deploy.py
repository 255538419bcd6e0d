from pathlib import Path

import pytest
from pydantic import ValidationError

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import list_revisions
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON
from modelmint.serving.deploy import DeployInputs, DeploySpec, apply, deploy
from tests.tiny_variant import publish_variant


def release(catalog: Catalog, context: StageContext, tmp_path: Path, parity: JSON) -> JSON:
    variant = publish_variant(catalog, tmp_path / "variant")
    inputs = DeployInputs(
        model=variant,
        variant=variant,
        parity=context.desk.report("parity", parity),
        evaluation=context.desk.report("evaluation", {"refused": []}),
    )
    return deploy(DeploySpec(endpoint="support", price="0.50 USD"), inputs, context).release.facts


def test_a_release_states_endpoint_price_and_digests(catalog: Catalog, context: StageContext, tmp_path: Path) -> None:
    facts = release(catalog, context, tmp_path, {"refused": []})
    assert (facts["endpoint"], facts["price"], facts["variant"], facts["refused"]) == (
        "support",
        "0.50 USD",
        "onnx-fp32",
        [],
    )


def test_a_release_whose_parity_was_refused_is_refused(catalog: Catalog, context: StageContext, tmp_path: Path) -> None:
    assert release(catalog, context, tmp_path, {"refused": ["too different"]})["refused"] == ["parity: too different"]


def test_a_person_may_let_the_very_report_pass_that_was_refused_and_no_other(
    catalog: Catalog, context: StageContext, tmp_path: Path
) -> None:
    parity = context.desk.report("parity", {"refused": ["too different"]})
    evaluation = context.desk.report("evaluation", {"refused": ["accuracy: must be >= 0.9; it is 0.8"]})
    word = {"stage": "parity", "by": "anna", "reason": "known rows", "refused": ["too different"]}
    word |= {"reports": [{"name": "parity", "digest": parity.digest}]}
    variant = publish_variant(catalog, tmp_path / "variant")
    inputs = DeployInputs(
        model=variant,
        variant=variant,
        parity=parity,
        evaluation=evaluation,
        overrides=(context.desk.report("override", word),),
    )
    facts = deploy(DeploySpec(endpoint="support"), inputs, context).release.facts
    assert facts["refused"] == ["evaluation: accuracy: must be >= 0.9; it is 0.8"]
    assert [one["by"] for one in facts["overridden"]] == ["anna"]


def test_applying_twice_makes_one_revision(catalog: Catalog, tmp_path: Path) -> None:
    variant = publish_variant(catalog, tmp_path).id
    ids = {"model": [variant], "variant": [variant]}
    applied = [apply(catalog, "run_1", DeploySpec(endpoint="support"), ids, {"release": ["rep_1"]}) for _ in range(2)]
    assert applied == [{"endpoint": "support", "revision": 1}] * 2
    assert [each.run for each in list_revisions(catalog, "support")] == ["run_1"]


@pytest.mark.parametrize("price", ["cheap", "-1 USD", "0.5", "1 XYZ"])
def test_a_price_that_is_no_money_is_refused(price: str) -> None:
    with pytest.raises(ValidationError, match="must be an amount >= 0 and a currency"):
        DeploySpec(endpoint="support", price=price)


@pytest.mark.parametrize("endpoint", ["", "Has Space", "UPPER", "-x", "a/b", "x" * 64])
def test_an_endpoint_that_is_no_slug_is_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="endpoint"):
        DeploySpec(endpoint=endpoint)
