"""The page of `preflight`: what was found before any money is spent, and whether to go on."""

from collections.abc import Sequence

from markupsafe import Markup

from modelmint.core import charts
from modelmint.core.charts import Said, Span
from modelmint.core.formats import percent, seconds, size
from modelmint.core.forms import FORMS
from modelmint.core.gates import Verdict
from modelmint.core.licences import DISCLAIMER
from modelmint.core.pages import Headline, Section, Share, counts, examples, figure, page, pair, table
from modelmint.core.types import JSON
from modelmint.data.pages.preflight_labels import label_sections

MAX_SUSPECTS = 20

_SOLD = {"yes": "yes", "conditions": "on terms", "no": "no", "unknown": "unknown"}
_PARTS = {
    "loading": "loading base and rows",
    "steps": "steps",
    "validation": "validation",
    "saving": "saving and checkpoints",
}


def preflight_page(facts: JSON, measured: JSON, verdicts: Sequence[Verdict], *, name: str) -> str:
    """The text of ``report.html``.

    Args:
        verdicts: of the gates, with the measured figures that the facts leave out.
    """
    estimate = measured.get("estimate")
    sections = [
        *_gates(verdicts),
        *_estimate(estimate),
        *_lengths(facts),
        *_template(facts),
        *label_sections(facts),
        _copies(facts),
        *_languages(facts),
        _licences(facts["licences"]),
        *_suspects(facts["suspects"]),
    ]
    return page(
        title="Preflight",
        about=name,
        lead=_lead(facts),
        headlines=_headlines(facts, estimate),
        sections=sections,
        warnings=[warning["message"][:1].upper() + warning["message"][1:] + "." for warning in facts["warnings"]],
        refused=facts["refused"],
    )


def _lead(facts: JSON) -> str:
    splits = facts["splits"]
    declared = ", ".join(f"{number:,} for {name}" for name, number in splits.items() if number)
    verdict = "Training is refused." if facts["refused"] else "Nothing here forbids to train."
    base = f", as {facts['base']} reads them" if facts["base"] else ""
    split = f" The source declares a split: {declared}." if declared else ""
    return f"{facts['rows']:,} rows for {facts['task'].replace('-', ' ')}{base}.{split} {verdict}"


def _headlines(facts: JSON, estimate: JSON | None) -> list[Headline]:
    tokens, cut, labels, targets = facts["tokens"], facts["truncated"], facts["labels"], facts["targets"]
    shown = [Headline(name="rows", value=f"{facts['rows']:,}", note=f"{facts['duplicates']:,} copies in training")]
    if "num" in labels:
        uneven = f"the largest has {labels['imbalance']:g} times the smallest"
        shown.append(Headline(name="labels", value=f"{labels['num']:,}", note=uneven))
    if tokens:
        longest = f"half of the rows have at most {tokens['p50']}, the longest {tokens['max']:,}"
        shown.append(Headline(name="tokens, 95% of rows", value=f"≤ {tokens['p95']:,}", note=longest))
        shown.append(
            Headline(name="rows cut off", value=percent(cut["share"]), note=f"longer than {cut['limit']:,} tokens")
        )
    if targets.get("unit"):
        note = f"{targets['lost']:,} of {targets['total']:,}, beyond the limit"
        shown.append(Headline(name=f"{targets['unit']} lost", value=percent(targets["share"], 2), note=note))
    if estimate:
        note = f"{size(estimate['memory_bytes'])} of memory, {estimate['cost']}"
        shown.append(Headline(name="training takes about", value=seconds(estimate["seconds"]), note=note))
    sold = _SOLD[facts["licences"]["may_be_sold"]]
    shown.append(Headline(name="may be sold", value=sold, note="by the licences of data and base"))
    return shown


def _gates(verdicts: Sequence[Verdict]) -> list[Section]:
    if not verdicts:
        return []
    rows = [[one["name"], one["allowed"], _value(one), _passed(passed=one["passed"])] for one in verdicts]
    return [Section(heading="Gates", parts=[table(["finding", "must be", "it is", ""], rows)])]


