"""Runs: their rows, their progress, and the one summary that the CLI, the API and Python all show."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.catalog.overrides import overrides_of
from modelmint.catalog.schema import overrides, run_stages, runs
from modelmint.core.clock import aware, now
from modelmint.core.errors import CancelledRunError, ModelmintError, NotFoundError
from modelmint.core.ids import new_id
from modelmint.core.types import JSON
from modelmint.loop import leases
from modelmint.loop.estimates import compared, past
from modelmint.loop.plan import Plan
from modelmint.loop.tracking.told import told_of

ENDED = ("succeeded", "failed", "refused", "cancelled")


def create_run(catalog: Catalog, plan: Plan) -> str:
    """Queue a run; a worker takes it up. Returns its id."""
    run = new_id("run")
    with writing(catalog.engine) as connection:
        connection.execute(
            runs.insert().values(
                id=run,
                tenant=catalog.tenant,
                name=plan.name,
                plan=plan.to_json(),
                status="queued",
                cancel_requested=False,
                created_at=now(),
            )
        )
        for position, step in enumerate(plan.steps):
            connection.execute(
                run_stages.insert().values(
                    tenant=catalog.tenant,
                    run=run,
                    position=position,
                    name=step.name,
                    verb=step.verb,
                    status="waiting",
                    cached=False,
                    done=0,
                    total=0,
                    message="",
                )
            )
    return run


def unfinished(catalog: Catalog, plan: Plan) -> str | None:
    """The newest run of this very plan that has not ended; none that a person let pass a gate, which is of that run."""
    query = sa.select(runs.c.id, runs.c.plan).where(
        runs.c.tenant == catalog.tenant,
        runs.c.name == plan.name,
        runs.c.status.not_in(ENDED),
        runs.c.cancel_requested.is_(False),
        runs.c.id.not_in(sa.select(overrides.c.run).where(overrides.c.tenant == catalog.tenant)),
    )
    with catalog.engine.connect() as connection:
        rows = connection.execute(query.order_by(runs.c.created_at.desc())).all()
    wanted = json.loads(json.dumps(plan.to_json()))
    return next((row.id for row in rows if row.plan == wanted), None)


def list_runs(catalog: Catalog, *, limit: int = 100) -> list[JSON]:
    """The newest runs first: id, name, status, times, and the stage that is under way."""
    query = (
        sa.select(runs)
        .where(runs.c.tenant == catalog.tenant)
        .order_by(runs.c.created_at.desc(), runs.c.id.desc())
        .limit(limit)
    )
    with catalog.engine.connect() as connection:
        found = connection.execute(query).mappings().all()
    return [_head(row) for row in found]


def run_row(catalog: Catalog, run: str) -> Mapping[str, Any]:
    """The row itself. Raises NotFoundError."""
    with catalog.engine.connect() as connection:
        row = (
            connection.execute(sa.select(runs).where(runs.c.tenant == catalog.tenant, runs.c.id == run))
            .mappings()
            .first()
        )
    if row is None:
        raise NotFoundError(f"{run}: no such run", parameter="run", remedy="`modelmint runs` lists them.")
    return dict(row)


def stage_rows(catalog: Catalog, run: str) -> Sequence[Mapping[str, Any]]:
    """The run's stages in order."""
    query = sa.select(run_stages).where(run_stages.c.tenant == catalog.tenant, run_stages.c.run == run)
    with catalog.engine.connect() as connection:
        return [dict(row) for row in connection.execute(query.order_by(run_stages.c.position)).mappings()]


def request_cancel(catalog: Catalog, run: str) -> JSON:
    """Ask a run to stop. One that no worker holds stops at once; the others within 2 s. Ended runs stay as they are."""
    row = run_row(catalog, run)
    if row["status"] not in ENDED:
        update_run(catalog, run, cancel_requested=True)
        with writing(catalog.engine) as connection:
            waiting = sa.and_(runs.c.tenant == catalog.tenant, runs.c.id == run, runs.c.status == "queued")
            connection.execute(runs.update().where(waiting).values(status="cancelled", finished_at=now()))
        if leases.living(catalog.engine) == 0:
            finish_run(catalog, run, "cancelled", CancelledRunError("cancelled while no worker ran"))
    return _head(run_row(catalog, run))


def update_run(catalog: Catalog, run: str, **values: Any) -> None:
    with writing(catalog.engine) as connection:
        connection.execute(runs.update().where(runs.c.tenant == catalog.tenant, runs.c.id == run).values(**values))


def update_stage(catalog: Catalog, run: str, position: int, **values: Any) -> None:
    place = sa.and_(run_stages.c.tenant == catalog.tenant, run_stages.c.run == run, run_stages.c.position == position)
    with writing(catalog.engine) as connection:
        connection.execute(run_stages.update().where(place).values(**values))


