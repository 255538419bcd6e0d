"""The page of `harness`: gates, figures with their intervals, what was asked and answered."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from modelmint.core import charts
from modelmint.core.charts import Range, Said
from modelmint.core.pages import Headline, Section, examples, figure, page, table

MAX_HEADLINES = 4
MAX_DRAWN = 40


def harness_page(facts: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    """``report.html`` of what `harness` found."""
    metrics = facts["metrics"]
    headlines = [
        Headline(name=name, value=f"{one['value']:.4g}", note=_sure(one))
        for name, one in list(metrics.items())[:MAX_HEADLINES]
    ]
    num_rows, tasks = sum(one["num_rows"] for one in facts["tasks"]), len(facts["tasks"])
    sections = [
        _gates(facts), _figures(metrics), _tasks(facts),
        *(_shown(name, rows) for name, rows in facts["shown"].items()),
    ]  # fmt: skip
    return page(
        title="Harness",
        about=" · ".join([facts["model"], facts["library"]]),
        lead=f"{num_rows:,} rows of {tasks} {'task' if tasks == 1 else 'tasks'} of lm-evaluation-harness were put to the "
        f"model in {measured['seconds']:,.0f} s, {_how(facts)}.",
        headlines=headlines,
        sections=[section for section in sections if section is not None],
        warnings=[one["message"] for one in facts["warnings"]],
        refused=facts["refused"],
    )


def _how(facts: Mapping[str, Any]) -> str:
    return "each as a chat by its template" if facts["chat_template"] else "as plain text, without a chat template"


def _sure(one: Mapping[str, Any]) -> str:
    if one["stderr"] is None:
        return f"{one['n']:,} rows"
    return f"95%: {one['low']:.4g} to {one['high']:.4g}, {one['n']:,} rows"


def _gates(facts: Mapping[str, Any]) -> Section | None:
    if not facts["gates"]:
        return None
    verdict = {True: Markup('<span class="good">✓ passed</span>'), False: Markup('<span class="bad">✕ refused</span>')}
    rows = [
        [gate["name"], gate["allowed"], "–" if gate["value"] is None else f"{gate['value']:.4g}", verdict[gate["passed"]]]
        for gate in facts["gates"]
    ]  # fmt: skip
    return Section(heading="Gates", parts=[table(["figure", "must be", "is", ""], rows)])


def _figures(metrics: Mapping[str, Any]) -> Section:
    rows = [
        [
            name,
            f"{one['value']:.4g}",
            "–" if one["stderr"] is None else f"{one['stderr']:.2g}",
            f"{one['low']:.4g} to {one['high']:.4g}",
            one["n"],
            {True: "higher is better", False: "lower is better"}.get(one["higher_is_better"], ""),
        ]
        for name, one in metrics.items()
    ]
    ranges = [
        Range(label=name, value=one["value"], low=one["low"], high=one["high"], written=f"{one['value']:.1%}")
        for name, one in metrics.items()
        if one["higher_is_better"] and 0 <= one["low"] <= one["high"] <= 1
    ][:MAX_DRAWN]
    said = Said(name="figures", title="Figures", about="Figures between 0 and 1 with their 95 % intervals")
    drawn = [figure(charts.intervals(said, ranges), "Those between 0 and 1")] if ranges else []
    return Section(
        heading="Figures",
        note="Each has its standard error and a 95 % interval over rows.",
        parts=[table(["figure", "value", "standard error", "interval", "rows", ""], rows), *drawn],
    )


def _tasks(facts: Mapping[str, Any]) -> Section:
    rows = [
        [one["name"], one["kind"].replace("_", " "), one["num_fewshot"], one["num_rows"], one["num_there"], one["rows"]]
        for one in facts["tasks"]
    ]
    return Section(
        heading="Tasks",
        note=f"{facts['num_asked']:,} questions were asked; of a row with choices, one a choice.",
        parts=[table(["task", "how it asks", "examples shown", "rows", "of", "from"], rows)],
    )


def _shown(name: str, rows: Any) -> Section:
    cells = [[one["asked"], one["target"], one["answer"], one["figures"]] for one in rows]
    return Section(heading=name, parts=[examples(["asked", "right", "answered", "figures"], cells)])


__all__ = ["harness_page"]
