"""report: the model card and the page to send, from what was measured and from nothing else."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from modelmint.core import tables
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Model, Report
from modelmint.trust import figures as read
from modelmint.trust import telling
from modelmint.trust.card import card
from modelmint.trust.figures import Figures, Metric
from modelmint.trust.limits import limits
from modelmint.trust.page import page
from modelmint.trust.words import Language, Words

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class ReportSpec(Spec):
    """What a reader is told beside the figures."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)] | None = None
    """The heading; a plain one where it is not given."""
    intended_use: Line = ""
    """What the model is for, in a sentence or two."""
    contact: Line = ""
    """Whom a reader may ask."""
    language: Language = "en"
    """The language of both texts: en or zh."""
    dataset: Annotated[str, StringConstraints(pattern=r"^[\w.-]+(/[\w.-]+)?$")] | None = None
    """The public name of the data set, as on the Hugging Face hub, where it has one."""
    show_cost: bool = True
    """Whether the page states what a million calls cost; switch it off for a page that goes to customers."""
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s\"'`$<>\\]+$")] = "http://127.0.0.1:8000"
    """Where callers reach the API: used in the card's examples."""
    deploy: dict[str, Any] | None = Field(default=None, repr=False)
    """Filled from the recipe's deploy stage: the endpoint's name in the card's examples."""


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """What was made and what was measured. What an optional input would have told is left out."""

    model: Model
    variant: Model
    train: Dataset
    test: Dataset
    evaluation: Report
    compression: Report
    parity: Report
    validation: Dataset | None = None
    preflight: Report | None = None
    deidentification: Report | None = None
    training: Report | None = None
    curation: Report | None = None
    quarantine: tuple[Dataset, ...] = ()
    overrides: tuple[Report, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReportOutputs:
    """`card` is rendered as ``README.md`` and ``report.html``."""

    card: Report


def report(spec: ReportSpec, inputs: ReportInputs, ctx: StageContext) -> ReportOutputs:
    """Write the card and the page.

    The facts hold the headline figures and the limits; times stand in the renderings, which no digest covers.
    """
    ctx.say(0, 2, "reading the figures")
    figures = _figures(inputs)
    words = Words(spec.language, figures.task)
    title = spec.title or telling.title(figures, words)
    found = limits(figures, words)
    ctx.say(1, 2, "writing the card and the page")
    facts = {"title": title, "summary": _summary(figures, inputs.variant), "limits": found}
    renderings = {
        "README.md": card(spec, title, figures, found, words),
        "report.html": page(spec, title, figures, found, words),
    }
    return ReportOutputs(card=ctx.desk.report("card", facts, renderings=renderings))


def _figures(inputs: ReportInputs) -> Figures:
    model, preflight = inputs.model, inputs.preflight
    return Figures(
        name=model.name,
        digest=model.digest,
        task=str(inputs.evaluation.facts.get("task", model.facts.get("task", "text-classification"))),
        labels=model.facts.get("labels") or [],
        base=model.facts.get("base"),
        languages=model.facts.get("languages", []),
        licences=sorted(
            {*model.manifest["licences"], *inputs.train.manifest["licences"], *inputs.variant.manifest["licences"]}
        ),
        quality=read.quality(inputs.evaluation, _train_rows(inputs.train, inputs.evaluation)),
        variants=read.variants(inputs.compression, model),
        compression_refused=inputs.compression.facts.get("refused", []),
        parity=inputs.parity.facts,
        parity_measured=inputs.parity.measured,
        rows=read.rows(
            train=inputs.train,
            validation=inputs.validation,
            test=inputs.test,
            quarantine=inputs.quarantine,
            curation=inputs.curation,
        ),
        tokens=read.tokens(preflight, model.facts.get("max_tokens")),
        estimate=(preflight.measured.get("estimate") or {}) if preflight is not None else {},
        masked=inputs.deidentification.facts.get("masked", {}) if inputs.deidentification is not None else None,
        max_tokens=model.facts.get("max_tokens"),
        alike=(preflight.facts.get("labels") or {}).get("alike", []) if preflight is not None else [],
        trained=inputs.training.facts if inputs.training is not None else {},
        training=inputs.training.measured if inputs.training is not None else {},
        overrides=[word.facts for word in inputs.overrides],
    )


def _train_rows(train: Dataset, evaluation: Report) -> Counter[str]:
    """Label -> how many training rows have it; empty where nothing is said of labels one by one."""
    names = tables.column_names(train)
    if not evaluation.facts.get("per_class") or not {"label", "labels"} & set(names):
        return Counter()
    if "labels" in names:
        return Counter(str(label) for labels in tables.column(train, "labels") for label in labels or ())
    return Counter(str(label) for label in tables.column(train, "label"))


def _summary(figures: Figures, variant: Model) -> JSON:
    """The headline figures that are facts: those that a second run with the same seed gives again."""
    quality, rows = figures.quality, figures.rows
    chosen = figures.chosen
    return {
        "task": figures.task,
        "num_labels": len(figures.labels),
        "metrics": _values(quality.metrics),
        "baseline": {"name": quality.baseline_name, "metrics": _values(quality.baseline)}
        if quality.baseline_name
        else None,
        "weakest_labels": [row.label for row in quality.weak[:5]],
        "variant": chosen.name if chosen else variant.facts.get("variant"),
        "size_bytes": chosen.size_bytes if chosen else variant.size_bytes,
        "parity": {
            name: figures.parity[name]
            for name in ("num_rows", "agreement", "accuracy_model", "accuracy_served")
            if name in figures.parity
        },
        "rows": {
            "in": rows.num_in,
            "quarantined": sum(rows.reasons.values()),
            "train": rows.num_train,
            "validation": rows.num_validation,
            "test": rows.num_test,
        },
        "masked": sum(figures.masked.values()) if figures.masked is not None else None,
        "licences": list(figures.licences),
        "gates_passed": not figures.refused,
    }


def _values(metrics: Mapping[str, Metric]) -> JSON:
    return {name: {"value": one.value, "low": one.low, "high": one.high, "n": one.n} for name, one in metrics.items()}
