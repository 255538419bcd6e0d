"""What came from what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.schema import artifacts, parents


@dataclass(frozen=True, kw_only=True)
class Node:
    """An artifact in a lineage tree and what it was made from. `repeated`: its parents are drawn elsewhere in the tree."""

    id: str
    kind: str
    name: str
    role: str
    run: str | None
    parents: Sequence["Node"]
    repeated: bool = False

    def to_dict(self) -> dict[str, Any]:
        own = {"id": self.id, "kind": self.kind, "name": self.name, "role": self.role, "run": self.run}
        return own | {"repeated": self.repeated, "parents": [node.to_dict() for node in self.parents]}


def ancestors(catalog: Catalog, identifier: str) -> Node:
    """The tree of everything that an artifact was made from.

    Raises:
        NotFoundError: this tenant has none of that id.
    """
    identifier = catalog.get(identifier).id  # also of a name
    edges: dict[str, list[tuple[str, str]]] = {}
    frontier, seen = {identifier}, {identifier}
    while frontier:  # one query a generation
        found = _rows(
            catalog, sa.select(parents).where(parents.c.tenant == catalog.tenant, parents.c.child.in_(frontier))
        )
        for row in found:
            edges.setdefault(row["child"], []).append((row["role"], row["parent"]))
        frontier = {row["parent"] for row in found} - seen
        seen |= frontier
    known = {
        row["id"]: row
        for row in _rows(
            catalog,
            sa.select(artifacts.c.id, artifacts.c.kind, artifacts.c.name, artifacts.c.run).where(
                artifacts.c.tenant == catalog.tenant, artifacts.c.id.in_(seen)
            ),
        )
    }
    drawn: set[str] = set()

    def node(current: str, role: str) -> Node:
        row, repeated = known[current], current in drawn
        drawn.add(current)
        below = [] if repeated else [node(parent, kind) for kind, parent in sorted(edges.get(current, []))]
        return Node(
            id=current,
            kind=row["kind"],
            name=row["name"],
            role=role,
            run=row["run"],
            parents=below,
            repeated=repeated and current in edges,
        )

    return node(identifier, "")


def descendants(catalog: Catalog, identifier: str) -> Sequence[str]:
    """The ids of everything that was made from an artifact, directly or not: the models trained on a row's dataset."""
    frontier, seen = {identifier}, {identifier}
    while frontier:
        found = _rows(
            catalog,
            sa.select(parents.c.child).where(parents.c.tenant == catalog.tenant, parents.c.parent.in_(frontier)),
        )
        frontier = {row["child"] for row in found} - seen
        seen |= frontier
    return sorted(seen - {identifier})


def _rows(catalog: Catalog, query: sa.Select[Any]) -> Sequence[Mapping[Any, Any]]:
    with catalog.engine.connect() as connection:
        return connection.execute(query).mappings().all()
