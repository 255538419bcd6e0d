"""Which variants may be released: those that a parity report let through."""

from dataclasses import dataclass

import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.schema import artifacts, parents
from modelmint.core.errors import GateError
from modelmint.core.types import Report


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The parity report that let a variant through, and the model it was compared with."""

    parity: str
    model: str


def released(catalog: Catalog, variant: str) -> Proof:
    """The newest parity report of a variant that passed.

    Raises:
        NotFoundError: no such artifact.
        GateError: no parity report let it through.
    """
    catalog.model(variant)
    query = (
        sa.select(parents.c.child)
        .join(artifacts, artifacts.c.id == parents.c.child)
        .where(
            parents.c.tenant == catalog.tenant,
            parents.c.parent == variant,
            parents.c.role == "variant",
            artifacts.c.name == "parity",
        )
        .order_by(artifacts.c.created_at.desc())
    )
    with catalog.engine.connect() as connection:
        found = connection.execute(query).scalars().all()
    for identifier in found:
        report = catalog.get(identifier)
        if isinstance(report, Report) and not report.facts.get("refused"):
            model = next(parent["id"] for parent in report.manifest["parents"] if parent["role"] == "model")
            return Proof(parity=identifier, model=model)
    raise GateError(
        f"variant: {variant} has no parity report that let it through",
        parameter="variant",
        remedy="Run a recipe with the stages compress and parity; it names the variant that may be deployed.",
    )
