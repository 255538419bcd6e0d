"""What an id that is compared stands for: a training, what judged it, and the stages that led to it."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.lineage import Node, ancestors
from modelmint.catalog.schema import aliases, artifacts, parents
from modelmint.core.errors import InputError, NotFoundError
from modelmint.core.ids import kind_of
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.loop.plan import Plan, Step
from modelmint.loop.runs import list_runs, run_row, stage_rows

CLASSIFICATION = "text-classification"


@dataclass(frozen=True, kw_only=True)
class Side:
    """A run, or a training within one. What it has not is None; `steps` lead to it, in their order."""

    id: str
    name: str
    run: str | None
    status: str | None
    seconds: float | None
    seed: int | None
    steps: Sequence[Step]
    model: Model | None
    training: Report | None
    evaluation: Report | None
    predictions: Dataset | None
    compression: Report | None
    card: Report | None
    data: Mapping[str, Dataset]
    """Role -> what the model learned from and was judged on."""

    @property
    def task(self) -> str | None:
        for report in (self.training, self.evaluation):
            if report is not None:
                return str(report.facts.get("task", CLASSIFICATION))
        return None

    @property
    def licences(self) -> list[str]:
        return list(self.model.manifest["licences"]) if self.model is not None else []


def side_of(catalog: Catalog, identifier: str) -> Side:
    """What a run, a model, or the report of a training or an evaluation stands for; a name of one's own does too.

    Raises:
        NotFoundError: there is none of that id or name; near ones are named.
        InputError: it is something else, such as a dataset.
    """
    if kind_of(identifier) == "run":
        return _of_run(catalog, identifier)
    try:
        found = catalog.get(identifier)
    except NotFoundError as error:
        raise _unknown(catalog, identifier) from error
    if isinstance(found, Model):
        return _of_model(catalog, _trained(catalog, found), found.id)
    if isinstance(found, Report) and found.name == "training":
        row = next((one for one in _made(catalog, found) if found.id in _outputs(one, "training")), None)
        if row is not None and _outputs(row, "model"):
            return _of_model(catalog, catalog.model(_outputs(row, "model")[0]), found.id)
    if isinstance(found, Report) and found.name == "evaluation" and (model := _parent(found, "model")):
        return _of_model(catalog, catalog.model(model), found.id, evaluation=found)
    raise InputError(
        f"id: must be a run, a model, or the report of a training or an evaluation; {identifier} is the "
        f"{found.kind} {found.name}",
        parameter="id",
        remedy="`modelmint runs` and `modelmint models` list them.",
    )


def _of_run(catalog: Catalog, identifier: str) -> Side:
    try:
        row = run_row(catalog, identifier)
    except NotFoundError as error:
        raise _unknown(catalog, identifier) from error
    stages = stage_rows(catalog, identifier)
    roles = {role: ids for stage in stages for role, ids in (stage["outputs"] or {}).items() if ids}
    plan = Plan.from_json(row["plan"])
    model = catalog.model(roles["model"][0]) if "model" in roles else None
    evaluation = _report(catalog, roles, "evaluation")
    if model is None and evaluation is not None:
        model = catalog.model(str(_parent(evaluation, "model")))
    training = _report(catalog, roles, "training")
    return Side(
        id=identifier,
        name=str(row["name"]),
        run=identifier,
        status=str(row["status"]),
        seconds=_seconds(row),
        seed=plan.seed,
        steps=plan.steps,
        model=model,
        training=training,
        evaluation=evaluation,
        predictions=catalog.dataset(roles["predictions"][0]) if "predictions" in roles else None,
        compression=_report(catalog, roles, "compression"),
        card=_report(catalog, roles, "card"),
        data=_data(catalog, model, evaluation),
    )


def _of_model(catalog: Catalog, model: Model, identifier: str, *, evaluation: Report | None = None) -> Side:
    rows = _made(catalog, model)
    own = next((row for row in rows if model.id in _outputs(row, "model")), None)
    evaluation = evaluation or _judged(catalog, model)
    led = _ids(ancestors(catalog, model.id)) | {evaluation.id if evaluation is not None else ""}
    run = model.manifest["run"] if own is not None else None
    plan = Plan.from_json(run_row(catalog, run)["plan"]) if run else None
    kept = [row["position"] for row in rows if led & {item for ids in (row["outputs"] or {}).values() for item in ids}]
    training = _outputs(own, "training") if own is not None else []
    return Side(
        id=identifier,
        name=f"{plan.name}.{own['name']}" if plan is not None and own is not None else model.name,
        run=run,
        status=None,
        seconds=None,
        seed=plan.seed if plan is not None else None,
        steps=[plan.steps[at] for at in kept] if plan is not None else [],
        model=model,
        training=catalog.report(training[0]) if training else None,
        evaluation=evaluation,
        predictions=_answers(catalog, evaluation) if evaluation is not None else None,
        compression=None,
        card=None,
        data=_data(catalog, model, evaluation),
    )


def _trained(catalog: Catalog, model: Model) -> Model:
    """Of a variant, the model that was trained."""
    while "variant" in model.facts and (above := _parent(model, "model")):
        model = catalog.model(above)
    return model


def _data(catalog: Catalog, model: Model | None, evaluation: Report | None) -> dict[str, Dataset]:
    found = {}
    for artifact, roles in ((model, ("train", "validation")), (evaluation, ("test",))):
        for role in roles:
            if artifact is not None and (parent := _parent(artifact, role)):
                found[role] = catalog.dataset(parent)
    return found


def _judged(catalog: Catalog, model: Model) -> Report | None:
    """The newest evaluation of a model."""
    found = _children(catalog, model.id, "model", "evaluation")
    return catalog.report(found[0]) if found else None


def _answers(catalog: Catalog, evaluation: Report) -> Dataset | None:
    """What was answered for an evaluation: its sibling."""
    model, test = _parent(evaluation, "model"), _parent(evaluation, "test")
    for identifier in _children(catalog, str(model), "model", "predictions"):
        found = catalog.dataset(identifier)
        if _parent(found, "test") == test and found.manifest["run"] == evaluation.manifest["run"]:
            return found
    return None


def _children(catalog: Catalog, parent: str, role: str, name: str) -> list[str]:
    query = (
        sa.select(artifacts.c.id)
        .join(parents, parents.c.child == artifacts.c.id)
        .where(
            artifacts.c.tenant == catalog.tenant,
            artifacts.c.name == name,
            parents.c.parent == parent,
            parents.c.role == role,
        )
        .order_by(artifacts.c.created_at.desc(), artifacts.c.id.desc())
    )
    with catalog.engine.connect() as connection:
        return [str(one) for one in connection.execute(query).scalars()]


def _parent(artifact: Model | Report | Dataset, role: str) -> str | None:
    return next((str(one["id"]) for one in artifact.manifest.get("parents", ()) if one["role"] == role), None)


def _made(catalog: Catalog, artifact: Model | Report) -> Sequence[Mapping[str, Any]]:
    """The stages of the run that made it."""
    run = artifact.manifest.get("run")
    return stage_rows(catalog, run) if run else ()


def _outputs(row: Mapping[str, Any], role: str) -> list[str]:
    return list((row["outputs"] or {}).get(role, ()))


def _report(catalog: Catalog, roles: Mapping[str, Sequence[str]], role: str) -> Report | None:
    return catalog.report(roles[role][0]) if role in roles else None


def _ids(node: Node) -> set[str]:
    return {node.id}.union(*(_ids(parent) for parent in node.parents))


def _seconds(row: Mapping[str, Any]) -> float | None:
    start, end = row["started_at"], row["finished_at"]
    return round((end - start).total_seconds(), 2) if start and end else None


def _unknown(catalog: Catalog, identifier: str) -> NotFoundError:
    runs: list[JSON] = list_runs(catalog, limit=500)
    named = [str(run["run"]) for run in runs if run["name"] == identifier]
    with catalog.engine.connect() as connection:
        names = connection.execute(sa.select(aliases.c.name).where(aliases.c.tenant == catalog.tenant)).scalars().all()
        others = sa.select(artifacts.c.id).where(
            artifacts.c.tenant == catalog.tenant,
            sa.or_(artifacts.c.kind == "model", artifacts.c.name.in_(("training", "evaluation"))),
        )
        known = [*(str(run["run"]) for run in runs), *names, *connection.execute(others).scalars()]
    near = named or [one for one in known if one.startswith(identifier)]
    near = near or difflib.get_close_matches(identifier, known, n=1, cutoff=0.8)
    return NotFoundError(
        f"{identifier}: no such run, model or report",
        parameter="id",
        remedy=f"Did you mean {near[0]}?" if near else "`modelmint runs` and `modelmint models` list what there is.",
    )
