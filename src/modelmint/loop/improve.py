"""Turning an endpoint's feedback into a plan (`feedback/improve.py` writes the recipe)."""

from collections.abc import Sequence
from pathlib import Path

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.deployments import list_deployments, unknown_endpoint
from modelmint.core.types import JSON
from modelmint.feedback.improve import improvement
from modelmint.feedback.snapshot import snapshot
from modelmint.loop.document import Document
from modelmint.loop.plan import Plan
from modelmint.loop.recipe import compile_document
from modelmint.loop.runs import outputs_by_role, run_row


def improve_plan(catalog: Catalog, endpoint: str) -> Plan:
    """The plan that learns from the feedback on an endpoint.

    Raises:
        NotFoundError: no such endpoint.
        InputError: it has no feedback, or its revision was not made by a run.
    """
    active = {deployment.active.endpoint: deployment.active for deployment in list_deployments(catalog)}
    if endpoint not in active:
        raise unknown_endpoint(endpoint, list(active))
    run = active[endpoint].run
    steps: list[JSON] = []
    roles: dict[str, Sequence[str]] = {}
    if run is not None:
        before = Plan.from_json(run_row(catalog, run)["plan"])
        steps = [{"verb": step.verb, "spec": step.spec} for step in before.steps]
        roles = {**before.inputs, **outputs_by_role(catalog, run)}
    value = improvement(endpoint=endpoint, steps=steps, roles=roles, feedback=snapshot(catalog, endpoint))
    return compile_document(Document(file=Path(f"improve-{endpoint}.yaml"), value=value, lines={}))