def finish_run(catalog: Catalog, run: str, status: str, error: ModelmintError | JSON | None = None) -> None:
    """Set the end of a run, once: an ended run is not changed."""
    body = error.to_dict() if isinstance(error, ModelmintError) else error
    open_run = sa.and_(runs.c.tenant == catalog.tenant, runs.c.id == run, runs.c.status.not_in(ENDED))
    with writing(catalog.engine) as connection:
        connection.execute(runs.update().where(open_run).values(status=status, error=body, finished_at=now()))


def outputs_by_role(catalog: Catalog, run: str) -> dict[str, list[str]]:
    """The run's artifacts by role: the ids of the newest output of each."""
    return {role: ids for row in stage_rows(catalog, run) for role, ids in (row["outputs"] or {}).items()}


def run_summary(catalog: Catalog, run: str) -> JSON:
    """The shape that scripts rely on (docs/reference)."""
    row, stages = run_row(catalog, run), stage_rows(catalog, run)
    ids = {role: found for stage in stages for role, found in (stage["outputs"] or {}).items()}
    body = _head(row) | {
        "stages": [
            {
                "name": stage["name"],
                "verb": stage["verb"],
                "status": stage["status"],
                "cached": stage["cached"],
                "seconds": stage["seconds"],
                "outputs": [item for found in (stage["outputs"] or {}).values() for item in found],
                "roles": stage["outputs"] or {},
            }
            for stage in stages
        ]
    }
    let_pass = [one.to_dict() for one in overrides_of(catalog, run)]
    return body | _figures(catalog, ids) | {"overrides": let_pass, "tracking": told_of(catalog, run)}


def _head(row: Mapping[Any, Any]) -> JSON:
    start, end = row["started_at"], row["finished_at"] or now()
    seconds = round((aware(end) - aware(start)).total_seconds(), 2) if start else 0.0
    return {
        "run": row["id"],
        "name": row["name"],
        "status": row["status"],
        "seconds": seconds,
        "created_at": aware(row["created_at"]).isoformat(),
        "error": row["error"]["error"] if row["error"] else None,
    }


def _figures(catalog: Catalog, ids: Mapping[str, Sequence[str]]) -> JSON:
    """What the reports of a run say, under the names that scripts rely on."""
    reports = {
        role: catalog.report(ids[role][0])
        for role in ("preflight", "search", "training", "evaluation", "compression", "parity", "release", "card")
        if ids.get(role)
    }
    facts = {role: report.facts for role, report in reports.items()}
    measured = {role: report.measured for role, report in reports.items()}
    timed = measured.get("compression", {}).get("variants", {})
    release = facts.get("release")
    estimate = measured.get("preflight", {}).get("estimate")
    actual = dict(measured.get("training", {}))
    actual.pop("pace", None)  # hundreds of points, which stay in the report
    return {
        "search": _study(facts["search"]) if "search" in facts else None,
        "figure": facts.get("evaluation", {}).get("figure"),
        "metrics": _main_first(facts.get("evaluation", {})),
        "baseline": _baseline(facts.get("evaluation", {}), measured.get("evaluation", {})),
        "gates": facts.get("evaluation", {}).get("gates", []),
        "variants": [
            variant | timed.get(variant["name"], {}) for variant in facts.get("compression", {}).get("variants", [])
        ],
        "failed_variants": facts.get("compression", {}).get("failed", []),
        "parity": facts.get("parity"),
        "deployment": active_revision(catalog, release["endpoint"], ids) if release else None,
        "estimate": estimate,
        "actual": actual or None,
        "estimate_error": compared(estimate, actual),
        "past_estimates": past(catalog) if estimate else {"runs": 0},
        "reports": {role: report.id for role, report in reports.items()},
    }


def _main_first(facts: JSON) -> JSON:
    """The figures, the task's main one first: facts are kept in the order of the alphabet."""
    metrics: JSON = facts.get("metrics", {})
    return dict(sorted(metrics.items(), key=lambda one: one[0] != facts.get("figure")))


def _baseline(facts: JSON, measured: JSON) -> JSON | None:
    """What the report says of it, with what it took."""
    found = facts.get("baseline")
    return {**found, **measured.get("baseline", {})} if found else None


def _study(facts: JSON) -> JSON:
    """A search in short."""
    names = ("metric", "best", "default", "importances", "counts", "ended_by")
    return {name: facts[name] for name in names}


def active_revision(catalog: Catalog, endpoint: str, ids: Mapping[str, Sequence[str]]) -> JSON | None:
    """The revision that this run's variant has at the endpoint."""
    from modelmint.catalog.schema import revisions

    query = sa.select(revisions.c.revision).where(
        revisions.c.tenant == catalog.tenant, revisions.c.endpoint == endpoint, revisions.c.variant == ids["variant"][0]
    )
    with catalog.engine.connect() as connection:
        found = connection.execute(query.order_by(revisions.c.revision.desc())).scalar()
    return {"endpoint": endpoint, "revision": found} if found is not None else None
