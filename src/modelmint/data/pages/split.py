"""The page of a split: how large the sets are, what is in them, and that nothing straddles."""

from typing import Any

from markupsafe import Markup

from modelmint.core import charts, svg
from modelmint.core.charts import Said, Stream
from modelmint.core.formats import percent, short
from modelmint.core.pages import Headline, Section, counts, figure, page, table

KINDS = {"train": "accent", "validation": "accent mid", "test": "accent deep"}
NAMES = {"train": "training", "validation": "validation", "test": "test"}
MAX_LABELS = 30
MAX_DRAWN = 12
_HOW = {
    "declared": "The test set is the one that the source declares.",
    "time": "The newest rows are the test set, so that the model is tested on what came after all it learned.",
    "each": "The newest row of each is in the test set, the one before it in validation.",
    "folds": "The test set is one fold of a cross-validation.",
    "drawn": "The sets are drawn at random from the seed.",
}
_WHAT = {"text": "equal texts", "_group": "rows of one group", "_cluster": "near-copies"}


def split_page(facts: dict[str, Any], *, about: str) -> str:
    """``report.html`` of the facts of `splitting.splitting`."""
    sets, refused = facts["sets"], facts["refused"]
    unit = facts["largest_unit"]
    parts = [f"{sets[name]['rows']:,} rows to {word}" for name, word in NAMES.items()]
    together = sum(one["rows"] for one in facts["together"].values())
    kept = "Nothing that belongs together is parted." if not refused else "Something straddles."
    return page(
        title="Split",
        about=about,
        lead=f"{', '.join(parts)}. {_HOW[facts['method']]} {kept}",
        headlines=[
            *(Headline(name=word, value=f"{sets[name]['rows']:,}", note=f"{percent(sets[name]['share'])} of the rows") for name, word in NAMES.items()),
            Headline(name="straddling", value=f"{sum(one['straddling'] for one in facts['together'].values()):,}", note=f"{together:,} times a row shares something" if together else "no rows share anything"),
            Headline(name="largest unit", value=f"{unit['rows']:,}", note=f"{percent(unit['share'])} of the rows hang together" if unit["rows"] > 1 else "every row stands alone"),
        ],
        sections=[one for one in (_rows(facts), _times(facts), _labels(facts), _targets(facts), _folds(facts), _together(facts)) if one],
        warnings=[one["message"] for one in facts["warnings"]],
        refused=refused,
    )  # fmt: skip


def _rows(facts: dict[str, Any]) -> Section:
    streams = [
        Stream(label=NAMES[name], count=one["rows"], written=f"{one['rows']:,} · {percent(one['share'])}", kind=KINDS[name])
        for name, one in facts["sets"].items()
    ]  # fmt: skip
    if facts["leaked"]:
        streams.append(
            Stream(label="leaks, put aside", count=facts["leaked"], written=f"{facts['leaked']:,}", kind="warn")
        )
    if facts["no_time"]:
        streams.append(
            Stream(
                label="without a time, put aside", count=facts["no_time"], written=f"{facts['no_time']:,}", kind="warn"
            )
        )
    said = Said(name="rows", title="Rows by set", about="; ".join(f"{one.label}: {one.written}" for one in streams))
    whole = f"{facts['rows']:,} rows"
    return Section(heading="Where the rows went", parts=[charts.flow(said, streams, whole=whole)])


def _times(facts: dict[str, Any]) -> Section | None:
    times = facts["time"]
    if not times:
        return None
    order = (
        "every training row is older than every validation row, and those than every test row"
        if times["in_order"]
        else "the sets overlap in time"
    )
    rows = [[NAMES[name], facts["sets"][name]["rows"], *ends] for name, ends in times["sets"].items()]
    return Section(
        heading="In time",
        note=f"By column {times['column']}: {order}.",
        parts=[_timeline(times), table(["set", "rows", "oldest", "newest"], rows)],
    )


