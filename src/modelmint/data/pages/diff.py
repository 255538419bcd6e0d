"""The page of a comparison of two versions."""

from markupsafe import Markup

from modelmint.core import charts
from modelmint.core.charts import Said, Stream
from modelmint.core.pages import Headline, Section, examples, figure, page, pair, table
from modelmint.core.types import JSON

_KINDS = {
    "same": "accent", "moved": "mid", "changed": "deep", "relabelled": "deep", "added": "base", "removed": "warn",
}  # fmt: skip
_SAYS = {
    "same": "unchanged",
    "moved": "unchanged, in another place",
    "changed": "another text",
    "relabelled": "another label",
    "added": "added",
    "removed": "removed",
}
MAX_LABELS = 40


def diff_page(body: JSON, *, before: str, after: str) -> str:
    """The text of the page, from what `data.diff.diff` gives; `before` and `after` are the names to show."""
    rows = body["rows"]
    num_other = sum(rows[kind] for kind in ("added", "removed", "relabelled", "changed"))
    return page(
        title="What changed",
        about=f"{before} → {after}",
        lead="The two versions hold the same rows." if not num_other else "",
        headlines=[
            Headline(name=_SAYS[kind], value=f"{rows[kind]:,}", note=f"of {rows['before']:,} rows before")
            for kind in ("added", "removed", "relabelled", "changed")
        ],
        sections=[_rows(body), *_labels(body), _columns(body), *_examples(body)],
    )


def _rows(body: JSON) -> Section:
    rows = body["rows"]
    streams = [
        Stream(label=_SAYS[kind], count=rows[kind], written=f"{rows[kind]:,}", kind=colour)
        for kind, colour in _KINDS.items()
        if rows[kind]
    ]
    about = "; ".join(f"{stream.label}: {stream.written}" for stream in streams)
    drawn = (
        [figure(charts.flow(Said(name="rows", title="Rows", about=about), streams, whole="both versions"), "Rows")]
        if streams
        else []
    )
    statistics = [[each["name"], each["before"], each["after"]] for each in body["statistics"]]
    return Section(
        heading="Rows and statistics",
        note=f"{rows['before']:,} rows before, {rows['after']:,} after.",
        parts=[pair(*drawn, table(["statistic", "before", "after"], statistics))],
    )


def _labels(body: JSON) -> list[Section]:
    parts: list[Markup] = []
    if body["label_changes"]:
        rows = [[each["from"], each["to"], each["rows"]] for each in body["label_changes"]]
        parts.append(table(["from", "to", "rows"], rows, caption="Labels that changed"))
    ordered = sorted(body["labels"], key=lambda each: -abs(each["after"] - each["before"]))[:MAX_LABELS]
    if ordered:
        counted = [[each["label"], each["before"], each["after"], each["after"] - each["before"]] for each in ordered]
        parts.append(table(["label", "before", "after", "difference"], counted, caption="Rows of each label"))
    return [Section(heading="Labels", parts=parts)] if parts else []


def _columns(body: JSON) -> Section:
    columns = body["columns"]
    rows = [[name, "added", ""] for name in columns["added"]] + [[name, "removed", ""] for name in columns["removed"]]
    rows += [[each["name"], "another type", f"{each['before']} → {each['after']}"] for each in columns["retyped"]]
    if not rows:
        return Section(heading="Columns", note="Both versions have the same columns of the same types.")
    return Section(heading="Columns", parts=[table(["column", "what", "type"], rows)])


def _examples(body: JSON) -> list[Section]:
    found, parts = body["examples"], list[Markup]()
    for kind in ("added", "removed"):
        if found[kind]:
            rows = [[row["row"], row["text"], row["label"]] for row in found[kind]]
            parts.append(examples(["row", "text", "label"], rows, caption=_SAYS[kind].capitalize()))
    for kind in ("changed", "relabelled"):
        if found[kind]:
            both = [
                [row["before"]["text"], row["before"]["label"], row["after"]["text"], row["after"]["label"]]
                for row in found[kind]
            ]
            parts.append(examples(["before", "label", "after", "label"], both, caption=_SAYS[kind].capitalize()))
    return [Section(heading="Examples", parts=parts)] if parts else []
