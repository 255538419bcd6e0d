"""Whether something may be sold, and because of which parent it may not."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import NotFoundError
from modelmint.core.types import Artifact
from modelmint.trust.licences import verdict

TABLE = pa.table({"_row": ["a"], "text": ["hello"], "label": ["x"]})
Made = Callable[..., Artifact]


@pytest.fixture
def made(catalog: Catalog, desk: StagingDesk, tmp_path: Path) -> Made:
    """``made("data", licences=["MIT"], parents={"train": other})``: an artifact as the loop publishes it."""

    def make(
        name: str,
        *,
        base: str | None = None,
        parents: dict[str, Artifact] | None = None,
        licences: Sequence[str] = (),
        **facts: Any,
    ) -> Artifact:
        inherited = [one for parent in (parents or {}).values() for one in parent.manifest["licences"]]
        whole = [*inherited, *licences]
        if base is None:
            artifact: Artifact = desk.dataset(name, TABLE, facts=facts, licences=whole)
        else:
            folder = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            about = {"base": base, "licence": licences[0]} if licences else {}
            (folder / "modelmint.json").write_text(json.dumps(about))
            artifact = desk.model(name, folder, facts={"base": base, **facts}, licences=whole)
        roles = {parent.id: role for role, parent in (parents or {}).items()}
        catalog.publish(list(desk.drafts.values()), staged=desk.folder, role_parents=roles)
        desk.drafts.clear()
        return catalog.get(artifact.id)

    return make


def test_a_model_of_free_data_and_a_free_base_may_be_sold(catalog: Catalog, made: Made) -> None:
    data = made("train", licences=["CC-BY-4.0"])
    model = made("model", base="starter", licences=["Apache-2.0"], parents={"train": data})
    found = verdict(catalog, model.id)
    assert (found["may_be_sold"], [one["name"] for one in found["because"]]) == ("conditions", ["starter", "train"])
    assert [owed.split(":")[0] for owed in found["obligations"]] == ["notice", "attribution", "changes"]


def test_the_parent_that_forbids_it_is_named_with_the_way_to_it(catalog: Catalog, made: Made) -> None:
    free, bound = made("mine", licences=["LicenseRef-Own"]), made("theirs", licences=["CC-BY-NC-4.0"], source="a/b")
    joined = made("joined", parents={"data": free, "more": bound})
    train = made("train", parents={"data": joined})
    model = made("model", base="starter", licences=["Apache-2.0"], parents={"train": train})
    found = verdict(catalog, model.id)
    first = found["because"][0]
    assert (found["may_be_sold"], first["artifact"], first["verdict"]) == ("no", bound.id, "no")
    assert [step["name"] for step in first["path"]] == ["model", "train", "joined", "theirs"]
    assert found["why"] == "dataset theirs from a/b (CC-BY-NC-4.0): it allows non-commercial use only"


def test_a_base_forbids_it_too(catalog: Catalog, made: Made) -> None:
    model = made("model", base="org/it", licences=["qwen-research"], parents={"train": made("t", licences=["MIT"])})
    found = verdict(catalog, model.id)
    assert (found["because"][0]["kind"], found["because"][0]["name"], found["because"][0]["artifact"]) == (
        "base",
        "org/it",
        None,
    )
    assert found["why"].startswith("base org/it (LicenseRef-Qwen-Research)")


def test_a_source_without_a_licence_is_unknown_and_listed(catalog: Catalog, made: Made) -> None:
    found = verdict(catalog, made("model", base="b", licences=["MIT"], parents={"train": made("crawl")}).id)
    assert (found["may_be_sold"], found["unknown"]) == ("unknown", ["crawl"])


def test_a_variant_is_judged_by_its_model(catalog: Catalog, made: Made) -> None:
    model = made("model", base="b", licences=["MIT"], parents={"train": made("t", licences=["CC0-1.0"])})
    variant = made("variant", base="b", variant="onnx-int8", parents={"model": model})
    assert [one["licence"] for one in verdict(catalog, variant.id)["because"]] == ["MIT", "CC0-1.0"]


def test_what_was_only_tested_on_still_counts_and_is_marked(catalog: Catalog, made: Made) -> None:
    bound = made("exam", licences=["CC-BY-NC-4.0"])
    model = made("model", base="b", licences=["MIT"], parents={"train": made("t", licences=["MIT"])})
    variant = made("variant", base="b", variant="onnx-int8", parents={"model": model, "test": bound})
    found = verdict(catalog, variant.id)
    assert (found["may_be_sold"], {one["name"]: one["used"] for one in found["because"]}) == (
        "no",
        {"exam": "comparison", "b": "training", "t": "training"},
    )
    assert "though nothing was learned from it" in found["why"]


def test_a_licence_that_a_stage_adds_is_found_at_its_output(catalog: Catalog, made: Made) -> None:
    data = made("data", licences=["MIT"])
    augmented = made("train", licences=["CC-BY-NC-4.0"], parents={"train": data})
    assert verdict(catalog, augmented.id)["because"][0]["artifact"] == augmented.id


def test_consent_language_and_source_are_told(catalog: Catalog, desk: StagingDesk) -> None:
    provenance = {"source": "a.csv", "consent": "contract", "format": "csv"}
    data = desk.dataset("data", TABLE, facts={"language": "en"}, measured={"provenance": provenance}, licences=["MIT"])
    catalog.publish(list(desk.drafts.values()), staged=desk.folder)
    (entry,) = verdict(catalog, data.id)["because"]
    told = {key: entry[key] for key in ("consent", "language", "source")}
    assert told == {"consent": "contract", "language": "en", "source": "a.csv"}


def test_it_says_that_it_is_no_legal_advice(catalog: Catalog, made: Made) -> None:
    assert "no legal advice" in verdict(catalog, made("data", licences=["MIT"]).id)["disclaimer"]


def test_a_report_without_parents_has_nothing_to_say(catalog: Catalog, desk: StagingDesk) -> None:
    report = desk.report("note", {"a": 1})
    catalog.publish(list(desk.drafts.values()), staged=desk.folder)
    assert verdict(catalog, report.id)["may_be_sold"] == "unknown"


def test_what_is_not_there_is_not_found(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError):
        verdict(catalog, "dataset-none")
