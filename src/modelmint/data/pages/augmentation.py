"""The page of an augmentation: what was added, how the labels stand, and what differs between groups."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from modelmint.core import charts, svg
from modelmint.core.charts import Range, Said, Stream
from modelmint.core.formats import percent, short
from modelmint.core.pages import Headline, Section, counts, examples, figure, medium, page, table

MAX_LABELS = 30
MAX_SLICES = 8
_NEW = {
    "changed": "changed copies",
    "synthetic": "new rows between old ones",
    "repeated": "rows repeated as they are",
}
_CHANGES = {
    "delete": "words dropped",
    "swap": "words swapped",
    "typos": "typing errors",
    "case": "capitals",
    "punctuation": "punctuation",
    "back_translation": "translated there and back",
}


def augment_page(facts: dict[str, Any], media: Sequence[tuple[str, str, bytes, bytes]], *, about: str) -> str:
    """``report.html`` of the facts of `augmentation.augmentation`.

    Args:
        media: `_row`, change, before and after of some copies of images or recordings.
    """
    before, after = facts["rows_before"], facts["rows_after"]
    new, gone = sum(facts["new_rows"].values()), sum(facts["set_aside"].values())
    added = f"{new:,} new rows came to {before:,}" if new else f"{before:,} rows and no new ones"
    aside = f"; {gone:,} were put aside" if gone else ""
    weighted = "; rows of rare labels weigh more" if facts["weights"] else ""
    sections = [_rows(facts), _labels(facts), _changes(facts, media), *_slices(facts)]
    return page(
        title="Augmentation",
        about=about,
        lead=f"{added}{aside}{weighted}. Validation and test rows are not touched.",
        headlines=_headlines(facts, new, before, after),
        sections=[one for one in sections if one],
        warnings=[one["message"] for one in facts["warnings"]],
        refused=facts["refused"],
    )


def _headlines(facts: dict[str, Any], new: int, before: int, after: int) -> list[Headline]:
    labels = facts["labels"]
    found = [
        Headline(name="rows to train on", value=f"{after:,}", note=f"{before:,} before"),
        Headline(name="new rows", value=f"{new:,}", note=f"{percent(new / max(after, 1))} of all"),
    ]
    if labels:
        found += [
            Headline(
                name="commonest to rarest label",
                value=f"{_imbalance(facts, labels['after']):.3g} : 1",
                note=f"{_ratio(labels['before']):.3g} : 1 before",
            )
        ]
    if facts["weights"]:
        heaviest = max(facts["weights"].values())
        found += [Headline(name="heaviest row", value=f"{heaviest:.3g}", note="the mean is 1")]
    return found  # fmt: skip


def _rows(facts: dict[str, Any]) -> Section:
    gone = sum(facts["set_aside"].values())
    streams = [
        Stream(
            label="rows as they were",
            count=facts["rows_before"] - gone,
            written=f"{facts['rows_before'] - gone:,}",
            kind="accent",
        )
    ]
    streams += [
        Stream(label=words, count=facts["new_rows"][name], written=f"{facts['new_rows'][name]:,}", kind="accent mid")
        for name, words in _NEW.items()
        if facts["new_rows"][name]
    ]
    if gone:
        streams.append(Stream(label="put aside", count=gone, written=f"{gone:,}", kind="warn"))
    said = Said(
        name="rows", title="Old and new rows", about="; ".join(f"{one.label}: {one.written}" for one in streams)
    )
    whole = f"{sum(one.count for one in streams):,} rows"
    return Section(heading="Old and new rows", note=facts["left_alone"] and f"No copies: {facts['left_alone']}.", parts=[charts.flow(said, streams, whole=whole)])  # fmt: skip


def _labels(facts: dict[str, Any]) -> Section | None:
    labels, weights = facts["labels"], facts["weights"]
    if not labels:
        return None
    before, after = labels["before"], labels["after"]
    names = sorted(before, key=lambda name: (-before[name], name))[:MAX_LABELS]
    headers = ["label", "rows before", "rows after", *(["weight of a row", "rows × weight"] if weights else [])]
    rows = [
        [short(name), before[name], after.get(name, 0), *([weights[name], weights[name] * after.get(name, 0)] if weights else [])]
        for name in names
    ]  # fmt: skip
    more = f" The {MAX_LABELS} commonest of {len(before):,}." if len(before) > len(names) else ""
    drawn = _bars(names[:12], before, {name: after.get(name, 0) * weights.get(name, 1.0) for name in names})
    note = (
        f"Labels are {labels['how']}. The upper bar is before, the lower after{', by weight' if weights else ''}.{more}"
    )
    return Section(heading="Labels before and after", note=note, parts=[drawn, table(headers, rows)])


def _bars(names: list[str], before: Mapping[str, int], after: Mapping[str, float]) -> Markup:
    """Two bars a label on one scale."""
    most, marks = (
        max([*(before[name] for name in names), *(after[name] for name in names)], default=1) or 1,
        list[Markup](),
    )
    told = []
    for at, name in enumerate(names):
        top, written = 38 * at, f"{before[name]:,} → {after[name]:,.0f}"
        marks += [
            svg.text(0, top + 14, short(name), kind="name"),
            svg.text(100, top + 14, written, kind="number", anchor="end"),
            svg.box(
                0, top + 20, 100 * before[name] / most, 5, kind="fill", radius=1, tip=f"{name} before: {before[name]:,}"
            ),
            svg.box(
                0,
                top + 26,
                100 * after[name] / most,
                5,
                kind="fill accent",
                radius=1,
                tip=f"{name} after: {after[name]:,.0f}",
            ),
        ]
        told.append(f"{short(name)}: {written}")
    return svg.drawing(marks, height=38 * len(names) + 2, name="labels", title="Labels before and after", about="; ".join(told))  # fmt: skip


def _changes(facts: dict[str, Any], media: Sequence[tuple[str, str, bytes, bytes]]) -> Section | None:
    if not facts["changes"]:
        return None
    found = [(_CHANGES.get(name, name.replace("+", ", ")), count) for name, count in facts["changes"].items()]
    rows = [[_unbroken(one["_row"]), _unbroken(_CHANGES.get(one["change"], one["change"])), one["before"], one["after"]] for one in facts["examples"]]  # fmt: skip
    rows += [
        [_unbroken(row), how.replace("+", ", "), medium(before), medium(after)] for row, how, before, after in media
    ]
    shown = [examples(["row", "change", "before", "after"], rows, caption="Some copies")] if rows else []
    return Section(
        heading="How copies were changed",
        note="A copy depends on its row, its number and the seed alone. Its `_of` names the row it came from.",
        parts=[counts(("change", "copies"), sorted(found, key=lambda one: -one[1])), *shown],
    )


def _unbroken(word: str) -> Markup:
    return Markup('<span style="white-space: nowrap">{}</span>').format(short(word, 24))


def _slices(facts: dict[str, Any]) -> list[Section]:
    later = {one["column"]: one for one in facts["slices"]["after"]}
    return [_slice(at, one, later[one["column"]]) for at, one in enumerate(facts["slices"]["before"][:MAX_SLICES])]


def _slice(at: int, before: Mapping[str, Any], after: Mapping[str, Any]) -> Section:
    """One column: how large its groups are, and how often the label that differs most is in them."""
    column, extremes = before["column"], before["extremes"]
    then = {one["group"]: one for one in after["groups"]}
    headers, parts = ["group", "rows before", "share before", "share after"], list[Markup]()
    rows: list[list[Any]] = [
        [short(one["group"]) + (" (small)" if one["small"] else ""), one["rows"], percent(one["share"]), percent(then.get(one["group"], {"share": 0.0})["share"])]
        for one in before["groups"]
    ]  # fmt: skip
    note = "Groups are compared where they have enough rows; lines are 95% intervals (Wilson)."
    if extremes:
        label = min(extremes, key=lambda name: extremes[name]["ratio"])
        ends = extremes[label]
        apart = "and chance does not explain it" if ends["apart"] else "which chance may explain"
        told = f"{label}: {ends['ratio']:.2f} times as frequent for {ends['lowest']} as for {ends['highest']}, {apart}."
        note = f"{told if ends['ratio'] < 1 else 'Every label is as frequent in each group.'} {note}"
        ranges = [_range(one, label) for one in before["groups"] if one["rates"]]
        about = "; ".join(f"{one.label}: {one.written}" for one in ranges)
        drawn = charts.intervals(Said(name=f"slice{at}", title=f"Rate of {label} by {column}", about=about), ranges)
        parts.append(figure(drawn, f"How often the label is {short(label)}", "Before anything was added."))
        later = {name: one["rates"].get(label, [0.0])[0] for name, one in then.items()}
        headers.append(f"{short(label)} after")
        rows = [[*row, percent(later.get(one["group"], 0.0))] for row, one in zip(rows, before["groups"], strict=True)]
    return Section(heading=f"By {column}", note=note, parts=[*parts, table(headers, rows)])


def _range(group: Mapping[str, Any], label: str) -> Range:
    value, low, high = group["rates"][label]
    written = f"{percent(value)} of {group['rows']:,}{' (small)' if group['small'] else ''}"
    return Range(
        label=short(group["group"]), value=value, low=min(low, value), high=max(high, value), written=written,
        kind="base" if group["small"] else "accent",
    )  # fmt: skip


def _imbalance(facts: dict[str, Any], after: Mapping[str, int]) -> float:
    """Of rows times their weights, where they have some."""
    return _ratio({name: count * facts["weights"].get(name, 1.0) for name, count in after.items()})


def _ratio(sizes: Mapping[str, float]) -> float:
    return max(sizes.values(), default=1) / max(min(sizes.values(), default=1), 1e-12)
