"""The page of `collect`: what came in, how it is made up, and what was left out."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from modelmint.core import charts
from modelmint.core.charts import Said, Stream
from modelmint.core.formats import percent
from modelmint.core.pages import Headline, Section, counts, examples, figure, medium, page, pair, table
from modelmint.core.types import JSON

_MAX_LABELS = 25
_MAX_COLUMNS = 60
_MEDIA_TASKS = ("image-classification", "audio-classification")


def collection_page(facts: JSON, media: Sequence[Mapping[str, bytes]]) -> str:
    """``report.html`` of the facts of `collection.collection`, with the images or recordings of the first rows."""
    read, kept = facts["rows_read"], facts["rows_kept"]
    provenance = facts["provenance"]
    left = read - kept
    said = (
        f"{left:,} could not be used and wait in quarantine, each with its reason" if left else "every row can be used"
    )
    return page(
        title="Collection",
        about=provenance["source"],
        lead=f"{kept:,} of {read:,} rows became a dataset for {facts['task']}; {said}.",
        headlines=[
            Headline(name="rows", value=f"{kept:,}", note=f"{percent(kept / max(read, 1))} of {read:,} read"),
            *_label_headline(facts),
            Headline(name="language", value=_language(facts), note=_languages(facts)),
            Headline(name="licence", value=facts["licence"] or "not declared", note=f"ground of use: {facts['consent'].replace('_', ' ')}"),
        ],
        sections=[one for one in (_came(facts), _labels(facts), _lengths(facts), _columns(facts), _rows(facts, media), _quarantine(facts)) if one],
        warnings=facts["warnings"],
        refused=facts["refused"],
    )  # fmt: skip


def _label_headline(facts: JSON) -> list[Headline]:
    labels = facts["labels"]
    if not labels:
        return []
    name, rows = next(iter(labels.items()))
    kind = "tags" if facts["task"] == "token-classification" else "labels"
    share = percent(rows / sum(labels.values()))
    return [Headline(name=kind, value=f"{len(labels):,}", note=f"most often {name[:40]}: {share}")]


def _language(facts: JSON) -> str:
    return str(facts["language"] or "not told")


def _languages(facts: JSON) -> str:
    if not facts["languages"]:
        return "declared" if facts["language_declared"] else "the rows hold no texts"
    found = ", ".join(f"{name} {percent(share)}" for name, share in list(facts["languages"].items())[:4])
    return f"{'declared; ' if facts['language_declared'] else ''}found in a sample: {found.replace('und', 'unclear')}"


def _came(facts: JSON) -> Section:
    streams = [Stream(label="usable", count=facts["rows_kept"], written=f"{facts['rows_kept']:,}", kind="good")]
    for one in sorted(facts["quarantined"], key=lambda one: -one["rows"])[:8]:
        streams.append(Stream(label=one["reason"], count=one["rows"], written=f"{one['rows']:,}", kind="warn"))
    said = Said(name="came", title="What came in", about="; ".join(f"{one.label}: {one.written}" for one in streams))
    known = {"dialect": "dialect", "format": "format", "encoding": "encoding", "revision": "revision"}
    if facts["task"] in _MEDIA_TASKS:
        del known["encoding"]
    rows = [[name, str(facts["provenance"][key])] for key, name in known.items() if facts["provenance"][key]]
    rows += [[f"declared split: {name}", f"{number:,} rows"] for name, number in facts["splits"].items()]
    read_as = table(["read as", ""], rows)
    if not facts["quarantined"]:
        return Section(heading="What came in", parts=[read_as])
    drawing = figure(charts.flow(said, streams, whole=f"{facts['rows_read']:,} rows read"), "Where the rows went")
    return Section(heading="What came in", parts=[pair(drawing, read_as)])


def _labels(facts: JSON) -> Section | None:
    labels = list(facts["labels"].items())
    if not labels:
        return None
    total = sum(facts["labels"].values())
    shown = labels[:_MAX_LABELS]
    rest = f" The {len(labels) - len(shown):,} others are not shown." if len(labels) > len(shown) else ""
    ratio = labels[0][1] / max(labels[-1][1], 1)
    note = f"The most frequent is {ratio:,.1f} times as frequent as the rarest.{rest}"
    kind = "tag" if facts["task"] == "token-classification" else "label"
    unit = "tokens" if kind == "tag" else "rows"
    return Section(heading=f"Balance of the {kind}s", note=note, parts=[counts((kind, unit), shown, total=total)])


def _lengths(facts: JSON) -> Section | None:
    lengths = facts["lengths"]
    if not lengths:
        return None
    unit = lengths["unit"]
    about = f"Half of the rows have at most {lengths['p50']:,} {unit}, 95% at most {lengths['p95']:,}."
    said = Said(name="lengths", title=f"Rows by length in {unit}", about=about)
    bins = [(float(low), float(high), rows) for low, high, rows in lengths["histogram"]]
    drawing = charts.histogram(said, bins, limit=float(lengths["p95"]), limit_label="95% are shorter")
    names = {"5% at most": "p5", "half": "p50", "mean": "mean", "95%": "p95", "99%": "p99", "longest": "max"}
    return Section(
        heading="How long the rows are",
        note=f"{about} The last column holds all that is longer.",
        parts=[
            figure(drawing, f"Rows by {unit}"),
            table(list(names), [[lengths[key] for key in names.values()]], caption=f"In {unit}"),
        ],
    )


def _columns(facts: JSON) -> Section:
    every = facts["columns"]
    rows = [
        [
            one["name"],
            one["type"],
            one["missing"],
            f"{one['least']:,.4g} to {one['most']:,.4g}, mean {one['mean']:,.4g}" if "least" in one else _distinct(one),
        ]
        for one in every[:_MAX_COLUMNS]
    ]
    note = f"The first {_MAX_COLUMNS} of {len(every):,}." if len(every) > _MAX_COLUMNS else ""
    return Section(heading="Columns", note=note, parts=[table(["column", "type", "missing", "what it holds"], rows)])


def _distinct(column: JSON) -> str:
    if "items" in column:
        return f"{column['items']:,} in each, on average"
    if "distinct" not in column:
        return "many different values" if column["type"] == "text" else "content of files"
    if not column["distinct"]:
        return "nothing"
    shown = ", ".join(value[:40] for value in column["examples"])
    return f"{column['distinct']:,} different: {shown}{' …' if column['distinct'] > len(column['examples']) else ''}"


def _rows(facts: JSON, media: Sequence[Mapping[str, bytes]]) -> Section:
    shown = facts["shown"]
    if facts["task"] in {"chat", "preference"}:
        turns = [
            [str(at), name, *_said(turn)]
            for at, row in enumerate(shown[:3], 1)
            for name, cell in row.items()
            for turn in (cell if isinstance(cell, list) else [cell] if cell else [])
        ]
        if facts["task"] == "chat":  # all of it is in one part
            headers, turns = ["row", "who", "what is said"], [[at, who, said] for at, _, who, said in turns]
        else:
            headers = ["row", "part", "who", "what is said"]
        return Section(heading="The first rows", parts=[examples(headers, turns)])
    names = list(dict.fromkeys(name for row in shown for name in row))[:8]
    rows = [
        [medium(files[name]) if name in files else _cell(row.get(name)) for name in names]
        for row, files in zip(shown, media, strict=True)
    ]
    return Section(heading="The first rows", parts=[examples(names, rows)])


def _said(turn: Any) -> tuple[str, str]:
    if not isinstance(turn, dict):
        return "–", str(turn)
    return str(turn.get("role")), str(turn.get("content") or turn.get("tool_calls") or "–")


def _cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, list) and all(isinstance(each, str) for each in cell):
        return " ".join(cell)
    return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)


def _quarantine(facts: JSON) -> Section | None:
    if not facts["quarantined"]:
        return None
    rows = [
        [one["reason"], example["detail"], example["raw"]]
        for one in facts["quarantined"]
        for example in one["examples"]
    ]
    return Section(
        heading="What could not be used",
        note="Nothing is lost: each of these rows is in the quarantine with its reason and what was read.",
        parts=[
            counts(("reason", "rows"), sorted(facts["rows_quarantined"].items(), key=lambda item: -item[1]), kind="warn", total=facts["rows_read"]),
            examples(["reason", "what is wrong", "what was read"], rows, caption="Examples"),
        ],
    )  # fmt: skip
