"""What changed from one version of a dataset to another: rows, labels, columns and statistics.

Rows are paired in turn by what says most about them: the same id, content and label; the same content and label
(a row that moved); the same id and content, or content alone, with another label; the same id with another content.
What is left was removed or added. So a line put on top of a file is one row added, not every row changed.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelmint.core import forms
from modelmint.core.errors import InputError
from modelmint.core.forms import Form
from modelmint.core.tables import batches
from modelmint.core.text import mix
from modelmint.core.types import JSON, Dataset
from modelmint.data.index import rows_at

NUM_EXAMPLES = 5
MAX_LABEL_CHANGES = 50
_SHOWN_CHARS = 300

Keys = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


def diff(before: Dataset, after: Dataset) -> JSON:
    """Compare two datasets of one task; memory is about 30 bytes a row.

    Returns:
        ``{"task", "rows": {"before", "after", "same", "moved", "added", "removed", "relabelled", "changed"},
        "label_changes": [{"from", "to", "rows"}], "columns": {"added", "removed", "retyped"}, "labels": [{"label",
        "before", "after"}], "statistics": [{"name", "before", "after"}], "examples": {...}}``

    Raises:
        InputError: the datasets hold rows of different tasks.
    """
    form = forms.form_of(before)
    if form.task != forms.form_of(after).task:
        raise InputError(
            f"after: must hold rows of the task of the first, {form.task}; has {forms.form_of(after).task}",
            parameter="after",
            remedy="Compare two versions of one dataset.",
        )
    old, new = _read(before, form), _read(after, form)
    pairs = _paired(old, new)
    names, codes = _codes(old, new)
    moved_labels = Counter(
        (int(codes[0][left]), int(codes[1][right])) for left, right in zip(*pairs["relabelled"], strict=True)
    )
    return {
        "task": form.task,
        "rows": {"before": len(old), "after": len(new)} | {kind: len(left) for kind, (left, _) in pairs.items()}
        | {"added": len(new) - sum(len(right) for _, right in pairs.values()),
           "removed": len(old) - sum(len(left) for left, _ in pairs.values())},
        "label_changes": [
            {"from": names[left], "to": names[right], "rows": count}
            for (left, right), count in moved_labels.most_common(MAX_LABEL_CHANGES)
        ],
        "columns": _columns(old.schema, new.schema),
        "labels": _labels(old, new),
        "statistics": _statistics(old, new),
        "examples": _examples(form, (before, after), (old, new), pairs),
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One dataset as numbers; each array has shape (N,)."""

    row: Keys
    content: Keys
    label: npt.NDArray[np.int32]
    label_names: list[str]
    num_chars: npt.NDArray[np.int64]
    schema: pa.Schema
    num_missing: Counter[str]

    def __len__(self) -> int:
        return len(self.row)

    def label_keys(self) -> Keys:
        """(N,) the label's own digest: equal on both sides for equal names."""
        return _exact(self.label_names)[self.label] if len(self) else np.empty(0, np.uint64)


def _read(data: Dataset, form: Form) -> _Side:
    rows, contents, labels, chars = [], [], [], []
    codes: dict[str, int] = {}
    missing: Counter[str] = Counter()
    schema = pa.schema([])
    for batch in batches(data):
        schema = batch.schema
        said = forms.contents(batch, form)
        rows.append(_exact(batch.column("_row").to_pylist()))
        contents.append(_exact(said))
        labels.append(np.array([codes.setdefault(name, len(codes)) for name in forms.labels(batch, form)], np.int32))
        chars.append(np.array([len(text) for text in said], np.int64))
        for name in schema.names:
            missing[name] += int(batch.column(name).null_count)
    return _Side(
        row=_joined(rows, np.uint64),
        content=_joined(contents, np.uint64),
        label=_joined(labels, np.int32),
        label_names=list(codes),
        num_chars=_joined(chars, np.int64),
        schema=schema,
        num_missing=missing,
    )


