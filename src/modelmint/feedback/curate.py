"""curate: feedback becomes new training rows, and every row that does not says why."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pydantic import Field

from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import QUARANTINE, column, read, rows
from modelmint.core.types import JSON, Dataset, Report


class CurateSpec(Spec):
    """Which feedback is learned from, and how much it counts."""

    confirmed: bool = True
    """Learn also from predictions that were rated good (rating 1) without a label: the predicted label is taken."""

    new_labels: bool = False
    """Accept labels that the training set does not have."""

    repeat: int = Field(default=2, ge=1, le=20)
    """How many times a row from feedback stands in the new training set: it speaks for what comes now."""

    min_rows: int = Field(default=1, ge=1)
    """Refuse to go on with fewer new rows than this."""


@dataclass(frozen=True, kw_only=True)
class CurateInputs:
    """`data` is the feedback (`feedback/snapshot.py`), de-identified like the data before it."""

    data: Dataset
    train: Dataset
    test: Dataset


@dataclass(frozen=True, kw_only=True)
class CurateOutputs:
    """The new training set, what was put aside, and the count."""

    train: Dataset
    """A new version: the rows before, then those from feedback."""
    quarantine: Dataset
    curation: Report


def curate(spec: CurateSpec, inputs: CurateInputs, ctx: StageContext) -> CurateOutputs:
    """Turn feedback into training rows. Rows with no label, an unknown one, contradictions and test rows are put aside."""
    before = read(inputs.train)
    labels = set(before.column("label").to_pylist())
    kept: list[JSON] = []
    aside: list[JSON] = []
    entries = read(inputs.data).to_pylist()
    contradicted = _contradicted(entries, spec)
    tested = {_key(text) for text in column(inputs.test, "text")}
    known = {
        (_key(text), label)
        for text, label in zip(before.column("text").to_pylist(), before.column("label").to_pylist(), strict=True)
    }
    for entry in entries:
        label, key = _label(entry, spec), _key(entry["text"])
        reason = _reason(label, key, labels=labels, contradicted=contradicted, tested=tested, spec=spec)
        if reason is None and (key, label) in known:
            reason = ("duplicate", "the training set has this text with this label")
        if reason is None:
            known.add((key, str(label)))
            kept.append({"_row": entry["_row"], "text": " ".join(entry["text"].split()), "label": label})
        else:
            aside.append({"_row": entry["_row"], "reason": reason[0], "detail": reason[1], "raw": entry["text"]})
    facts = _facts(entries, kept, aside, spec)
    if len(kept) < spec.min_rows:
        facts["refused"] = [
            f"feedback: {len(kept)} new rows of {len(entries)} entries; at least {spec.min_rows} are needed"
        ]
    return CurateOutputs(
        train=ctx.desk.dataset(
            "train",
            pa.concat_tables([before, *_new(kept, before.schema, spec.repeat)]),
            facts={"from_feedback": len(kept)},
        ),
        quarantine=ctx.desk.dataset("curate-quarantine", rows(aside, QUARANTINE)),
        curation=ctx.desk.report("curation", facts),
    )


def _reason(
    label: str | None, key: str, *, labels: set[str], contradicted: set[str], tested: set[str], spec: CurateSpec
) -> tuple[str, str] | None:
    if label is None:
        return "no_label", "rated bad, or not rated, and no label was given"
    if label not in labels and not spec.new_labels:
        return "unknown_label", f"{label!r} is not a label of the training set; set curate.new_labels to learn new ones"
    if key in contradicted:
        return "contradiction", "the same text was given different labels"
    if key in tested:
        return "leak", "the test set has this text"
    return None


def _label(entry: Mapping[str, Any], spec: CurateSpec) -> str | None:
    if entry["label"]:
        return str(entry["label"])
    return str(entry["predicted"]) if spec.confirmed and entry["rating"] == 1 else None


def _contradicted(entries: list[JSON], spec: CurateSpec) -> set[str]:
    said: dict[str, set[str]] = {}
    for entry in entries:
        if label := _label(entry, spec):
            said.setdefault(_key(entry["text"]), set()).add(label)
    return {key for key, labels in said.items() if len(labels) > 1}


def _new(kept: list[JSON], schema: pa.Schema, repeat: int) -> Iterator[pa.Table]:
    """The new rows, `repeat` times, each copy under a `_row` of its own."""
    for copy in range(repeat if kept else 0):
        yield pa.Table.from_pylist(
            [
                {
                    **dict.fromkeys(schema.names),
                    **row,
                    "_row": row["_row"] if copy == 0 else f"{row['_row']}+{copy}",
                }
                for row in kept
            ],
            schema=schema,
        )


def _facts(entries: list[JSON], kept: list[JSON], aside: list[JSON], spec: CurateSpec) -> JSON:
    reasons: dict[str, int] = {}
    for row in aside:
        reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
    judged = [entry for entry in entries if entry["label"] or entry["rating"] is not None]
    right = sum(entry["label"] == entry["predicted"] if entry["label"] else entry["rating"] == 1 for entry in judged)
    return {
        "entries": len(entries),
        "kept": len(kept),
        "repeat": spec.repeat,
        "quarantined": reasons,
        "live_accuracy_on_feedback": round(right / len(judged), 4) if judged else None,
        "refused": [],
    }


def _key(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
