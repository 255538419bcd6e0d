"""The facts of the report of `deduplicate`: what was found, how large the clusters are, and examples to judge by."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from modelmint.core import forms
from modelmint.core.forms import Form
from modelmint.core.tables import batches
from modelmint.core.types import Dataset
from modelmint.data.copies.fates import KEEP, NEAR_KNOWN, NEAR_LEAK, Copies
from modelmint.data.copies.finding import Found
from modelmint.data.copies.folding import Ints
from modelmint.data.copies.likeness import similarity

SIZES = (("2", 2, 2), ("3", 3, 3), ("4", 4, 4), ("5 to 9", 5, 9), ("10 to 99", 10, 99), ("100 and more", 100, 1 << 62))
NUM_CLUSTERS, NUM_MEMBERS, NUM_EXAMPLES = 8, 3, 8
SHOWN_CHARS = 300


def deduplication(
    spec: dict[str, Any], data: Dataset, known: Dataset | None, form: Form, found: Found, copies: Copies
) -> dict[str, Any]:
    """What the report says; everything in it follows from the rows and the spec."""
    num = len(copies.fate)
    leaks = {
        "training_near_evaluation": int((copies.fate == NEAR_LEAK).sum()),
        "validation_near_test": int(copies.straddling.sum()),
        "evaluation_near_known": int(copies.known.sum()),
    }
    sizes = np.bincount(copies.cluster, minlength=len(copies.cluster))
    several = sizes[sizes > 1]
    most = spec["max_leaks"]
    return {
        "task": form.task,
        "spec": spec,
        "compared_by": found.by,
        "columns": list(found.columns),
        "left_alone": found.left_alone,
        "rows": num,
        "rows_known": known.num_rows if known is not None else 0,
        "rows_kept": num - sum(copies.counts().values()) if spec["action"] == "drop" else num,
        "reasons": copies.counts(),
        "clusters": len(several),
        "rows_in_clusters": int(several.sum()),
        "cluster_sizes": [
            {"size": name, "clusters": int(((several >= low) & (several <= high)).sum())} for name, low, high in SIZES
        ],
        "pairs_by_similarity": found.pairs_by_similarity,
        "leaks": leaks,
        "conflicts": {
            "rows": int(copies.mixed.sum()),
            "clusters": len(np.unique(copies.cluster[:num][copies.mixed])),
        },
        **_examples(data, known, form, copies),
        "refused": [_sentence(leaks, most)] if most is not None and copies.num_leaks > most else [],
    }


def _sentence(leaks: dict[str, int], most: int) -> str:
    said = [f"{count:,} {name.replace('_', ' ')}" for name, count in leaks.items() if count]
    return f"max_leaks: at most {most:,} rows may leak; there are {sum(leaks.values()):,} ({', '.join(said)})"


def _examples(data: Dataset, known: Dataset | None, form: Form, copies: Copies) -> dict[str, Any]:
    """The largest clusters, some leaks, conflicts and pairs, with their texts."""
    num = len(copies.fate)
    sizes = np.bincount(copies.cluster, minlength=len(copies.cluster))
    largest = np.argsort(-sizes, kind="stable")[:NUM_CLUSTERS]
    members = {
        int(first): np.flatnonzero(copies.cluster == first)[:NUM_MEMBERS] for first in largest if sizes[first] > 1
    }
    mixed = _spread(np.unique(copies.cluster[:num][copies.mixed]))
    conflicts = {int(first): np.flatnonzero((copies.cluster[:num] == first) & copies.mixed) for first in mixed}
    leaks, dropped = (
        _spread(np.flatnonzero(some))
        for some in (
            np.isin(copies.fate, (NEAR_LEAK, NEAR_KNOWN)),
            (copies.fate != KEEP) & ~np.isin(copies.fate, (NEAR_LEAK, NEAR_KNOWN)),
        )
    )
    straddling = _spread(np.flatnonzero(copies.straddling | copies.known))
    wanted = [*members.values(), *conflicts.values(), leaks, dropped, straddling]
    wanted += [copies.because[leaks], copies.because[dropped]]
    shown = _shown(data, known, form, np.unique(np.concatenate([np.empty(0, np.int64), *wanted])))

    def pairs(places: Ints) -> list[dict[str, Any]]:
        return [_pair(shown[place], shown[int(copies.because[place])]) for place in places.tolist()]

    return {
        "largest": [
            {"size": int(sizes[first]), "texts": [shown[place]["text"] for place in places.tolist()]}
            for first, places in members.items()
        ],
        "examples": {
            "leaks": pairs(leaks),
            "copies": pairs(dropped),
            "conflicts": [
                [{"text": shown[place]["text"], "label": shown[place]["label"]} for place in _labels(places, shown)]
                for places in conflicts.values()
            ],
            "evaluation": [shown[place]["text"] for place in straddling.tolist()],
        },
    }


def _pair(row: dict[str, str], other: dict[str, str]) -> dict[str, Any]:
    return {
        "row": row["row"], "text": row["text"], "other": other["row"], "other_text": other["text"],
        "similarity": round(similarity(row["whole"], other["whole"]), 3),
    }  # fmt: skip


def _labels(places: Ints, shown: dict[int, dict[str, str]]) -> list[int]:
    """The first row of each label."""
    return list({shown[place]["label"]: place for place in reversed(places.tolist())}.values())[::-1]


def _spread(places: Ints) -> Ints:
    """At most `NUM_EXAMPLES` of them, from all over."""
    if len(places) <= NUM_EXAMPLES:
        return places
    return places[np.linspace(0, len(places) - 1, NUM_EXAMPLES).astype(np.int64)]


def _shown(data: Dataset, known: Dataset | None, form: Form, places: Ints) -> dict[int, dict[str, str]]:
    """Place -> row, text and label of the rows at these places of both datasets."""
    found: dict[int, dict[str, str]] = {}
    start = 0
    for batch in _batches((data, known)) if len(places) else ():
        low, high = np.searchsorted(places, (start, start + batch.num_rows))
        if high > low:
            taken = batch.take((places[low:high] - start).tolist())
            columns = taken.column("_row").to_pylist(), forms.contents(taken, form), forms.labels(taken, form)
            for place, row, text, label in zip(places[low:high].tolist(), *columns, strict=True):
                cut = text.replace("\x1f", " · ")[:SHOWN_CHARS]
                found[place] = {"row": row, "text": cut, "whole": text, "label": label}
        start += batch.num_rows
    return found


def _batches(datasets: Iterable[Dataset | None]) -> Iterable[Any]:
    return (batch for dataset in datasets if dataset is not None for batch in batches(dataset))