def _exact(texts: Sequence[str]) -> Keys:
    """(N,) 64-bit digests; a text of which only a space was mended has another one."""
    digests = b"".join(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _joined(parts: Sequence[Any], kind: Any) -> Any:
    return np.concatenate(parts) if parts else np.empty(0, kind)


def _paired(old: _Side, new: _Side) -> dict[str, tuple[Places, Places]]:
    """Pairs of places by what became of them."""
    left, right = _Left(len(old)), _Left(len(new))
    label = (old.label_keys(), new.label_keys())
    steps: list[tuple[str, list[tuple[Keys, Keys]]]] = [
        ("same", [(old.row, new.row), (old.content, new.content), label]),
        ("moved", [(old.content, new.content), label]),
        ("relabelled", [(old.row, new.row), (old.content, new.content)]),
        ("relabelled", [(old.content, new.content)]),
        ("changed", [(old.row, new.row)]),
    ]
    found: dict[str, tuple[Places, Places]] = {}
    for kind, keys in steps:
        ours, theirs = left.places(), right.places()
        first, second = _match(_combined([key[0][ours] for key in keys]), _combined([key[1][theirs] for key in keys]))
        first, second = ours[first], theirs[second]
        left.take(first)
        right.take(second)
        before = found.get(kind)
        found[kind] = (
            (np.concatenate([before[0], first]), np.concatenate([before[1], second])) if before else (first, second)
        )
    return found


class _Left:
    """Which rows are not paired yet."""

    def __init__(self, num: int) -> None:
        self.free = np.ones(num, np.bool_)

    def places(self) -> Places:
        return np.flatnonzero(self.free)

    def take(self, places: Places) -> None:
        self.free[places] = False


def _combined(keys: Sequence[Keys]) -> Keys:
    """One key of several; equal when all are."""
    whole = keys[0]
    for at, key in enumerate(keys[1:], start=1):
        whole = mix(whole, at) ^ key
    return whole


def _match(left: Keys, right: Keys) -> tuple[Places, Places]:
    """Pairs of places with equal keys; keys that occur several times are paired in order, each once."""
    _, first, second = np.intersect1d(
        mix(left, 7) ^ _occurrence(left), mix(right, 7) ^ _occurrence(right), assume_unique=False, return_indices=True
    )
    return first.astype(np.int64), second.astype(np.int64)


def _occurrence(keys: Keys) -> Keys:
    """(N,) how many equal keys stand before each."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if len(keys) else np.empty(0, np.int64)
    lengths = np.diff(np.append(starts, len(keys)))
    rank = np.empty(len(keys), np.uint64)
    rank[order] = (np.arange(len(keys)) - np.repeat(starts, lengths)).astype(np.uint64)
    return rank


def _codes(old: _Side, new: _Side) -> tuple[list[str], tuple[Any, Any]]:
    """The names of all labels, and each side's labels as places among them."""
    names = sorted({*old.label_names, *new.label_names})
    place = {name: at for at, name in enumerate(names)}

    def recoded(side: _Side) -> Any:
        return np.array([place[name] for name in side.label_names], np.int32)[side.label] if len(side) else side.label

    return names, (recoded(old), recoded(new))


def _columns(old: pa.Schema, new: pa.Schema) -> JSON:
    return {
        "added": [name for name in new.names if name not in old.names],
        "removed": [name for name in old.names if name not in new.names],
        "retyped": [
            {"name": name, "before": str(old.field(name).type), "after": str(new.field(name).type)}
            for name in old.names
            if name in new.names and old.field(name).type != new.field(name).type
        ],
    }


def _labels(old: _Side, new: _Side) -> list[JSON]:
    def counted(side: _Side) -> dict[str, int]:
        return dict(
            zip(side.label_names, np.bincount(side.label, minlength=len(side.label_names)).tolist(), strict=True)
        )

    before, after = counted(old), counted(new)
    return [
        {"label": name, "before": before.get(name, 0), "after": after.get(name, 0)}
        for name in sorted({*before, *after})
        if name
    ]


def _statistics(old: _Side, new: _Side) -> list[JSON]:
    """Lengths in characters, copies, and missing cells of each column that has any."""
    made = [("characters, median", _median), ("characters, largest", _largest), ("rows with a copy", _copies)]
    found = [{"name": name, "before": of(old), "after": of(new)} for name, of in made]
    for name in sorted({*old.num_missing, *new.num_missing}):
        if old.num_missing[name] or new.num_missing[name]:
            found.append(
                {"name": f"missing in {name}", "before": old.num_missing[name], "after": new.num_missing[name]}
            )
    return found


def _median(side: _Side) -> float:
    return float(np.median(side.num_chars)) if len(side) else 0.0


def _largest(side: _Side) -> int:
    return int(side.num_chars.max()) if len(side) else 0


def _copies(side: _Side) -> int:
    return len(side) - len(np.unique(side.content))


def _examples(
    form: Form, data: tuple[Dataset, Dataset], sides: tuple[_Side, _Side], pairs: dict[str, tuple[Places, Places]]
) -> JSON:
    """A few rows of each kind, as texts with their labels."""
    paired_old = np.concatenate([left for left, _ in pairs.values()])
    paired_new = np.concatenate([right for _, right in pairs.values()])
    removed = np.setdiff1d(np.arange(len(sides[0])), paired_old)[:NUM_EXAMPLES]
    added = np.setdiff1d(np.arange(len(sides[1])), paired_new)[:NUM_EXAMPLES]
    examples: JSON = {
        "removed": list(_shown(form, data[0], removed).values()),
        "added": list(_shown(form, data[1], added).values()),
    }
    for kind in ("relabelled", "changed"):
        left, right = (places[:NUM_EXAMPLES] for places in pairs[kind])
        before, after = _shown(form, data[0], left), _shown(form, data[1], right)
        examples[kind] = [
            {"before": before[int(one)], "after": after[int(other)]} for one, other in zip(left, right, strict=True)
        ]
    return examples


def _shown(form: Form, data: Dataset, places: Places) -> dict[int, JSON]:
    """place -> the row's id, content and label."""
    ordered = np.sort(places)
    return dict(zip(ordered.tolist(), _rows(form, data, ordered), strict=True))


def _rows(form: Form, data: Dataset, places: Places) -> Iterator[JSON]:
    for row in rows_at(data, places, data.facts["columns"]):
        batch = pa.RecordBatch.from_pylist([row])
        yield {
            "row": row["_row"],
            "text": forms.contents(batch, form)[0][:_SHOWN_CHARS],
            "label": forms.labels(batch, form)[0],
        }
