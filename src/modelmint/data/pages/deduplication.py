"""The page of `deduplicate`: how many near-copies there are, how large their clusters, and both texts of some of them."""

from typing import Any

from markupsafe import Markup, escape

from modelmint.core import charts
from modelmint.core.charts import Said, Stream
from modelmint.core.pages import Headline, Section, counts, examples, figure, page, pair, table

_REASONS = {
    "near_duplicate": "copies of kept rows",
    "near_leak": "leaks: near-copies of an evaluation row",
    "near_known": "near-copies of what is known",
    "label_conflict": "near-copies with different labels",
}
_LEAKS = {
    "training_near_evaluation": ("training rows near an evaluation row", "taken out of training"),
    "validation_near_test": ("validation rows near a test row", "kept: a published set stays whole"),
    "evaluation_near_known": ("evaluation rows near a known row", "kept: a published set stays whole"),
}


def deduplicate_page(facts: dict[str, Any], *, about: str) -> str:
    """``report.html`` of the facts of `deduplication`."""
    rows, kept, reasons = facts["rows"], facts["rows_kept"], facts["reasons"]
    marked = facts["spec"]["action"] == "mark"
    lead = (
        f"{facts['rows_in_clusters']:,} of {rows + facts['rows_known']:,} rows belong to {facts['clusters']:,} clusters "
        "of near-copies. "
    )
    lead += (
        "All rows are kept; _cluster says which belong together."
        if marked
        else f"{kept:,} rows are kept. What was taken out is in quarantine, whole, and can be put back."
    )
    return page(
        title="Near-copies",
        about=about,
        lead=lead,
        headlines=[
            Headline(name="rows kept", value=f"{kept:,}", note=f"{kept / max(rows, 1):.1%} of {rows:,}"),
            Headline(name="clusters", value=f"{facts['clusters']:,}", note=_largest(facts)),
            Headline(name="leaks", value=f"{sum(facts['leaks'].values()):,}", note="rows near an evaluation row"),
            Headline(
                name="label conflicts", value=f"{facts['conflicts']['clusters']:,}", note="clusters with several labels"
            ),
        ],
        sections=[
            one
            for one in (
                _where(rows, reasons, marked=marked),
                _sizes(facts),
                _leaks(facts),
                _conflicts(facts),
                _copies(facts, marked=marked),
                _how(facts),
            )
            if one is not None
        ],
        refused=facts["refused"],
    )


def _largest(facts: dict[str, Any]) -> str:
    return f"the largest has {facts['largest'][0]['size']:,} rows" if facts["largest"] else "no row has a near-copy"


def _where(rows: int, reasons: dict[str, int], *, marked: bool) -> Section | None:
    if not reasons:
        return None
    gone = sum(reasons.values())
    streams = [
        Stream(label="kept" if not marked else "alone or first", count=rows - gone, written=f"{rows - gone:,}", kind="good"),
        *(
            Stream(label=_REASONS[name], count=number, written=f"{number:,} · {number / max(rows, 1):.1%}", kind="warn")
            for name, number in sorted(reasons.items(), key=lambda item: -item[1])
        ),
    ]  # fmt: skip
    said = Said(
        name="rows", title="What became of the rows", about="; ".join(f"{one.label}: {one.written}" for one in streams)
    )
    heading = "What would be taken out" if marked else "What was taken out"
    return Section(heading=heading, parts=[charts.flow(said, streams, whole=f"{rows:,} rows")])


def _sizes(facts: dict[str, Any]) -> Section | None:
    if not facts["clusters"]:
        return None
    found = [(f"{one['size']} rows", one["clusters"]) for one in facts["cluster_sizes"] if one["clusters"]]
    parts = [counts(("a cluster of", "clusters"), found)]
    if any(facts["pairs_by_similarity"]):
        parts = [pair(parts[0], _similarities(facts))]
    rows = [[one["size"], Markup("<br>").join(escape(text) for text in one["texts"])] for one in facts["largest"]]
    parts.append(table(["rows", "the first of them"], rows, caption="The largest clusters"))
    return Section(
        heading="Clusters", note="Near-copies, and near-copies of near-copies, are one cluster.", parts=parts
    )


