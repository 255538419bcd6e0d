"""What the page of a training says of a table: the loss by round, and which columns the model goes by."""

from collections.abc import Mapping
from typing import Any

from modelmint.core import charts
from modelmint.core.charts import Said
from modelmint.core.formats import percent, short
from modelmint.core.pages import Section, figure, table

MAX_COLUMNS = 20


def sections(facts: Mapping[str, Any]) -> list[Section]:
    """Of the facts of a training report; none where they are not of a table."""
    return [one for one in (_rounds(facts), _importance(facts)) if one]


def _rounds(facts: Mapping[str, Any]) -> Section | None:
    """The loss by round, where no loop's steps are drawn."""
    lines = [
        (kind, [(float(row["epoch"]), float(row[name])) for row in facts["history"] if row.get(name) is not None])
        for kind, name in (("base", "train_loss"), ("accent", "validation_loss"))
    ]
    known = [(kind, points) for kind, points in lines if len(points) > 1]
    if facts["curve"] or not known:
        return None
    about = "; ".join(f"from {points[0][1]:.4g} to {points[-1][1]:.4g}" for _, points in known)
    drawing = charts.curves(Said(name="rounds", title="Loss by round", about=about), known)
    kept = f"on the training and the validation rows; round {facts['best_epoch']} was kept"
    return Section(heading="How it went", parts=[figure(drawing, "Loss by round", kept)])


def _importance(facts: Mapping[str, Any]) -> Section | None:
    ranked = facts.get("importance", [])[:MAX_COLUMNS]
    if not ranked:
        return None
    most = max(one["share"] for one in ranked) or 1.0
    rows = [[short(one["column"]), charts.bar(one["share"] / most), percent(one["share"])] for one in ranked]
    note = "The share of each column in what the model says; it is no proof that one causes the other."
    return Section(heading="What it goes by", note=note, parts=[table(["column", "", "share"], rows)])
