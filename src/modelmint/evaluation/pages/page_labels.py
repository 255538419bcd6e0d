"""The part of an evaluation's page that is of labels and rows: what is mixed up, calibration, errors, answers."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from modelmint.core import charts
from modelmint.core.charts import Said
from modelmint.core.figures import title_of
from modelmint.core.formats import percent
from modelmint.core.pages import Section, examples, figure, medium, pair, table
from modelmint.evaluation.pages.drawings import heat_map
from modelmint.evaluation.pages.page_words import low

MAX_CONFUSIONS = 12
MAX_WORST = 15
BESIDE = 10
"""With so few labels what is mixed up stands beside the picture."""
WEAK_BELOW = 0.8


def confusions_section(facts: Mapping[str, Any]) -> Section | None:
    """What is taken for what; None where rows have no single label."""
    heat = facts.get("heat")
    if not heat or len(heat["labels"]) < 2:
        return None
    num_wrong = sum(sum(row) for row in heat["counts"]) - sum(row[at] for at, row in enumerate(heat["counts"]))
    which = f"the {len(heat['labels'])} labels that are mixed up most, the most first" if heat["num_others"] else "all labels"  # fmt: skip
    parts = [figure(heat_map(heat), "Right label and given label", f"A row for each right label, a column for each given one; {which}. Darker is a larger share of the row.")]  # fmt: skip
    if mixed := facts["confusions"][:MAX_CONFUSIONS]:
        rows = [[one["truth"], one["predicted"], one["count"]] for one in mixed]
        parts.append(table(["right label", "taken for", "rows"], rows, caption="Most frequent confusions"))
    if len(heat["labels"]) <= BESIDE:
        parts = [pair(*parts)]
    note = "Nothing was mixed up." if not num_wrong else ""
    return Section(heading="What is taken for what", note=note, parts=parts)


def labels_section(facts: Mapping[str, Any]) -> Section | None:
    """Every label, the worst first."""
    rows = [row for row in facts.get("per_class", ()) if row["support"]]
    if len(rows) < 2:
        return None
    worst = sorted(rows, key=lambda row: (row["f1"], row["label"]))
    parts: list[Markup] = []
    if len(rows) > 8:
        about = "; ".join(f"{row['label']}: {row['f1']:.2f}" for row in worst[:20])
        drawing = charts.columns(Said(name="labels", title="F1 of every label", about=about), [(row["label"], row["f1"]) for row in worst], weak_below=WEAK_BELOW)  # fmt: skip
        parts.append(figure(drawing, f"F1 of all {len(rows)} labels", f"The worst at the left; those below {WEAK_BELOW:.0%} in the other colour."))  # fmt: skip
    shown = [
        [row["label"], charts.bar(row["f1"], kind="warn" if row["f1"] < WEAK_BELOW else "accent"), f"{row['f1']:.1%}", f"{row['precision']:.1%}", f"{row['recall']:.1%}", row["support"]]
        for row in worst
    ]  # fmt: skip
    headers = ["label", "", "F1", "precision", "recall", "rows"]
    parts.append(table(headers, shown[:MAX_WORST]))
    if len(shown) > MAX_WORST:
        parts.append(Markup("<details><summary>{} more labels</summary>{}</details>").format(len(shown) - MAX_WORST, table(headers, shown[MAX_WORST:])))  # fmt: skip
    return Section(heading="Labels, the worst first", parts=parts)


def calibration_section(facts: Mapping[str, Any]) -> Section | None:
    """Whether scores can be believed; None where there are none."""
    bins = [one for one in (facts.get("calibration") or {}).get("bins", ()) if one["num_rows"]]
    if not bins:
        return None
    dots = [(one["confidence"], one["accuracy"], one["num_rows"]) for one in bins]
    about = "; ".join(f"{score:.0%} → {right:.0%} ({count:,})" for score, right, count in dots)
    drawing = charts.reliability(Said(name="calibration", title="Reliability", about=about), dots, across="score", down="right")  # fmt: skip
    rows = [[f"{one['low']:.0%} to {one['high']:.0%}", one["num_rows"], percent(one["confidence"]), percent(one["accuracy"])] for one in bins]  # fmt: skip
    ece = facts["metrics"].get("ece") or {"value": facts["calibration"]["ece"], "low": 0, "high": 0}
    over = sum((one["confidence"] - one["accuracy"]) * one["num_rows"] for one in bins) / sum(one["num_rows"] for one in bins)  # fmt: skip
    lean = "surer than it is right" if over > 0 else "right more often than it is sure"
    note = (
        f"Does a score of 80% mean right in 8 of 10? On average the two are {percent(ece['value'])} apart; the model is {lean}, "
        f"by {percent(abs(over))}."
    )
    drawn = figure(drawing, "Scores and how often they are right", "On the line they agree; the area of a dot is its number of rows.")  # fmt: skip
    return Section(heading="Calibration", note=note, parts=[pair(drawn, table(["score", "rows", "mean score", "right"], rows))])  # fmt: skip


def errors_section(facts: Mapping[str, Any], media: Mapping[str, bytes]) -> Section | None:
    """Wrong answers, the surest first."""
    errors = facts.get("errors")
    if not errors:
        return None
    rows = [
        [medium(media[one["_row"]]) if one["_row"] in media else one["text"], one["label"], one["predicted"], f"{one['score']:.2f}"]
        for one in errors
    ]  # fmt: skip
    note = "Wrong answers, the surest first: often a wrong label in the test set, or labels that overlap."
    return Section(heading="The surest errors", note=note, parts=[examples(["row", "right label", "given", "score"], rows)])  # fmt: skip


def shown_section(facts: Mapping[str, Any]) -> Section | None:
    """The worst answers of tasks without labels."""
    shown = facts.get("shown")
    if not shown:
        return None
    main = facts["figure"]
    worth = "figure" in shown[0]
    rows = [
        [_cells(one["asked"]), str(one["answer"]), *([f"{one['figure']:.4g}" if "figure" in one else "–"] if worth else [])]
        for one in shown
    ]  # fmt: skip
    note = f"Those with the worst {low(title_of(main))} of their own." if worth else "The first ones."
    headers = ["row", "answer", *([title_of(main)] if worth else [])]
    return Section(heading="The worst answers" if worth else "Answers", note=note, parts=[examples(headers, rows)])


def _cells(asked: Mapping[str, Any]) -> str:
    return " · ".join(f"{name}: {value}" for name, value in asked.items() if value not in (None, "null", ""))
