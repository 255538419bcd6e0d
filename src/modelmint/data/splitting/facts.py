"""What a split's report says: sizes, labels, times, what was kept together, and a check that nothing straddles."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.data.facts import counted, warning
from modelmint.data.splitting.rows import SplitRows
from modelmint.data.splitting.sides import LEAKED, NO_TIME, SETS, TEST, TRAIN, Folds, Sides
from modelmint.data.splitting.strata import has_classes, label_counts
from modelmint.data.splitting.times import UNREADABLE, written
from modelmint.data.splitting.units import Units

NUM_TIME_BINS = 48
LARGE_UNIT = 0.1
"""A unit that holds a larger share of the rows than this is worth a warning."""
MANY_LEAKED = 0.05
FAR = 0.05
"""Label shares of training and test further apart than this (total variation) are worth a warning."""
NUM_EXAMPLES = 3


def splitting(
    rows: SplitRows, units: Units, side: Sides, fold: Folds | None, *, method: str, fold_number: int, time: str | None
) -> dict[str, Any]:
    """The facts of the report. `refused` names what straddles, which is never so but by a fault of ours."""
    sets = {name: _set(rows, side == code, side) for name, code in SETS.items()}
    together = _together(rows, side)
    times = _times(rows.times, side, str(time)) if rows.times is not None else {}
    sizes = np.bincount(units.of_row, minlength=1)
    facts: dict[str, Any] = {
        "task": rows.form.task,
        "method": method,
        "rows": len(rows),
        "sets": sets,
        "leaked": int((side == LEAKED).sum()),
        "no_time": int((side == NO_TIME).sum()),
        "label_distance": _distance(sets["train"]["labels"], sets["test"]["labels"]),
        "units": units.num,
        "largest_unit": {"rows": int(sizes.max()), "share": round(int(sizes.max()) / max(len(rows), 1), 4)},
        "together": together,
        "time": times,
        "folds": _folds(rows, fold, fold_number) if fold is not None else {},
    }
    straddling = {name: one["straddling"] for name, one in together.items() if one["straddling"]}
    refused = [f"{count:,} values of {name} are in more than one set" for name, count in straddling.items()]
    facts["warnings"] = [*label_warnings(rows, side), *_warnings(facts), *_without_time(facts, rows)]
    facts["refused"] = refused
    return facts


def label_warnings(rows: SplitRows, side: Sides) -> list[dict[str, str]]:
    """Labels that cannot be measured or learned."""
    trained, tested = (label_counts(rows.form, rows.index, side == code) for code in (TRAIN, TEST))
    untested, unknown = sorted(set(trained) - set(tested)), sorted(set(tested) - set(trained))
    found = []
    if untested:
        found.append(warning("labels_not_tested", f"{_some(untested)}: too few rows to be in the test set"))
    if unknown:
        found.append(warning("labels_not_trained", f"{_some(unknown)}: in the test set but not in training"))
    return found


def largest_unit(units: Units) -> npt.NDArray[np.int64]:
    """The places of a few rows of the largest unit, where it has more than one; in rising order."""
    sizes = np.bincount(units.of_row, minlength=1)
    if sizes.max() < 2:
        return np.empty(0, np.int64)
    largest = np.flatnonzero(sizes == sizes.max())
    chosen = largest[np.argmin(units.key[largest])]
    return np.asarray(np.flatnonzero(units.of_row == chosen)[:NUM_EXAMPLES])


def _set(rows: SplitRows, where: npt.NDArray[np.bool_], side: Sides) -> dict[str, Any]:
    num_rows, num_all = int(where.sum()), int((side < LEAKED).sum())
    about: dict[str, Any] = {
        "rows": num_rows,
        "share": round(num_rows / max(num_all, 1), 4),
        "labels": counted(label_counts(rows.form, rows.index, where)),
    }
    if rows.targets is not None:
        known = rows.targets[where & np.isfinite(rows.targets)]
        quartiles = np.quantile(known, [0, 0.25, 0.5, 0.75, 1]) if len(known) else np.empty(0)
        about["target"] = dict(
            zip(("min", "p25", "p50", "p75", "max"), (float(f"{x:.6g}") for x in quartiles), strict=False)
        )
    return about


def _together(rows: SplitRows, side: Sides) -> dict[str, dict[str, int]]:
    """For each thing that rows share: how many values several rows have, those rows, and values found in two sets.

    Counted anew from the rows' own values, not from the units that the split was made by.
    """
    text = np.unique(rows.index.fingerprint, return_inverse=True)[1].astype(np.int64)
    found = {}
    for name, number in {"text": text, **rows.keys}.items():
        there = number >= 0
        counts = np.bincount(number[there], minlength=1)
        placed = there & (side < LEAKED)
        low, high = np.full(len(counts), 127, np.int8), np.full(len(counts), -1, np.int8)
        np.minimum.at(low, number[placed], side[placed])
        np.maximum.at(high, number[placed], side[placed])
        found[name] = {
            "values": int((counts > 0).sum()),
            "shared": int((counts > 1).sum()),
            "rows": int(counts[counts > 1].sum()),
            "straddling": int((high > low).sum()),
        }
    return found


def _times(times: npt.NDArray[np.int64], side: Sides, column: str) -> dict[str, Any]:
    there = times != UNREADABLE
    of_set, times = {name: times[(side == code) & there] for name, code in SETS.items()}, times[there]
    known = [(name, mine) for name, mine in of_set.items() if len(mine)]
    edges = np.unique(np.linspace(times.min(), times.max() + 1, NUM_TIME_BINS + 1).astype(np.int64))
    return {
        "column": column,
        "in_order": all(one.max() < other.min() for (_, one), (_, other) in pairwise(known)),
        "sets": {name: [written(int(mine.min())), written(int(mine.max()))] for name, mine in known},
        "edges": [written(int(edge)) for edge in edges],
        "counts": {name: np.histogram(mine, edges)[0].tolist() for name, mine in of_set.items()},
    }


def _folds(rows: SplitRows, fold: Folds, chosen: int) -> dict[str, Any]:
    numbers = range(int(fold.max()) + 1)
    return {
        "chosen": chosen,
        "rows": [int((fold == number).sum()) for number in numbers],
        "labels": [len(label_counts(rows.form, rows.index, fold == number)) for number in numbers]
        if has_classes(rows.form)
        else [],
    }


def _distance(first: dict[str, int], second: dict[str, int]) -> float | None:
    """Total variation: the share of one set's rows that would need another label to have the other's shares."""
    if not first or not second:
        return None
    one, other = sum(first.values()), sum(second.values())
    names = set(first) | set(second)
    return round(sum(abs(first.get(name, 0) / one - second.get(name, 0) / other) for name in names) / 2, 4)


def _warnings(facts: dict[str, Any]) -> list[dict[str, str]]:
    unit, rows, distance = facts["largest_unit"], facts["rows"], facts["label_distance"]
    found, folds = [], facts["folds"].get("rows", [])
    if unit["share"] > LARGE_UNIT and unit["rows"] > 1:
        shares = f"{unit['rows']:,} rows ({unit['share']:.1%}) hang together and are on one side"
        found.append(warning("large_unit", f"{shares}: the sets can be far from their sizes"))
    if facts["leaked"] > MANY_LEAKED * rows:
        share = f"{facts['leaked']:,} rows ({facts['leaked'] / rows:.1%}) share a text or group with a later or declared set"
        found.append(warning("many_leaks", f"{share}, and are used nowhere"))
    if distance is not None and distance > FAR:
        found.append(
            warning("labels_differ", f"the shares of the labels in training and test differ by {distance:.1%}")
        )
    if facts["time"] and not facts["time"]["in_order"] and facts["method"] != "each":
        found.append(warning("not_in_order", "a declared set is older than one that should be older than it"))
    if folds and max(folds) > 1.25 * min(folds):
        found.append(warning("uneven_folds", f"the smallest fold has {min(folds):,} rows, the largest {max(folds):,}"))
    if facts["sets"]["validation"]["rows"] == 0:
        found.append(warning("no_validation", "no validation rows: the last epoch is kept, whichever is best"))
    return found


def _without_time(facts: dict[str, Any], rows: SplitRows) -> list[dict[str, str]]:
    if not facts["no_time"]:
        return []
    told = (
        f"{facts['no_time']:,} rows have no time that can be read, and are put aside, such as {', '.join(rows.unread)}"
    )
    return [warning("no_time", told)]


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
