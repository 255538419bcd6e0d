"""Versions of datasets and models: comparing, naming, keeping, removing, and what their licences allow."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from modelmint.api.services import Shared, needs
from modelmint.business.keys import Key
from modelmint.catalog import names
from modelmint.core.types import JSON
from modelmint.data.diff import diff
from modelmint.loop.advice import advice
from modelmint.trust.licences import verdict

router = APIRouter(tags=["catalog"])

Admin = Annotated[Key, needs("admin")]


class AliasBody(BaseModel):
    """Where the name points."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    artifact: Annotated[str, Field(min_length=1, max_length=63)]
    """An artifact's id, or another name of it."""


class PinBody(BaseModel):
    """Why it is kept."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    reason: Annotated[str, Field(max_length=255)] = ""
    """A sentence for those who come later."""


class AdviceBody(BaseModel):
    """What is wanted of the training."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    task: Annotated[str, Field(max_length=63)] | None = None
    """What to train for; null is what the rows are for."""
    minutes: Annotated[float, Field(gt=0)] | None = None
    """The most that the training may take."""
    cost: Annotated[str, Field(max_length=63)] | None = None
    """The most that it may cost, like ``0.50 USD``, in place of minutes."""
    sell: bool = True
    """A model that may not be sold is of no use."""
    only_local: bool = False
    """Only bases that are on the server's machine."""
    probes: Annotated[int, Field(ge=0, le=20)] = 0
    """How many are tried, which takes two minutes at most; 0 ranks by what is known alone."""


@router.post("/v1/datasets/{identifier}/advice", dependencies=[needs("admin")])
def advise(identifier: str, body: AdviceBody, shared: Shared) -> JSON:
    """Every way to train for a dataset, ranked, with the reason for each."""
    asked = body.model_dump(exclude={"probes"})
    return advice(shared.catalog, shared.catalog.dataset(identifier), num_probed=body.probes, **asked)


@router.get("/v1/datasets/{before}/diff/{after}", dependencies=[needs("admin")])
def compare(before: str, after: str, shared: Shared) -> JSON:
    """What changed from one version to another: rows, labels, columns, statistics, a few examples."""
    return diff(shared.catalog.dataset(before), shared.catalog.dataset(after))


@router.get("/v1/artifacts/{identifier}/licences", dependencies=[needs("admin")])
def licences(identifier: str, shared: Shared) -> JSON:
    """May what was made here be sold, and if not, because of which parent? No legal advice."""
    return verdict(shared.catalog, identifier)


@router.get("/v1/aliases", dependencies=[needs("admin")])
def aliases(shared: Shared) -> JSON:
    """Every name of one's own with the artifact that it points to."""
    return {"object": "list", "data": list(names.list_aliases(shared.catalog))}


@router.put("/v1/aliases/{name}")
def set_alias(name: str, body: AliasBody, shared: Shared, key: Admin) -> JSON:
    """Point a name to an artifact, or move it there."""
    return names.set_alias(shared.catalog, name, body.artifact, actor=key.id)


@router.delete("/v1/aliases/{name}")
def remove_alias(name: str, shared: Shared, key: Admin) -> JSON:
    """Take a name away; the artifact stays."""
    names.remove_alias(shared.catalog, name, actor=key.id)
    return {"name": name, "artifact": None}


@router.put("/v1/artifacts/{identifier}/pin")
def pin(identifier: str, body: PinBody, shared: Shared, key: Admin) -> JSON:
    """Keep an artifact: it cannot be removed until it is unpinned."""
    return names.pin(shared.catalog, identifier, reason=body.reason, actor=key.id)


@router.delete("/v1/artifacts/{identifier}/pin")
def unpin(identifier: str, shared: Shared, key: Admin) -> JSON:
    """Take the pin off."""
    return names.unpin(shared.catalog, identifier, actor=key.id)


@router.delete("/v1/artifacts/{identifier}")
def remove(identifier: str, shared: Shared, key: Admin) -> JSON:
    """Drop an artifact's key and bytes; refused while it is pinned, named, served, or a run is under way."""
    return names.remove(shared.catalog, identifier, actor=key.id)
