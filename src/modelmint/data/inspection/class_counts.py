"""How often each label occurs, whatever a task calls a label, and which labels cannot be learned or are one in two."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelmint.core import forms
from modelmint.core.forms import Form
from modelmint.core.types import Dataset
from modelmint.data.fates import conflicting
from modelmint.data.index import RowIndex, rows_at

_NUM_EXAMPLES = 5

HAS_CLASSES = (
    "text-classification",
    "text-pair-classification",
    "multi-label-classification",
    "token-classification",
    "tabular-classification",
    "image-classification",
    "audio-classification",
)
"""Tasks whose answer is one or several of a few labels; of the others no balance is counted."""


@dataclass(kw_only=True)
class Numbers:
    """The labels of a regression: their range, mean and deviation."""

    num: int = 0
    low: float = np.inf
    high: float = -np.inf
    total: float = 0.0
    squares: float = 0.0

    def see(self, values: npt.NDArray[Any]) -> None:
        """Take in more; those that are no number are left out."""
        known = values.astype(np.float64)
        known = known[np.isfinite(known)]
        if len(known):
            self.num += len(known)
            self.low, self.high = min(self.low, float(known.min())), max(self.high, float(known.max()))
            self.total += float(known.sum())
            self.squares += float((known**2).sum())

    def facts(self) -> dict[str, float]:
        """Empty where there was none."""
        if not self.num:
            return {}
        mean = self.total / self.num
        deviation = max(self.squares / self.num - mean**2, 0.0) ** 0.5
        named = {"min": self.low, "max": self.high, "mean": mean, "deviation": deviation}
        return {name: float(f"{value:.6g}") for name, value in named.items()}


@dataclass(kw_only=True)
class ClassCounts:
    """Labels as they pass.

    Of tagged sentences the entities are counted, of several labels a row each of them; of a regression the numbers are
    summed.
    """

    form: Form
    entities: Counter[str] = field(default_factory=Counter)
    numbers: Numbers = field(default_factory=Numbers)

    def see(self, batch: pa.RecordBatch) -> None:
        """Count what the index of rows (`data.index`) does not."""
        if self.form.task == "token-classification":
            for tags in batch.column("tags").to_pylist():
                self.entities.update(entities(tags or ()))
        if self.form.predicts == "classes":
            for names in batch.column(str(self.form.label)).to_pylist():
                self.entities.update(set(names or ()))
        if self.form.predicts == "number":
            self.numbers.see(batch.column("label").to_numpy(zero_copy_only=False))

    def facts(self, rows: RowIndex, min_rows: int) -> dict[str, Any]:
        """The fact `labels`; empty for a task without."""
        if self.form.predicts == "number":
            return {"numbers": self.numbers.facts()}
        if self.form.task not in HAS_CLASSES:
            return {}
        several = self.form.predicts in ("tags", "classes")
        counts = dict(sorted(self.entities.items())) if several else rows.counts()
        return balance(counts, min_rows)


def entities(tags: Sequence[str]) -> Iterable[str]:
    """The kinds of the entities of one sentence (BIO, IOB1, BILOU or plain tags): each one once, at its first word."""
    before = "O"
    for tag in tags:
        prefix, _, kind = tag.partition("-") if tag[1:2] == "-" else ("I", "", tag)
        if tag != "O" and (prefix in ("B", "U", "S") or before != kind):
            yield kind
        before = "O" if tag == "O" else kind


def balance(counts: Mapping[str, int], min_rows: int) -> dict[str, Any]:
    """What is uneven about labels: the rare ones, how many times the largest is the smallest, names that are alike."""
    smallest, largest = min(counts.values(), default=0), max(counts.values(), default=0)
    folded: dict[str, list[str]] = {}
    for name in counts:
        folded.setdefault("".join(name.casefold().split()), []).append(name)
    return {
        "num": len(counts),
        "counts": dict(counts),
        "smallest": smallest,
        "largest": largest,
        "largest_share": round(largest / max(sum(counts.values()), 1), 4),
        "imbalance": round(largest / max(smallest, 1), 2),
        "once": [name for name, count in counts.items() if count == 1],
        "rare": [name for name, count in counts.items() if count < min_rows],
        "alike": [names for names in folded.values() if len(names) > 1],
    }


def conflicts(rows: RowIndex, data: Dataset, form: Form) -> dict[str, Any]:
    """Rows whose content has several labels, with the ids and labels of a few; empty for a task without labels."""
    if form.task not in HAS_CLASSES:
        return {}
    mixed, group = conflicting(rows)
    contents = np.unique(group[mixed])
    shown: npt.NDArray[np.int64] = np.flatnonzero(np.isin(group, contents[:_NUM_EXAMPLES]))
    label = str(form.label)
    found: dict[int, dict[str, Any]] = {}
    for place, row in zip(shown.tolist(), rows_at(data, shown, ["_row", label]), strict=True):
        example = found.setdefault(int(group[place]), {"rows": [], "labels": []})
        example["rows"].append(row["_row"])
        joined_by = forms.JOINED_BY if form.predicts == "classes" else " "
        example["labels"].append(joined_by.join(row[label]) if isinstance(row[label], list) else str(row[label]))
    return {"texts": len(contents), "rows": int(mixed.sum()), "examples": list(found.values())}
