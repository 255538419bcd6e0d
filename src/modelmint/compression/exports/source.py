"""What an export is made from: the trained model, its variants, and the reports that say what it is worth."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.schema import artifacts, parents
from modelmint.core.errors import InputError
from modelmint.core.types import JSON, Artifact, Model, Report
from modelmint.training.tasks.table import read_about

Say = Callable[[int, int, str], None]

TUNING = "tuning"
"""The folder inside a trained model for what a tuning method could not merge into the weights."""
OWN_FAMILIES = ("modelmint-lstm", "modelmint-lstm-writer", "modelmint-text-cnn")
"""Models that transformers alone does not know."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A trained model as its exports see it.

    `folder` holds its files; `about` is its modelmint.json; `verdict` is what its licences allow (`trust.licences`).
    """

    model: Model
    folder: Path
    about: JSON
    verdict: JSON
    variant: Model | None = None
    """The one that was asked for by its id."""
    variant_name: str | None = None
    base: str | None = None
    """Where the base is, if not where the model says."""
    reports: Mapping[str, Report] = field(default_factory=dict)
    """The newest of each name that was made of the model: evaluation, compression, parity, card; and its training."""
    variants: Sequence[Model] = ()

    @property
    def task(self) -> str:
        return str(self.about["task"])

    @property
    def method(self) -> str:
        """The tuning method; empty where the training's report is not known."""
        report = self.reports.get("training")
        return str(report.facts.get("hyperparameters", {}).get("method", {}).get("name", "")) if report else ""

    def fact(self, name: str) -> JSON:
        """The facts of a report; empty where there is none."""
        report = self.reports.get(name)
        return report.facts if report is not None else {}


@dataclass(kw_only=True)
class Written:
    """What a format's writer tells: how to use the folder (Markdown), what was checked, what one should know."""

    usage: str
    checks: JSON = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    licences: list[str] = field(default_factory=list)
    """Those that the variant has beside the model's: of another base."""
    usage_zh: str = ""
    """Chinese, where the README has both."""


def read_source(catalog: Catalog, identifier: str, *, verdict: JSON, variant: str | None, base: str | None) -> Source:
    """The source of an export.

    Args:
        identifier: a trained model or one of its variants, by id or name.
        variant: the name of one of its variants, such as onnx-int8; the chosen one where it is not given.

    Raises:
        NotFoundError: there is no such model.
        InputError: it is a variant whose model is gone, or no model that `train` made.
    """
    asked = catalog.model(identifier)
    given = asked if asked.facts.get("variant") else None
    model = _trained(catalog, asked) if given is not None else asked
    folder = model.files.folder()
    children = list(_children(catalog, model))
    return Source(
        model=model,
        folder=folder,
        about=read_about(folder),
        verdict=verdict,
        variant=given,
        variant_name=variant,
        base=base,
        reports=_reports(catalog, model, children),
        variants=[one for one in children if isinstance(one, Model) and one.facts.get("variant")],
    )


def chosen_variant(source: Source) -> Model:
    """The variant to export: the one that was asked for, else the one that `compress` chose last.

    Raises:
        InputError: there is none, or none of that name.
    """
    if source.variant is not None and source.variant_name in (None, source.variant.facts["variant"]):
        return source.variant
    wanted = source.variant_name or source.fact("compression").get("chosen")
    found = next((one for one in source.variants if one.facts["variant"] == wanted), None)
    if found is not None:
        return found
    names = sorted({str(one.facts["variant"]) for one in source.variants})
    if names:
        raise InputError(
            f"variant: must be one of {', '.join(names)}; "
            + (f"got {wanted}" if wanted else "none was named, and none passed its gates"),
            parameter="variant",
            remedy=f"Name one: --variant {names[0]}.",
        )
    raise InputError(
        "model: must have a variant for serving; this one has none",
        parameter="model",
        remedy=f"Make one: modelmint stage compress --input model={source.model.id} --input validation=ID "
        "--input test=ID; or a recipe with the stage `compress`.",
    )


def refuse_variant(source: Source, form: str) -> None:
    """
    Raises:
        InputError: a variant was asked for in a format that is made from the trained weights.
    """
    if source.variant is not None or source.variant_name is not None:
        raise InputError(
            f"model: must be the trained model itself for {form}; got the variant "
            f"{source.variant_name or (source.variant.facts['variant'] if source.variant else '')}",
            parameter="model",
            remedy=f"modelmint export {source.model.id} FOLDER --as {form}; variants go out by --as edge.",
        )


def _trained(catalog: Catalog, variant: Model) -> Model:
    for parent in variant.manifest.get("parents", ()):
        if parent["role"] == "model":
            return catalog.model(parent["id"])
    raise InputError(
        f"model: the variant {variant.id} does not say which trained model it was made from",
        parameter="model",
        remedy="Give the trained model itself: `modelmint models` lists them.",
    )


def _children(catalog: Catalog, model: Model) -> Iterator[Artifact]:
    """What was made of the model in the role `model`, the newest first."""
    query = (
        sa.select(parents.c.child)
        .join(artifacts, sa.and_(artifacts.c.id == parents.c.child, artifacts.c.tenant == parents.c.tenant))
        .where(parents.c.tenant == catalog.tenant, parents.c.parent == model.id, parents.c.role == "model")
        .order_by(artifacts.c.created_at.desc(), artifacts.c.id.desc())
    )
    with catalog.engine.connect() as connection:
        found = connection.execute(query).scalars().all()
    return (catalog.get(identifier) for identifier in found)


def _reports(catalog: Catalog, model: Model, children: Sequence[Artifact]) -> dict[str, Report]:
    found: dict[str, Report] = {}
    for one in children:
        if isinstance(one, Report):
            found.setdefault(one.name, one)
    made_with = _sibling(catalog, model, "training")
    return found | ({"training": made_with} if made_with is not None else {})


def _sibling(catalog: Catalog, model: Model, name: str) -> Report | None:
    """The report of that name that the model's own stage made."""
    run = model.manifest.get("run")
    if not run:
        return None
    query = sa.select(artifacts.c.id).where(
        artifacts.c.tenant == catalog.tenant,
        artifacts.c.run == run,
        artifacts.c.kind == "report",
        artifacts.c.name == name,
    )
    with catalog.engine.connect() as connection:
        ids = connection.execute(query).scalars().all()
    wanted: list[Any] = model.manifest.get("parents", [])
    for one in (catalog.get(identifier) for identifier in ids):
        if isinstance(one, Report) and one.manifest.get("parents") == wanted:
            return one
    return None
