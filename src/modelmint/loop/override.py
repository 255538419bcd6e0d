"""Letting a refused gate pass: a person's word, with a reason, for one run. The verdicts stay as they are.

The word is an artifact, a report named ``override``. The later stages of the run that have an input ``overrides`` read it:
`deploy` lets through what it covers, `report` tells of it. Another run of the same recipe has none and is refused again.
"""

import getpass
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.drafts import StagingDesk
from modelmint.catalog.overrides import add_override
from modelmint.core.errors import InputError
from modelmint.core.ids import new_id
from modelmint.core.types import JSON, Report
from modelmint.loop.plan import Plan
from modelmint.loop.runs import run_row, stage_rows
from modelmint.loop.stages import verbs

MAX_REASON_CHARS = 2_000
NAME = "override"
Row = Mapping[str, Any]


def override(catalog: Catalog, run: str, *, reason: str, actor: str, stage: str | None = None) -> str:
    """Let the refused stage of a run pass and queue the run again: it goes on behind that stage.

    Args:
        reason: why, in words; it is kept for good.
        actor: who.
        stage: the stage that is meant; it may be left out, since a run stops at the first that refuses.

    Returns:
        The id of the report ``override``.

    Raises:
        NotFoundError: this tenant has no such run.
        InputError: there is no reason, the run or that stage was not refused, or what was refused cannot be let pass.
    """
    said, row = _said(reason), run_row(catalog, run)
    stages = stage_rows(catalog, run)
    refused = _refused(row, stages, stage)
    reports = [one for one in _reports(catalog, refused) if one.facts.get("refused")]
    _look_ahead(row, refused)
    reasons = [str(one) for report in reports for one in report.facts["refused"]]
    facts = {
        "run": run,
        "stage": refused["name"],
        "by": actor,
        "reason": said,
        "refused": reasons,
        "reports": [{"name": report.name, "digest": report.digest} for report in reports],
    }
    made = _published(catalog, run, facts, {report.id: "refused" for report in reports})
    if not add_override(
        catalog,
        run=run,
        position=refused["position"],
        stage=refused["name"],
        report=made,
        actor=actor,
        reason=said,
        refused=reasons,
    ):
        raise _not_refused(run, str(run_row(catalog, run)["status"]))
    return made


def person_here(name: str | None) -> str:
    """Who acts on this machine: the account, behind the name that was given."""
    account = f"local:{getpass.getuser()}"
    return f"{' '.join(name.split())[:100]} ({account})" if name and name.strip() else account


def _said(reason: str) -> str:
    said = " ".join(reason.split())
    if not any(letter.isalnum() for letter in said) or len(said) > MAX_REASON_CHARS:
        given = f"{len(said):,} characters" if said else "nothing"
        raise InputError(
            f"reason: must say in 1 to {MAX_REASON_CHARS:,} characters why the gate may be passed; got {given}",
            parameter="reason",
            remedy='Give it in words: --reason "the test set has a wrong label in rows 3 and 9".',
        )
    return said


def _refused(row: Row, stages: Sequence[Row], wanted: str | None) -> Row:
    """The stage that stopped the run."""
    if wanted is not None and wanted not in (names := [str(one["name"]) for one in stages]):
        raise InputError(
            f"stage: must be one of {', '.join(names)}; got {wanted[:80]!r}",
            parameter="stage",
            remedy="Leave it out: the stage that was refused is meant.",
        )
    found = next((one for one in stages if one["status"] == "refused"), None)
    if row["status"] != "refused" or found is None:
        raise _not_refused(row["id"], str(row["status"]))
    if wanted is not None and wanted != found["name"]:
        raise InputError(
            f"stage: must be {found['name']}, which was refused; {wanted} was not",
            parameter="stage",
            remedy=f"--stage {found['name']}, or leave it out.",
        )
    return found


def _look_ahead(row: Row, refused: Row) -> None:
    """The run must be able to go on, and nothing may be served that has no stage of its own behind it to refuse it."""
    plan, table, name = Plan.from_json(row["plan"]), verbs(), refused["name"]
    if table[refused["verb"]].apply is not None:
        raise InputError(
            f"stage: {name} cannot be overridden: it would put to use what it found unfit for it",
            parameter="stage",
            remedy="Run the stages whose gates refused in one recipe with it, and override these.",
        )
    outputs = refused["outputs"] or {}
    for step in plan.steps[refused["position"] + 1 :]:
        for role, refs in step.wiring.items():
            expected = table[step.verb].inputs.get(role)
            if expected is None or expected.optional or expected.many:
                continue
            if lacking := [ref["role"] for ref in refs if ref.get("stage") == name and not outputs.get(ref["role"])]:
                raise InputError(
                    f"stage: {name} cannot be overridden: it made no {lacking[0]}, which {step.name} needs",
                    parameter="stage",
                    remedy=f"Change what {name} does or must reach, and run the recipe again.",
                )


def _not_refused(run: str, status: str) -> InputError:
    return InputError(
        f"run: must be one that a gate refused; {run} is {status}",
        parameter="run",
        remedy="`modelmint runs` says which runs are refused. An override is of one run: a new one needs its own.",
    )


def _reports(catalog: Catalog, stage: Row) -> list[Report]:
    made = (catalog.get(item) for ids in (stage["outputs"] or {}).values() for item in ids)
    return [one for one in made if isinstance(one, Report)]


def _published(catalog: Catalog, run: str, facts: JSON, parents: Mapping[str, str]) -> str:
    work = catalog.settings.scratch / new_id("report")
    desk = StagingDesk(
        folder=work / "staged", tenant=catalog.tenant, tenant_key=catalog.tenant_key, scratch=work / "desk"
    )
    try:
        made = desk.report(NAME, facts)
        catalog.publish(list(desk.drafts.values()), staged=desk.folder, run=run, role_parents=parents)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return made.id
