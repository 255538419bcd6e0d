import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from modelmint.catalog.audit import entries
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.catalog.drafts import StagingDesk
from modelmint.catalog.encryption import master_key, new_key, wrap
from modelmint.catalog.overrides import overrides_of
from modelmint.catalog.schema import tenants
from modelmint.core.clock import now
from modelmint.core.errors import InputError, NotFoundError
from modelmint.loop.override import override
from modelmint.loop.plan import Plan, Step
from modelmint.loop.runs import create_run, run_row, stage_rows, unfinished, update_run, update_stage


def refused_run(catalog: Catalog, tmp_path: Path, status: str = "refused") -> str:
    """A run whose preflight said no, as a worker leaves it."""
    steps = [
        Step(name=name, verb=name, version=1, spec={}, wiring={}) for name in ("collect", "preflight", "clean", "split")
    ]
    run = create_run(catalog, Plan(name="small", seed=17, params={}, inputs={}, steps=steps))
    desk = StagingDesk(
        folder=tmp_path / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=tmp_path / "desk"
    )
    report = desk.report("preflight", {"refused": ["leaks: must be <= 0; it is 4"]})
    catalog.publish(list(desk.drafts.values()), staged=desk.folder, run=run)
    shutil.rmtree(tmp_path / "desk")
    update_stage(catalog, run, 0, status="succeeded", outputs={})
    update_stage(catalog, run, 1, status=status, outputs={"preflight": [report.id]})
    update_run(catalog, run, status=status, started_at=now(), finished_at=now())
    return run


def test_it_is_stored_with_who_when_and_why_and_the_run_waits_for_a_worker(catalog: Catalog, tmp_path: Path) -> None:
    run = refused_run(catalog, tmp_path)
    report = override(catalog, run, reason="the four rows are greetings", actor="anna")
    (found,) = overrides_of(catalog, run)
    assert (found.stage, found.position, found.actor, found.report) == ("preflight", 1, "anna", report)
    assert found.reason == "the four rows are greetings"
    assert (run_row(catalog, run)["status"], stage_rows(catalog, run)[1]["status"]) == ("queued", "overridden")


def test_the_report_names_what_was_refused_and_stands_in_the_lineage(catalog: Catalog, tmp_path: Path) -> None:
    run = refused_run(catalog, tmp_path)
    report = catalog.report(override(catalog, run, reason="greetings", stage="preflight", actor="anna"))
    assert report.facts["refused"] == ["leaks: must be <= 0; it is 4"]
    (parent,) = report.manifest["parents"]
    assert parent["role"] == "refused"
    assert catalog.report(parent["id"]).digest == report.facts["reports"][0]["digest"]


def test_it_is_in_the_audit_log(catalog: Catalog, tmp_path: Path) -> None:
    run = refused_run(catalog, tmp_path)
    override(catalog, run, reason="greetings", actor="anna")
    entry = entries(catalog)[0]
    assert (entry["actor"], entry["action"], entry["subject"]) == ("anna", "run.override", run)
    assert entry["about"] == {"stage": "preflight", "reason": "greetings", "refused": ["leaks: must be <= 0; it is 4"]}


@pytest.mark.parametrize("reason", ["", "   ", "...", "x" * 2_001])
def test_without_a_reason_nothing_changes(catalog: Catalog, tmp_path: Path, reason: str) -> None:
    run = refused_run(catalog, tmp_path)
    with pytest.raises(InputError, match="reason: must say in 1 to 2,000 characters"):
        override(catalog, run, reason=reason, actor="anna")
    assert (run_row(catalog, run)["status"], list(overrides_of(catalog, run))) == ("refused", [])


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "running"])
def test_a_run_that_no_gate_refused_has_nothing_to_override(catalog: Catalog, tmp_path: Path, status: str) -> None:
    run = refused_run(catalog, tmp_path, status)
    with pytest.raises(InputError, match=f"run: must be one that a gate refused; {run} is {status}"):
        override(catalog, run, reason="I am in a hurry", actor="anna")


def test_the_same_recipe_begins_a_run_of_its_own_meanwhile(catalog: Catalog, tmp_path: Path) -> None:
    run = refused_run(catalog, tmp_path)
    plan = Plan.from_json(run_row(catalog, run)["plan"])
    override(catalog, run, reason="greetings", actor="anna")
    assert unfinished(catalog, plan) is None


def test_a_second_time_it_is_no_refused_run_any_more(catalog: Catalog, tmp_path: Path) -> None:
    run = refused_run(catalog, tmp_path)
    override(catalog, run, reason="greetings", actor="anna")
    with pytest.raises(InputError, match="is queued"):
        override(catalog, run, reason="greetings", actor="anna")


def test_a_stage_that_was_not_refused_is_named_with_the_one_that_was(catalog: Catalog, tmp_path: Path) -> None:
    run = refused_run(catalog, tmp_path)
    with pytest.raises(InputError, match="stage: must be preflight, which was refused; collect was not"):
        override(catalog, run, reason="greetings", actor="anna", stage="collect")
    with pytest.raises(InputError, match="stage: must be one of collect, preflight, clean, split; got 'evaluate'"):
        override(catalog, run, reason="greetings", actor="anna", stage="evaluate")


def test_a_run_of_another_tenant_does_not_exist(catalog: Catalog, tmp_path: Path) -> None:
    run = refused_run(catalog, tmp_path)
    with writing(catalog.engine) as connection:
        key = wrap(new_key(), master_key(catalog.settings))
        connection.execute(tenants.insert().values(id="other", name="other", wrapped_key=key, created_at=now()))
    other = Catalog(catalog.settings, "other")
    try:
        with pytest.raises(NotFoundError, match="no such run"):
            override(other, run, reason="greetings", actor="anna")
    finally:
        other.close()
    assert run_row(catalog, run)["status"] == "refused"


def test_a_database_of_the_release_before_gets_the_table(catalog: Catalog, tmp_path: Path) -> None:
    with writing(catalog.engine) as connection:
        connection.execute(sa.text("drop table overrides"))
        connection.execute(sa.text("update alembic_version set version_num = 'v0_2_0'"))
    again = Catalog(catalog.settings)
    try:
        assert list(overrides_of(again, "run_1")) == []
    finally:
        again.close()
