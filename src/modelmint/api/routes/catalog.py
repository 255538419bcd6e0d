"""Artifacts and deployments."""

from typing import Annotated

from fastapi import APIRouter

from modelmint.api.services import Shared, needs
from modelmint.business.keys import Key
from modelmint.catalog.deployments import list_deployments, rollback
from modelmint.core.types import JSON

router = APIRouter(tags=["catalog"])


@router.get("/v1/artifacts/{identifier}", dependencies=[needs("admin")])
def artifact(identifier: str, shared: Shared) -> JSON:
    """The manifest of a dataset, model or report, without where its bytes lie."""
    found = shared.catalog.get(identifier)
    files = [{name: file[name] for name in ("path", "sha256", "size_bytes")} for file in found.manifest["files"]]
    return {**found.manifest, "files": files}


@router.get("/v1/deployments", dependencies=[needs("admin")])
def deployments(shared: Shared) -> JSON:
    """Every endpoint with its active revision."""
    return {"object": "list", "data": [each.to_dict() for each in list_deployments(shared.catalog)]}


@router.post("/v1/deployments/{endpoint}/rollback")
def roll_back(endpoint: str, shared: Shared, key: Annotated[Key, needs("admin")]) -> JSON:
    """Return to the revision that was active before; takes effect within a second and loses no request."""
    return rollback(shared.catalog, endpoint, actor=key.id).to_dict()