def _value(verdict: Verdict) -> str:
    value = verdict["value"]
    if verdict["name"] == "licence":
        return "sellable" if verdict["passed"] else "not sellable"
    if value is None:
        return "not computed"
    return f"{value:.2%}" if verdict["allowed"].endswith("%") else f"{value:,.6g}"


def _passed(*, passed: bool) -> Markup:
    word = "passed" if passed else "refused"
    return Markup('<span class="{}">{}</span>').format("good" if passed else "bad", word)


def _estimate(estimate: JSON | None) -> list[Section]:
    if not estimate:
        return []
    parts, at = [], 0.0
    for name, part_s in estimate["parts"].items():
        parts.append(Span(label=_PARTS[name], start=at, end=at + part_s, written=seconds(part_s), kind="accent"))
        at += part_s
    most_s = estimate.get("most_seconds", 0.0)  # of reports before it was told, 0
    said = Said(name="estimate", title="What training will take", about="Seconds of each part, one after the other.")
    rows = [
        ["time", seconds(estimate["seconds"])],
        *([["at most", seconds(most_s)]] if most_s > estimate["seconds"] else []),
        ["memory at its peak", size(estimate["memory_bytes"])],
        ["cost on this machine", estimate["cost"]],
        ["rows a second", f"{estimate['examples_per_s']:,.0f}"],
    ]
    note = (
        f"Timed on this machine in {seconds(estimate['probe_seconds'])}: real steps on batches as wide as these rows "
        "make them. Training may stop early; the time is what it usually comes to."
        if most_s > estimate["seconds"]
        else f"Timed on this machine in {seconds(estimate['probe_seconds'])}: real steps on batches as wide as these "
        "rows make them."
    )
    drawn = figure(charts.spans(said, parts, unit="s"), "Where the time goes")
    return [Section(heading="What training will take", note=note, parts=[pair(table(["", ""], rows), drawn)])]


def _lengths(facts: JSON) -> list[Section]:
    tokens, cut, targets = facts["tokens"], facts["truncated"], facts["targets"]
    if not tokens:
        why = (
            "No base is given, so no row could be cut into tokens: set `base`, or have a train stage in the recipe."
            if facts["base"] is None and FORMS[facts["task"]].texts
            else f"Rows for {facts['task'].replace('-', ' ')} are not cut into tokens."
        )
        return [Section(heading="Lengths", note=why)]
    edges, numbers = tokens["histogram"]["edges"], tokens["histogram"]["counts"]
    bins = list(zip(edges, edges[1:], numbers, strict=False))
    last = max(at for at, (_, _, number) in enumerate(bins) if number)
    said = Said(
        name="lengths", title="Tokens a row", about=f"Rows by their number of tokens; the limit is {cut['limit']}."
    )
    limit = cut["limit"] if cut["limit"] <= 3 * edges[last + 1] else None
    drawn = charts.histogram(said, bins[: last + 1], limit=limit, limit_label=f"limit {cut['limit']:,}")
    rows = [
        ["half of the rows", tokens["p50"]],
        ["90% of the rows", tokens["p90"]],
        ["99% of the rows", tokens["p99"]],
        ["the longest row", tokens["max"]],
        ["rows cut off", cut["rows"]],
        ["rows with nothing to learn", targets["rows_untrainable"]],
    ]
    if targets["unit"]:
        rows += [[f"{targets['unit']}", targets["total"]], [f"{targets['unit']} lost", targets["lost"]]]
    measured = f"{tokens['rows_measured']:,} rows measured; {tokens['unknown_share']:.2%} of the tokens are unknown to the base."
    whole = "" if targets["unit"] else " A row that is cut off keeps its label."
    parts = [pair(figure(drawn, "Tokens a row"), table(["at most", "tokens or rows"], rows))]
    return [Section(heading="Lengths", note=measured + whole, parts=parts)]


def _template(facts: JSON) -> list[Section]:
    template = facts["chat_template"]
    if not template:
        return []
    whose = (
        f"The chat template of {facts['base']}, as it writes these rows for the model."
        if template["own"]
        else f"{facts['base']} has no chat template: it was not taught to chat. ChatML stands in."
    ) + " What is marked is taught; the rest is only read."
    refused = f" It refuses {template['refused']:,} rows: {template['says']}" if template["refused"] else ""
    shown = [
        Markup("<figure><figcaption><h3>Row {}</h3></figcaption>{}</figure>").format(at, _chat(one))
        for at, one in enumerate(template["shown"], start=1)
    ]
    return [Section(heading="The chat as the model reads it", note=whose + refused, parts=shown)]


