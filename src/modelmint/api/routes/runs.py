"""Runs: list, look, cancel."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from modelmint.api.services import Shared, needs
from modelmint.business.keys import Key
from modelmint.core.types import JSON
from modelmint.loop.improve import improve_plan
from modelmint.loop.override import MAX_REASON_CHARS, override
from modelmint.loop.runs import create_run, list_runs, request_cancel, run_summary, unfinished

router = APIRouter(tags=["runs"], dependencies=[needs("admin")])


class OverrideBody(BaseModel):
    """Why a refused gate may pass."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    reason: Annotated[str, Field(min_length=1, max_length=MAX_REASON_CHARS)]
    """In words; it is kept for good, with the key that said so."""
    stage: Annotated[str, Field(max_length=255)] | None = None
    """The stage that was refused; it may be left out."""


@router.get("/v1/runs")
def runs(shared: Shared, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> JSON:
    """The newest runs first."""
    return {"object": "list", "data": list_runs(shared.catalog, limit=limit)}


@router.post("/v1/deployments/{endpoint}/improve", status_code=202)
def improve(endpoint: str, shared: Shared) -> JSON:
    """Learn from the endpoint's feedback: queues a run that trains, compares with the live model, promotes or refuses."""
    plan = improve_plan(shared.catalog, endpoint)
    run = unfinished(shared.catalog, plan) or create_run(shared.catalog, plan)
    return run_summary(shared.catalog, run)


@router.get("/v1/runs/{run}")
def run(run: str, shared: Shared) -> JSON:
    """One run: its stages, figures and outputs."""
    return run_summary(shared.catalog, run)


@router.post("/v1/runs/{run}/cancel")
def cancel(run: str, shared: Shared) -> JSON:
    """Ask a run to stop; a run that has ended stays as it is."""
    return request_cancel(shared.catalog, run)


@router.post("/v1/runs/{run}/override", status_code=202)
def let_pass(run: str, body: OverrideBody, shared: Shared, key: Annotated[Key, needs("override")]) -> JSON:
    """Let a refused gate of a run pass and queue the run again; the verdicts stay. Needs `admin` and `override`."""
    override(shared.catalog, run, reason=body.reason, stage=body.stage, actor=f"{key.id} ({key.name})"[:255])
    return run_summary(shared.catalog, run)
