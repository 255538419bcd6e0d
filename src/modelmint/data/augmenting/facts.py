"""What an augmentation's report says: what was added and why, how labels stand now, and how groups do."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelmint.core.forms import Form
from modelmint.data.augmenting.growing import Growing
from modelmint.data.augmenting.row_edits import LEFT_ALONE
from modelmint.data.facts import counted, warning
from modelmint.data.slices import FOUR_FIFTHS
from modelmint.data.splitting.strata import has_classes

_EVEN = {
    "oversample": "oversampled",
    "undersample": "undersampled",
    "weights": "weighted",
    "none": "left as they are",
}


def augmentation(
    form: Form,
    growing: Growing,
    *,
    asked: Mapping[str, Any],
    labels: tuple[Mapping[str, int], Mapping[str, int]],
    weights: Mapping[str, float],
    short: Sequence[str],
    num_rows: tuple[int, int],
    slices: tuple[list[dict[str, Any]], list[dict[str, Any]]],
    set_aside: Mapping[str, int],
) -> dict[str, Any]:
    """The facts of the report.

    Args:
        labels, num_rows, slices: before and after.
        short: labels that stay short of their number, since no row gets more copies than is allowed.
        set_aside: rows in quarantine by reason.
    """
    new = sum(growing.edits.values()) + growing.num_repeated + growing.num_synthetic
    classes = has_classes(form)
    facts: dict[str, Any] = {
        "task": form.task,
        "asked": dict(asked),
        "rows_before": num_rows[0],
        "rows_after": num_rows[1],
        "new_rows": {
            "changed": sum(growing.edits.values()),
            "synthetic": growing.num_synthetic,
            "repeated": growing.num_repeated,
        },
        "changes": dict(sorted(growing.edits.items())),
        "unchanged": growing.num_unchanged,
        "set_aside": dict(set_aside),
        "labels": {"how": _EVEN[asked["balance"]], "before": counted(labels[0]), "after": counted(labels[1])}
        if classes
        else {},
        "weights": {name: round(weight, 6) for name, weight in weights.items()},
        "left_alone": LEFT_ALONE.get(form.task, ""),
        "examples": growing.examples,
        "slices": {"before": slices[0], "after": slices[1]},
    }
    facts["warnings"] = _warnings(facts, growing, new, short, classes=classes)
    facts["refused"] = []
    return facts


def _warnings(
    facts: dict[str, Any], growing: Growing, num_new: int, short: Sequence[str], *, classes: bool
) -> list[dict[str, str]]:
    asked, found = facts["asked"], []
    if facts["left_alone"] and asked["copies"]:
        found.append(warning("left_alone", f"no copies are made of {facts['task']} rows: {facts['left_alone']}"))
    if asked["balance"] != "none" and not classes:
        found.append(warning("no_labels", f"{facts['task']} rows have not one label each: nothing was evened out"))
    if short:
        names = ", ".join(short[:10]) + (f" and {len(short) - 10} more" if len(short) > 10 else "")
        found.append(
            warning("short", f"{names}: still rarer than asked for, since max_copies is {asked['max_copies']}")
        )
    if facts["unchanged"]:
        text = (
            f"{facts['unchanged']:,} copies were not made: nothing in their rows could be changed (too few words, say)"
        )
        found.append(warning("unchanged", text))
    if growing.copied:
        text = f"{', '.join(sorted(growing.copied)[:10])}: a single row, which was repeated; new rows need two to lie between"
        found.append(warning("one_row", text))
    if asked["copies"] == 0 and asked["balance"] == "none":
        found.append(warning("nothing_asked", "neither copies nor balance is set: the rows are as they were"))
    if num_new > 4 * facts["rows_before"]:
        found.append(
            warning("mostly_new", f"of five rows more than four are new: {num_new:,} came to {facts['rows_before']:,}")
        )
    return [*found, *_unlike(facts["slices"]["before"])]  # fmt: skip


def _unlike(slices: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """For each column the label that is far rarer in one group than in another, and not by chance."""
    found = []
    for one in slices:
        ends = {label: ends for label, ends in one["extremes"].items() if ends["apart"] and ends["ratio"] < FOUR_FIFTHS}
        if ends:
            label = min(ends, key=lambda name: (ends[name]["ratio"], name))
            told = f"{ends[label]['ratio']:.2f} times as frequent for {ends[label]['lowest']!r} as for {ends[label]['highest']!r}"
            found.append(warning("unlike_groups", f"{one['column']}: {label} is {told}"))
    return found