def _chat(shown: JSON) -> Markup:
    """The text of a chat; what is taught of it is marked."""
    text, parts, at = shown["text"], Markup(""), 0
    for start, end in shown["taught"]:
        parts += Markup("{}<mark>{}</mark>").format(text[at:start], text[start:end])
        at = end
    return Markup('<pre style="white-space:pre-wrap">{}</pre>').format(parts + Markup("{}").format(text[at:]))


def _copies(facts: JSON) -> Section:
    near, personal = facts["near"], facts["personal"]
    rows: list[list[str | int]] = [
        ["training rows that repeat another", facts["duplicates"], "all rows"],
        ["evaluation rows that are also in training", facts["leaks"], "all rows"],
    ]
    if facts["conflicts"]:
        rows.append(["rows that share a text and differ in label", facts["conflicts"]["rows"], "all rows"])
    if "left_alone" not in near and near:
        looked_at = f"{near['looked_at']:,} rows"
        rows.append(["rows nearly the same as another", near["duplicates"], looked_at])
        rows.append(
            ["evaluation rows nearly the same as a training row", near["leaks"], f"{near['evaluation']:,} rows"]
        )
    if personal:
        rows.append(["rows with personal data", personal["rows"], f"{personal['looked_at']:,} rows"])
    parts = [table(["finding", "rows", "looked at"], rows)]
    if personal.get("found"):
        parts.append(counts(("personal data", "found"), list(personal["found"].items()), kind="warn"))
    if personal.get("stand_ins"):
        parts.append(counts(("stand-ins that deidentify put in", "found"), list(personal["stand_ins"].items())))
    if near.get("examples"):
        shown = [[one["text"], one["training_text"]] for one in near["examples"]]
        parts.append(examples(["evaluation row", "training row"], shown, caption="Leaks that are not exact copies"))
    return Section(
        heading="Copies, leaks and personal data",
        note="What clean, deduplicate and deidentify are there for.",
        parts=parts,
    )


def _languages(facts: JSON) -> list[Section]:
    languages = facts["languages"]
    if not languages:
        return []
    known = set(languages["base"])
    rows: list[list[object]] = [
        [
            name,
            Share(value=share, kind="accent" if name in known or not known else "warn"),
            f"{share:.1%}",
            _knows(name, known),
        ]
        for name, share in languages["found"].items()
        if share >= 0.005
    ]
    note = f"{languages['looked_at']:,} rows looked at; `und` is a text too short to tell."
    return [Section(heading="Languages", note=note, parts=[table(["language", "", "rows", "the base knows it"], rows)])]


def _knows(name: str, known: set[str]) -> str:
    return "" if name == "und" else "not stated" if not known else "yes" if name in known else "no"


def _licences(licences: JSON) -> Section:
    rows = [
        [
            {"data": "data", "base": "base"}[part],
            licences[part]["licence"],
            _SOLD[licences[part]["may_be_sold"]],
            licences[part]["why"],
        ]
        for part in ("data", "base")
        if part in licences
    ]
    parts = [table(["of the", "licence", "may be sold", "why"], rows)]
    if licences["obligations"]:
        parts.append(table(["what is owed when the model is sold"], [[owed] for owed in licences["obligations"]]))
    return Section(heading="Licences", note=DISCLAIMER, parts=parts)


def _suspects(suspects: JSON) -> list[Section]:
    if not suspects.get("examples"):
        return []
    shown = suspects["examples"][:MAX_SUSPECTS]
    rows = [[one["_row"], one["given"], one["suggested"], f"{one['score']:.2f}"] for one in shown]
    note = f"{suspects['rows']:,} of {suspects['looked_at']:,} rows; the surest first. Nothing was changed."
    return [
        Section(heading="Labels that look wrong", note=note, parts=[table(["row", "given", "likelier", "by"], rows)])
    ]
