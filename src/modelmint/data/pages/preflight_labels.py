"""The part of preflight's page that shows labels: how even they are, the rare ones, the conflicts."""

from collections.abc import Sequence

from markupsafe import Markup

from modelmint.core import charts
from modelmint.core.charts import Said
from modelmint.core.formats import short
from modelmint.core.pages import Section, counts, examples, figure, table
from modelmint.core.types import JSON

MAX_LABELS = 20
MIN_COLUMNS, MAX_COLUMNS = 8, 120
MAX_SHOWN = 6


def label_sections(facts: JSON) -> list[Section]:
    """How labels, entities or numbers are spread; none for a task without."""
    labels = facts["labels"]
    if "numbers" in labels:
        rows = [[name, value] for name, value in labels["numbers"].items()]
        return [Section(heading="What is predicted", parts=[table(["of the numbers", "value"], rows)])]
    if not labels.get("counts"):
        return []
    ranked = sorted(labels["counts"].items(), key=lambda item: (-item[1], item[0]))
    total = sum(labels["counts"].values())
    rare = ", ".join(labels["rare"][:MAX_LABELS]) or "none"
    alike = "; ".join(" / ".join(names) for names in labels["alike"][:MAX_LABELS]) or "none"
    about = table(["", ""], [["rare labels", rare], ["labels that differ only in case or spaces", alike]])
    cut = f" The {MAX_LABELS} largest are listed." if len(ranked) > MAX_LABELS else ""
    tagged = facts["task"] == "token-classification"
    parts = [
        *(_columns(ranked) if len(ranked) > MIN_COLUMNS else []),
        counts(("entity" if tagged else "label", "found" if tagged else "rows"), ranked[:MAX_LABELS], total=total),
        about,
    ]
    if facts["conflicts"].get("examples"):
        rows = [[_some(one["rows"]), _some(sorted(set(one["labels"])))] for one in facts["conflicts"]["examples"]]
        parts.append(examples(["rows with one text", "their labels"], rows, caption="Conflicts"))
    kind = "kinds of entities" if tagged else "labels"
    return [Section(heading="Labels", note=f"{labels['num']:,} {kind}.{cut}", parts=parts)]


def _columns(ranked: Sequence[tuple[str, int]]) -> list[Markup]:
    heights = [(short(name), number / ranked[0][1]) for name, number in ranked[:MAX_COLUMNS]]
    said = Said(name="labels", title="Labels", about="One column a label, as high as its share of the largest one.")
    note = "The height is a label's share of the largest; below a twentieth it is hard to learn."
    return [figure(charts.columns(said, heights, weak_below=1 / 20), "Labels, the largest first", note)]


def _some(names: Sequence[str]) -> str:
    return " | ".join(names[:MAX_SHOWN]) + (f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else "")
