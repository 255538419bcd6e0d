"""The part of an evaluation's page that is of some rows: slices, the worst first, and gaps between groups of people."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from modelmint.core.charts import Said
from modelmint.core.figures import is_share, title_of, written
from modelmint.core.formats import short
from modelmint.core.pages import Section, figure, table
from modelmint.evaluation.pages.drawings import Line, Mark, forest
from modelmint.evaluation.pages.page_words import low, p_of

MAX_DRAWN = 14
MAX_FEW = 40


def slices_section(facts: Mapping[str, Any]) -> Section | None:
    """Nothing where no slice was looked at."""
    slices = facts.get("slices")
    if not slices or not (slices["judged"] or slices["too_few"]):
        return None
    name, judged = str(slices["figure"]), slices["judged"]
    parts: list[Markup] = []
    if judged:
        parts += [_drawing(facts, slices), _table(judged, name)]
    if slices["too_few"]:
        parts.append(_too_few(slices))
    num_worse = sum(one["is_worse"] for one in judged)
    found = f"{num_worse} of {len(judged)} are clearly worse than the rest" if num_worse else f"None of {len(judged)} is clearly worse than the rest"  # fmt: skip
    note = (
        f"{found}: p below {slices['alpha']:g} after Holm's correction for looking {slices['num_tried']} times. "
        f"Slices of fewer than {slices['min_rows']} rows are not judged."
    )
    return Section(heading="Slices, the worst first", note=note, parts=parts)


def fairness_sections(facts: Mapping[str, Any]) -> list[Section]:
    """One for each protected column."""
    return [_fairness(column, gaps) for column, gaps in (facts.get("fairness") or {}).items()]


def _drawing(facts: Mapping[str, Any], slices: Mapping[str, Any]) -> Markup:
    name, judged = str(slices["figure"]), slices["judged"][:MAX_DRAWN]
    overall = facts["metrics"].get(name)
    lines = [
        Line(
            label=short(f"{one['column']}: {one['slice']}", 40),
            marks=[
                Mark(
                    value=one["figure"]["value"],
                    low=one["figure"]["low"],
                    high=one["figure"]["high"],
                    written=f"{written(name, one['figure']['value'])} of {one['figure']['n']:,}",
                    kind="warn" if one["is_worse"] else "accent",
                )
            ],
            tip=f"{one['column']}: {one['slice']}, {one['difference']:+.4g} to the rest, p {one['p_adjusted']:.2g}",
        )
        for one in judged
    ]
    about = "; ".join(f"{one.label}: {one.marks[0].written}" for one in lines)
    drawing = forest(
        Said(name="slices", title=f"{title_of(name)} by slice", about=about),
        lines,
        is_share=is_share(name),
        whole=overall["value"] if overall else None,
        whole_label=f"all rows {written(name, overall['value'])}" if overall else "",
    )
    some = f" The {MAX_DRAWN} worst of {len(slices['judged']):,}." if len(slices["judged"]) > MAX_DRAWN else ""
    return figure(drawing, f"{title_of(name)} by slice", f"Clearly worse ones in the other colour; the dashed line is that of all rows.{some}")  # fmt: skip


def _table(judged: list[Mapping[str, Any]], name: str) -> Markup:
    share = is_share(name)
    headers = ["slice by", "slice", "rows", title_of(name), "to the rest", "p (Holm)", ""]
    rows = [
        [
            one["column"],
            one["slice"],
            one["figure"]["n"],
            written(name, one["figure"]["value"]),
            f"{100 * one['difference']:+.1f} points" if share else f"{one['difference']:+.4g}",
            p_of(one["p_adjusted"]),
            Markup('<span class="bad">worse</span>') if one["is_worse"] else "",
        ]
        for one in judged
    ]
    whole = table(headers, rows)
    return Markup("<details{}><summary>All {} slices in figures</summary>{}</details>").format(
        Markup(" open") if len(rows) <= 6 else "", len(rows), whole
    )


def _too_few(slices: Mapping[str, Any]) -> Markup:
    shown = slices["too_few"][:MAX_FEW]
    by: dict[str, list[str]] = {}
    for one in shown:
        by.setdefault(one["column"], []).append(f"{one['slice']} ({one['n']:,})")
    named = "; ".join(f"{column}: {', '.join(names)}" for column, names in by.items())
    rest = slices["num_too_few"] - len(shown)
    return Markup('<p class="note">Too few rows to be judged: {}{}.</p>').format(
        named, f"; and {rest:,} more" if rest > 0 else ""
    )


def _fairness(column: str, gaps: Mapping[str, Any]) -> Section:
    name = str(gaps["figure"])
    rows = [
        [
            one["group"],
            one["n"],
            f"{written(name, one['figure']['value'])} ({written(name, one['figure']['low'])} to {written(name, one['figure']['high'])})"
            if one["figure"]
            else "–",
            *([f"{gaps['rate_gap']['rates'][one['group']]:.1%}"] if gaps["rate_gap"] else []),
        ]
        for one in gaps["groups"]
    ]  # fmt: skip
    headers = ["group", "rows", title_of(name), *([f"given {short(gaps['rate_gap']['label'], 24)}"] if gaps["rate_gap"] else [])]  # fmt: skip
    said = [_gap(gap, name) for gap in (gaps["figure_gap"], gaps["rate_gap"]) if gap]
    few = ", ".join(f"{one['group']} ({one['n']:,})" for one in gaps["too_few"])
    note = ". ".join(said) or "Fewer than two groups have enough rows to be compared"
    note += f". Too few rows: {few}." if few else "."
    why = Markup('<p class="note">{}</p>').format(
        "A gap says that groups differ, not why: where they differ in truth, a right model gives them labels at other rates too."
    )
    return Section(heading=f"Groups by {column}", note=note, parts=[table(headers, rows), why] if rows else [])


def _gap(gap: Mapping[str, Any], name: str) -> str:
    share = "label" in gap or is_share(name)
    scale, unit, form = (100, " points", ".1f") if share else (1, "", ".4g")
    interval = f"95%: {scale * gap['low']:{form}} to {scale * gap['high']:{form}}"
    what = f"the rate of {gap['label']}" if "label" in gap else low(title_of(name))
    return f"The largest gap of {what} is {scale * gap['value']:{form}}{unit} ({interval}), between {gap['lowest']} and {gap['highest']}"  # fmt: skip
