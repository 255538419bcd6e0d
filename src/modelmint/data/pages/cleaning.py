"""The page of `clean`: what each rule changed and took out, with examples."""

from typing import Any

from markupsafe import Markup

from modelmint.core import charts
from modelmint.core.charts import Said, Stream
from modelmint.core.pages import Headline, Section, Share, counts, examples, figure, page, table

MAX_STREAMS = 8
"""How many reasons the drawing has; the rest flow together."""

_NAME = Markup('<span style="white-space:nowrap">{}</span>')


def cleaning_page(report: dict[str, Any]) -> str:
    """The text of ``report.html`` from the facts of the report."""
    read, kept = report["rows_read"], report["rows_kept"]
    changing = [rule for rule in report["rules"] if rule["kind"] == "changes"]
    removing = [rule for rule in report["rules"] if rule["kind"] == "removes"]
    removed = read - kept
    return page(
        title="Cleaning",
        about=report["task"],
        lead=f"{kept:,} of {read:,} rows are kept. What was taken out is in quarantine, whole, and can be put back.",
        headlines=[
            Headline(name="rows kept", value=f"{kept:,}", note=f"{kept / max(read, 1):.1%} of {read:,}"),
            Headline(name="rows changed", value=f"{report['rows_changed']:,}", note="in which a cell was mended"),
            Headline(name="rows taken out", value=f"{removed:,}", note=f"by {len(report['rows_removed'])} rules"),
        ],
        sections=[
            _taken_out(report, removing),
            *_removed_examples(removing),
            _changed(changing),
            *_columns(report),
            *_left(report),
        ],
        warnings=_warnings(report),
        refused=report["refused"],
    )


def _taken_out(report: dict[str, Any], removing: list[dict[str, Any]]) -> Section:
    gone = sorted((rule for rule in removing if rule["number"]), key=lambda rule: -rule["number"])
    if not gone:
        return Section(heading="What was taken out", note=f"Nothing: all rows pass {len(removing)} rules.")
    streams = [Stream(label="kept", count=report["rows_kept"], written=f"{report['rows_kept']:,}", kind="good")]
    shown, rest = gone[:MAX_STREAMS], gone[MAX_STREAMS:]
    streams += [
        Stream(label=one["name"], count=one["number"], written=f"{one['number']:,}", kind="warn") for one in shown
    ]
    if rest:
        number = sum(one["number"] for one in rest)
        streams.append(Stream(label=f"{len(rest)} other rules", count=number, written=f"{number:,}", kind="warn"))
    said = Said(name="flow", title="Where the rows went", about="Rows kept, and rows taken out by each rule, to scale.")
    passed = [rule["name"] for rule in removing if not rule["number"]]
    parts = [
        figure(charts.flow(said, streams, whole=f"{report['rows_read']:,} rows read"), "Where the rows went"),
        _rules([rule for rule in removing if rule["number"]], "rows", report["rows_read"]),
    ]
    if passed:
        parts.append(Markup("<p>Rules that took nothing out: {}.</p>").format(", ".join(passed)))
    note = "A row has one reason: the first rule that it fails, in the order of the table."
    return Section(heading="What was taken out", note=note, parts=parts)


def _rules(rules: list[dict[str, Any]], unit: str, total: int) -> Markup:
    most = max((rule["number"] for rule in rules), default=1) or 1
    headers = ["rule", "", unit, *(["% of rows"] if total else []), "what it looks for"]
    rows: list[list[Any]] = []
    for rule in rules:
        about = f"{rule['about']}; {rule['source']}" if rule["source"] else rule["about"]
        drawn = Share(value=rule["number"] / most, kind="warn" if rule["kind"] == "removes" else "accent")
        share = [round(100 * rule["number"] / total, 2)] if total else []
        rows.append([_NAME.format(rule["name"]), drawn, rule["number"], *share, about])
    return table(headers, rows)


def _removed_examples(removing: list[dict[str, Any]]) -> list[Section]:
    rows = [[one["text"], f"{rule['name']}: {one['detail']}"] for rule in removing for one in rule["examples"]]
    if not rows:
        return []
    note = "The first rows that each rule took out. ⏎ is the end of a line."
    return [Section(heading="Rows that were taken out", note=note, parts=[examples(["row", "why"], rows)])]


def _changed(changing: list[dict[str, Any]]) -> Section:
    if not any(rule["number"] for rule in changing):
        return Section(heading="What was changed", note="No text needed mending.")
    rows = [[_NAME.format(rule["name"]), one["before"], one["after"]] for rule in changing for one in rule["examples"]]
    return Section(
        heading="What was changed",
        note="Cells, counted by each rule that changed them, in the order in which the rules ran.",
        parts=[
            _rules([rule for rule in changing if rule["number"]], "cells", 0),
            examples(["rule", "before", "after"], rows),
        ],
    )


def _columns(report: dict[str, Any]) -> list[Section]:
    found = report["columns"]
    parts = []
    if report["label_spellings"]:
        parts.append(_spellings("Labels written in several ways", {"label": report["label_spellings"]}))
    if found.get("spellings"):
        parts.append(_spellings("Categories written in several ways", found["spellings"]))
    if found.get("missing"):
        ranked = sorted(found["missing"].items(), key=lambda item: (-item[1], item[0]))
        parts.append(counts(("column", "missing cells"), ranked, kind="warn", total=report["rows_read"]))
    if found.get("mixed_types"):
        rows = [[name, ", ".join(odd)] for name, odd in found["mixed_types"].items()]
        parts.append(examples(["column of numbers", "cells that are none"], rows, caption="Columns of mixed types"))
    if found.get("numbers_as_text"):
        rows = [[name, "every cell reads as a number"] for name in found["numbers_as_text"]]
        parts.append(table(["column of text", ""], rows, caption="Numbers stored as text"))
    if found.get("constant"):
        rows = [[name, "one value in every row"] for name in found["constant"]]
        parts.append(table(["column", ""], rows, caption="Columns that tell nothing"))
    if found.get("copies"):
        parts.append(table(["column", "is equal to"], [[copy, first] for first, copy in found["copies"]]))
    note = "Nothing here was changed: a person should decide."
    return [Section(heading="Columns and categories", note=note, parts=parts)] if parts else []


def _spellings(caption: str, found: dict[str, list[dict[str, int]]]) -> Markup:
    rows = [
        [name, " · ".join(f"{value!r} ({count:,})" for value, count in group.items())]
        for name, groups in found.items()
        for group in groups
    ]
    return examples(["column", "spellings, with their rows"], rows, caption=caption)


def _left(report: dict[str, Any]) -> list[Section]:
    if not report["left_alone"]:
        return []
    items = Markup("").join(Markup("<li>{}</li>").format(sentence) for sentence in report["left_alone"])
    return [Section(heading="What was left alone, and why", parts=[Markup("<ul>{}</ul>").format(items)])]


def _warnings(report: dict[str, Any]) -> list[str]:
    said = []
    if number := report["evaluation_rows_that_fail"]:
        failing = [f"{one['name']} ({one['kept_evaluation_rows']:,})" for one in report["rules"]
                   if one["kept_evaluation_rows"]]  # fmt: skip
        said.append(
            f"{number:,} declared evaluation rows fail {', '.join(failing)} and were kept: a published set keeps its rows, "
            "so that figures stay comparable."
        )
    if report["label_spellings"]:
        said.append("Some labels differ only in case or space; they count as different classes.")
    return said
