"""May this be sold, and if not, because of which parent? Asked of a dataset or a model, answered from its lineage.

What was collected carries the licence that its recipe stated; a model carries that of its base. Every other artifact
stands under those of its parents. `core.licences` reads them: a first reading, no legal advice.
"""

import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.lineage import Node, ancestors
from modelmint.core.licences import DISCLAIMER, Judgement, judge, together
from modelmint.core.types import JSON, Artifact, Dataset, Model

ABOUT = "modelmint.json"
MAX_ABOUT_BYTES = 1 << 20
COMPARED = ("test", "known", "live")
"""Roles whose rows a model does not learn from: it is measured on them, or compared with them."""
SAID = ("consent", "language", "source")
"""What a source tells beside its licence: in its facts, or where it was collected from (`measured["provenance"]`)."""
_STRICTEST_FIRST = ("no", "unknown", "conditions", "yes")

Path = tuple[Node, ...]


def verdict(catalog: Catalog, identifier: str) -> JSON:
    """Whether a dataset or model may be sold, and every source and base that says so.

    Returns:
        ``id``, ``kind``, ``name``; ``may_be_sold``: ``yes``, ``conditions``, ``no`` or ``unknown``; ``why``, a sentence;
        ``because``: each source and base, the strictest first, with ``artifact`` (None for a base), ``kind``, ``name``,
        ``licence``, ``verdict``, ``why``, ``used`` (``training``, or ``comparison`` where nothing was learned from it),
        ``path`` (from the artifact that was asked about down to this one) and, of a source, ``consent``, ``language``
        and ``source`` where they are known; ``obligations``; ``unknown``: names of what nobody stated; ``disclaimer``.

    Raises:
        NotFoundError: this tenant has none of that id.
    """
    asked = catalog.get(identifier)
    tree = ancestors(catalog, identifier)
    paths, learned = _paths(tree, ()), set(_paths(tree, COMPARED))
    known = {node: catalog.get(node) for node in paths}
    entries = [
        _entry(origin, paths[node], "training" if node in learned else "comparison")
        for node, artifact in known.items()
        for origin in _origins(artifact, [known[parent.id] for parent in paths[node][-1].parents])
    ]
    entries.sort(key=lambda entry: _STRICTEST_FIRST.index(entry["verdict"]))
    whole = together(judge(entry["licence"]) for entry in entries)
    return {
        "id": asked.id,
        "kind": asked.kind,
        "name": asked.name,
        "may_be_sold": whole.may_be_sold,
        "why": _why(entries, whole),
        "because": entries,
        "obligations": list(whole.obligations),
        "unknown": [entry["name"] for entry in entries if entry["verdict"] == "unknown"],
        "disclaimer": DISCLAIMER,
    }


@dataclass(frozen=True, kw_only=True)
class _Origin:
    """A licence that enters the lineage at an artifact: of a source, or of a base that is no artifact."""

    artifact: Artifact
    licence: str
    base: str | None = None


def _origins(artifact: Artifact, parents: Sequence[Artifact]) -> Iterator[_Origin]:
    """The licences that an artifact has not from its parents."""
    if not isinstance(artifact, Dataset | Model):
        return
    made_of = [parent for parent in parents if isinstance(parent, Dataset | Model)]
    inherited = {licence for parent in made_of for licence in parent.manifest["licences"]}
    own = [licence for licence in artifact.manifest["licences"] if licence not in inherited]
    about = _about(artifact) if isinstance(artifact, Model) else {}
    if about.get("base"):
        base = str(about.get("licence") or "unknown")
        own = [licence for licence in own if licence != base]
        yield _Origin(artifact=artifact, licence=base, base=str(about["base"]))
    for licence in own or ([] if made_of or about.get("base") else ["NOASSERTION"]):
        yield _Origin(artifact=artifact, licence=licence)


def _about(model: Model) -> Mapping[str, Any]:
    """What modelmint.json of a trained model says of its base; a variant's says no licence: its model has it."""
    if ABOUT not in model.paths() or model.facts.get("variant"):
        return {}
    with model.files.open(ABOUT) as stream:
        content = stream.read(MAX_ABOUT_BYTES)
    try:
        about = json.loads(content)
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def _entry(origin: _Origin, path: Path, used: str) -> JSON:
    judged, artifact = judge(origin.licence), origin.artifact
    steps: list[JSON] = [{"id": node.id, "kind": node.kind, "name": node.name, "role": node.role} for node in path]
    if origin.base is not None:
        steps.append({"id": None, "kind": "base", "name": origin.base, "role": "base"})
    told = {} if origin.base is not None else {**(artifact.measured.get("provenance") or {}), **artifact.facts}
    return {
        "artifact": None if origin.base is not None else artifact.id,
        "kind": "base" if origin.base is not None else artifact.kind,
        "name": origin.base or artifact.name,
        "licence": judged.licence,
        "verdict": judged.may_be_sold,
        "why": judged.why,
        "used": used,
        **{key: told[key] for key in SAID if told.get(key)},
        "path": steps,
    }


def _why(entries: Sequence[JSON], whole: Judgement) -> str:
    if not entries:
        return "nothing with a licence is in its lineage"
    deciding = [entry for entry in entries if entry["verdict"] == whole.may_be_sold]
    first = deciding[0]
    more = f", and {len(deciding) - 1} more say so" if len(deciding) > 1 else ""
    compared = ", though nothing was learned from it" if first["used"] == "comparison" else ""
    source = f" from {first['source']}" if first.get("source") else ""
    return f"{first['kind']} {first['name']}{source} ({first['licence']}): {first['why']}{compared}{more}"


def _paths(root: Node, without: Collection[str]) -> dict[str, Path]:
    """Every artifact that can be reached without these roles, with the shortest way to it."""
    whole = {node.id: node for node in _nodes(root) if not node.repeated}
    paths: dict[str, Path] = {root.id: (root,)}
    waiting = deque([root])
    while waiting:
        node = waiting.popleft()
        for parent in node.parents:
            if parent.id not in paths and parent.role not in without:
                drawn = whole[parent.id]
                step = Node(
                    id=parent.id,
                    kind=parent.kind,
                    name=parent.name,
                    role=parent.role,
                    run=parent.run,
                    parents=drawn.parents,
                )
                paths[parent.id] = (*paths[node.id], step)
                waiting.append(step)
    return paths


def _nodes(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.parents