def _similarities(facts: dict[str, Any]) -> Markup:
    found, records = facts["pairs_by_similarity"], bool(facts["columns"])
    limit = facts["spec"]["certainty" if records else "similarity"]
    wide = 100 / len(found)
    bins = [(at * wide, (at + 1) * wide, number) for at, number in enumerate(found)]
    first = next((at for at, number in enumerate(found) if number), 0)
    what = "how sure it is that two records are one" if records else "how alike two texts are"
    said = Said(name="similarity", title=f"Pairs by {what}", about=f"{sum(found):,} pairs were compared one by one.")
    drawn = charts.histogram(
        said, bins[min(first, len(bins) - 2) :], limit=limit * 100, limit_label=f"copies from {limit:.0%} on"
    )
    return figure(
        drawn, f"Pairs, by {what} in %", "Those that were compared one by one; rows that are together already are not."
    )


def _leaks(facts: dict[str, Any]) -> Section | None:
    found = [[*_LEAKS[name], number] for name, number in facts["leaks"].items() if number]
    shown, evaluation = facts["examples"]["leaks"], facts["examples"]["evaluation"]
    if not found and not shown:
        return None
    parts = [table(["what", "what became of them", "rows"], found)] if found else []
    if shown:
        rows = [[escape(one["text"]), escape(one["other_text"]), one["similarity"]] for one in shown]
        parts.append(table(["training row", "what it is near to", "alike"], rows, caption="Some of them"))
    if evaluation:
        parts.append(examples(["evaluation row"], [[text] for text in evaluation], caption="Evaluation rows that leak"))
    note = "A model that has seen a near-copy of a test row in training looks better than it is."
    return Section(heading="Leaks", note=note, parts=parts)


def _conflicts(facts: dict[str, Any]) -> Section | None:
    if not facts["conflicts"]["clusters"]:
        return None
    rows = [
        [escape(one["text"]), escape(one["label"])] for cluster in facts["examples"]["conflicts"] for one in cluster
    ]
    left = "One row of each label is kept." if facts["spec"]["conflicts"] == "keep" else "They are in quarantine."
    note = (
        f"{facts['conflicts']['rows']:,} training rows in {facts['conflicts']['clusters']:,} clusters have a near-copy "
        f"with another label. {left}"
    )
    parts = [table(["text", "label"], rows, caption="One row of each label, cluster by cluster")]
    return Section(heading="Near-copies with different labels", note=note, parts=parts)


def _copies(facts: dict[str, Any], *, marked: bool) -> Section | None:
    shown = facts["examples"]["copies"]
    if not shown:
        return None
    rows = [[escape(one["text"]), escape(one["other_text"]), one["similarity"]] for one in shown]
    heading = "Copies that would go" if marked else "Copies that went"
    note = "A pair less alike than the limit is joined by rows between the two."
    headers = ["would go" if marked else "taken out", "kept", "alike"]
    return Section(heading=heading, note=note, parts=[table(headers, rows)])


def _how(facts: dict[str, Any]) -> Section:
    spec = facts["spec"]
    if facts["columns"]:
        said = f"Records are compared by {', '.join(facts['columns'])}, and are one from a certainty of {spec['certainty']:g} on."
    elif facts["compared_by"] == "the letters of the text" or facts["pairs_by_similarity"]:
        said = (
            f"Rows are compared by {facts['compared_by']}: the share of pieces (four letters in a row; two in Chinese, "
            f"Japanese and Thai) that both have. They are near-copies from {spec['similarity']:g} on."
        )
    else:
        said = f"Rows are compared by {facts['compared_by']}."
    items = [
        said,
        *(
            [f"Not looked for: {facts['left_alone'][0].lower()}{facts['left_alone'][1:]}"]
            if facts["left_alone"]
            else []
        ),
    ]
    listed = Markup("").join(Markup("<li>{}</li>").format(sentence) for sentence in items)
    return Section(heading="How it was looked for", parts=[Markup("<ul>{}</ul>").format(listed)])
