"""What the card and the page say alike, and how text is made safe for each."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from modelmint.core import formats
from modelmint.core.figures import written
from modelmint.core.formats import percent, short
from modelmint.trust.figures import TRAINED, Figures, VariantFigures, interval
from modelmint.trust.tasks import ROWS, TASKS
from modelmint.trust.words import Words

if TYPE_CHECKING:
    from jinja2 import Environment

_MARKED = re.compile(r"([\\`*\[\]|~$])|(?<!\w)(_)|(_)(?!\w)")
_BEGINNING = re.compile(r"^(\s*)([#+-]|\d+(?=[.)]))")


def environment(kind: Literal["html", "md"], words: Words) -> "Environment":
    """Jinja2 over this room's templates: HTML is escaped by itself, Markdown by the filter `md`; no name may miss."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    jinja = Environment(
        loader=ChoiceLoader([PackageLoader("modelmint.trust"), PackageLoader("modelmint.core")]),
        autoescape=kind == "html",  # noqa: S701  # Markdown is escaped by `md`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    jinja.globals["t"] = words
    jinja.filters |= {
        "md": markdown,
        "short": short,
        "breakable": formats.breakable,
        "percent": percent,
        "count": lambda number: f"{number:,}",
        "size": formats.size,
        "interval": interval,
        "ms": formats.milliseconds,
    }
    return jinja


def markdown(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no heading, no link, one line."""
    flat = (
        " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("://", "&#58;//")
    )
    marked = _MARKED.sub(lambda found: f"\\{found[0]}", flat)
    return _BEGINNING.sub(lambda found: f"{found[1]}\\{found[2]}" if not found[2].isdigit() else found[0], marked)


def title(figures: Figures, words: Words) -> str:
    """A plain heading."""
    if figures.task == "text-classification":
        return words("title", n=f"{len(figures.labels):,}")
    return TASKS.get(figures.task, ROWS).title[words.language == "zh"]


def lead(figures: Figures, words: Words) -> str:
    """What it is and how good, in two sentences."""
    quality = figures.quality
    main, cheap = quality.main, quality.baseline.get(quality.figure)
    if main is None:
        return ""
    value, n = written(quality.figure, main.value), f"{main.n or 0:,}"
    if figures.task == "text-classification" and quality.figure == "accuracy":
        sentences = [words("lead", labels=f"{len(figures.labels):,}", n=n, accuracy=value)]
    else:
        does = TASKS.get(figures.task, ROWS).does[words.language == "zh"]
        sentences = [
            words("lead_task", does=does, n=n, figure=figure_within(quality.figure, words), value=value).strip()
        ]
    if cheap is not None:
        baseline = written(quality.figure, cheap.value)
        sentences.append(words("lead_baseline", baseline=baseline, name=baseline_name(figures, words)))
    return ("" if words.language == "zh" else " ").join(sentences)


def figure_within(name: str, words: Words) -> str:
    """A figure's name within a sentence: ``accuracy``, but ``BLEU``."""
    called = words.figure(name)
    return called[0].lower() + called[1:] if called[1:2].islower() else called


def baseline_name(figures: Figures, words: Words) -> str:
    """``Cheap baseline (TF-IDF and logistic regression)``."""
    return words("baseline_named", name=baseline_way(figures, words))


def baseline_way(figures: Figures, words: Words) -> str:
    """How the baseline works, in words where its name is known."""
    name = figures.quality.baseline_name or "?"
    key = f"way_{name}"
    return words(key) if words.has(key) else name


def kept(figures: Figures, words: Words) -> str:
    """How many of the rows that came in were kept."""
    rows = figures.rows
    num_kept = rows.num_in - sum(rows.reasons.values())
    return words(
        "kept",
        n=f"{num_kept:,}",
        total=f"{rows.num_in:,}",
        share=percent(num_kept / rows.num_in if rows.num_in else 0.0),
    )


def masked(figures: Figures, words: Words) -> str:
    """Kinds and counts of what was masked; empty when nobody looked."""
    if figures.masked is None:
        return ""
    found = [
        f"{words.masked(kind)} {count:,}"
        for kind, count in sorted(figures.masked.items(), key=lambda item: -item[1])
        if count
    ]
    return ("、" if words.language == "zh" else ", ").join(found) if found else words("masked_none")


def parity(figures: Figures, words: Words) -> str:
    """What went through the endpoint and what came back; empty without those figures."""
    facts = figures.parity
    if not {"accuracy_model", "accuracy_served"} <= set(facts) and {"num_rows", "agreement"} <= set(facts):
        return words("parity_plain", n=f"{facts['num_rows']:,}", agreement=percent(facts["agreement"], 2))
    if not {"num_rows", "agreement", "accuracy_model", "accuracy_served"} <= set(facts):
        return ""
    return words(
        "parity_text",
        n=f"{facts['num_rows']:,}",
        agreement=percent(facts["agreement"], 2),
        served=percent(facts["accuracy_served"]),
        trained=percent(facts["accuracy_model"]),
    )


def form(variant: VariantFigures, words: Words) -> str:
    """A variant's name; the trained model among them is called so."""
    return words("as_trained") if variant.name == TRAINED else variant.name


def parameters(figures: Figures, words: Words) -> str:
    """``22.7 million``; empty when it was not counted."""
    number = figures.trained.get("parameters")
    return words("million", n=f"{number / 1e6:,.1f}") if number else ""


def kept_epoch(figures: Figures, words: Words) -> str:
    """Which epoch's state became the model; empty when it is not known."""
    best, epochs = figures.trained.get("best_epoch"), figures.trained.get("epochs")
    return words("kept_epoch", best=best, epochs=epochs) if best and epochs else ""


def gates(figures: Figures, words: Words) -> list[Sequence[str]]:
    """Rows of the table of gates: of evaluation, then of parity."""
    return [
        (
            _gate_name(str(gate["name"]), words),
            str(gate["allowed"]).replace(">=", "≥").replace("<=", "≤"),
            words("not_computed") if gate.get("value") is None else f"{gate['value']:.4g}",
            words("passed") if gate.get("passed") else words("failed"),
        )
        for gate in [*figures.quality.gates, *figures.parity.get("gates", [])]
    ]


def licence(figures: Figures, words: Words) -> str:
    """The licences that came down the lineage."""
    return words("licence_note", licences=", ".join(figures.licences)) if figures.licences else words("licence_none")


def _gate_name(name: str, words: Words) -> str:
    key = f"gate_{name}"
    return words(key) if words.has(key) else name.replace("_", " ")