def _timeline(times: dict[str, Any]) -> Markup:
    """Rows over time, stacked by set."""
    edges, of_set = times["edges"], times["counts"]
    width, stacked = 100 / max(len(edges) - 1, 1), [sum(bins) for bins in zip(*of_set.values(), strict=True)]
    most = max(stacked) or 1
    marks = [svg.line(0, 150, 100, 150, kind="axis")]
    base = [150.0] * len(stacked)
    for name, bins in of_set.items():
        for at, count in enumerate(bins):
            height = 130 * count / most
            base[at] -= height
            tip = f"{edges[at]} – {edges[at + 1]}: {count:,} {NAMES[name]}"
            if count:
                marks.append(
                    svg.box(at * width + 0.1, base[at], width - 0.2, height, kind=f"fill {KINDS[name]}", tip=tip)
                )
    marks += [
        svg.text(0, 168, edges[0]),
        svg.text(50, 168, edges[len(edges) // 2].partition("T")[0], anchor="middle"),
        svg.text(100, 168, edges[-1], anchor="end"),
    ]
    about = "; ".join(f"{NAMES[name]}: {ends[0]} to {ends[1]}" for name, ends in times["sets"].items())
    drawn = svg.drawing(marks, height=174, name="timeline", title="Rows over time, by set", about=about)
    return figure(drawn, "Rows over time", "Training, validation and test from the lighter to the darker colour.")


def _labels(facts: dict[str, Any]) -> Section | None:
    sets = facts["sets"]
    names = sorted({label for one in sets.values() for label in one["labels"]})
    if not names:
        return None
    of_label = {label: sum(one["labels"].get(label, 0) for one in sets.values()) for label in names}
    shown = sorted(names, key=lambda label: (-of_label[label], label))[:MAX_LABELS]
    rows = [[short(label), *(sets[name]["labels"].get(label, 0) for name in NAMES), of_label[label]] for label in shown]
    differ = f"Training and test differ by {percent(facts['label_distance'] or 0)} of the rows."
    more = f" The {MAX_LABELS} commonest of {len(names):,} labels are shown." if len(names) > len(shown) else ""
    return Section(
        heading="Labels in each set",
        note=f"Each label's share of the training, the validation and the test rows. {differ}{more}",
        parts=[_shares(sets, shown[:MAX_DRAWN]), table(["label", *NAMES.values(), "all"], rows)],
    )


def _shares(sets: dict[str, Any], labels: list[str]) -> Markup:
    """For each label three bars, one a set."""
    totals = {name: max(sum(sets[name]["labels"].values()), 1) for name in NAMES}
    shares = {(label, name): sets[name]["labels"].get(label, 0) / totals[name] for label in labels for name in NAMES}
    most, marks, told = max(shares.values()) or 1.0, list[Markup](), list[str]()
    for at, label in enumerate(labels):
        top = 44 * at
        figures = " · ".join(percent(shares[label, name]) for name in NAMES)
        marks += [
            svg.text(0, top + 14, short(label), kind="name"),
            svg.text(100, top + 14, figures, kind="number", anchor="end"),
        ]
        for place, name in enumerate(NAMES):
            tip = f"{label}, {NAMES[name]}: {percent(shares[label, name])}"
            width = 100 * shares[label, name] / most
            marks.append(svg.box(0, top + 20 + 6 * place, width, 5, kind=f"fill {KINDS[name]}", radius=1, tip=tip))
        told.append(f"{short(label)}: {figures}")
    title = "Shares of labels in training, validation and test"
    return svg.drawing(marks, height=44 * len(labels) + 4, name="shares", title=title, about="; ".join(told))


def _targets(facts: dict[str, Any]) -> Section | None:
    targets = {name: one["target"] for name, one in facts["sets"].items() if one.get("target")}
    if not targets:
        return None
    rows = [[NAMES[name], *ends.values()] for name, ends in targets.items()]
    headers = ["set", "smallest", "lower quarter", "median", "upper quarter", "largest"]
    return Section(heading="The target in each set", parts=[table(headers, rows)])


def _folds(facts: dict[str, Any]) -> Section | None:
    folds = facts["folds"]
    if not folds:
        return None
    found = [
        (f"fold {number}{' (the test set)' if number == folds['chosen'] else ''}", count)
        for number, count in enumerate(folds["rows"])
    ]
    note = "Every row is in exactly one fold; the same seed gives the same folds whichever of them is the test set."
    return Section(heading="Folds", note=note, parts=[counts(("fold", "rows"), found, total=facts["rows"])])


def _together(facts: dict[str, Any]) -> Section:
    rows = [
        [_WHAT.get(name, f"rows with one {name}"), one["values"], one["shared"], one["rows"], one["straddling"]]
        for name, one in facts["together"].items()
    ]
    headers = ["what rows share", "different values", "shared by several rows", "those rows", "in more than one set"]
    examples = facts["largest_unit"].get("examples", [])
    largest = f" The largest unit holds {', '.join(examples)} …" if examples else ""
    note = "Counted anew after the split, from the rows themselves; the last column must be zero."
    return Section(heading="What was kept together", note=note + largest, parts=[table(headers, rows)])
