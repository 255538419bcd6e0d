"""preflight: look at the data before money is spent on it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import Dataset, Report
from modelmint.data.facts import warning
from modelmint.data.fates import conflicting, decide
from modelmint.data.index import Indexer, RowIndex, rows_at
from modelmint.data.lengths import Lengths
from modelmint.data.suspects import find_suspects
from modelmint.training.spec import FinetuneSpec

_NUM_EXAMPLES = 5
_NUM_NAMES = 20


class PreflightSpec(Spec):
    """Report lengths, balance, duplicates, leaks and an estimate; refuse what cannot be trained on."""

    train: FinetuneSpec | None = None
    """The training to look ahead to; filled from the recipe's train stage. Without it no lengths and no estimate."""
    max_truncated: float | None = Field(default=None, ge=0, le=1)
    """Refuse when a larger share of the rows is longer than the training's `max_tokens`."""
    max_leaks: int | None = Field(default=None, ge=0)
    """Refuse when more declared evaluation rows than this are also in training (cleaning drops the training copies)."""
    min_rows_per_label: int = Field(default=2, ge=1)
    """Warn of labels with fewer rows."""
    train_share: float = Field(default=0.75, gt=0, le=1)
    """The share of the rows that is expected to be trained on where the source declares no split: for the estimate."""
    max_rows_measured: int = Field(default=200_000, ge=1)
    """Token lengths are measured on at most this many rows, spread evenly."""
    suspects: bool = True
    """Look for rows whose label is likely wrong, by the base of `train`; they are reported, and stay."""
    max_rows_suspected: int = Field(default=20_000, ge=1)
    """With more rows, wrong labels are looked for in a sample of so many that the seed draws."""


@dataclass(frozen=True, kw_only=True)
class PreflightInputs:
    """Rows with `_row`, `text`, `label` and perhaps `_split`."""

    data: Dataset


@dataclass(frozen=True, kw_only=True)
class PreflightOutputs:
    """`preflight.facts["refused"]` is not empty when training makes no sense."""

    preflight: Report


def preflight(spec: PreflightSpec, inputs: PreflightInputs, ctx: StageContext) -> PreflightOutputs:
    """Read every row once; texts that differ only in case, white space or form count as the same.

    Raises:
        InputError: the base of `train` is not known.
    """
    lengths = Lengths(spec.train, stride=-(-inputs.data.num_rows // spec.max_rows_measured)) if spec.train else None
    indexer, num_done = Indexer(), 0
    columns = ["text", "label", *(["_split"] if "_split" in inputs.data.facts["columns"] else [])]
    for batch in indexer.see(batches(inputs.data, columns)):
        ctx.check()
        if lengths:
            lengths.see(batch.column("text").to_pylist())
        num_done += batch.num_rows
        ctx.say(num_done, inputs.data.num_rows, f"{num_done:,} rows looked at")
    rows = indexer.index()
    fates = decide(rows, conflicts="keep").counts()
    training = rows.split == 0
    facts: dict[str, Any] = {
        "rows": len(rows),
        "splits": _splits(rows),
        "tokens": lengths.tokens() if lengths else {},
        "truncated": lengths.truncated() if lengths else {},
        "labels": _labels(rows, spec.min_rows_per_label),
        "conflicts": _conflicts(rows, inputs.data),
        "duplicates": fates.get("duplicate", 0),
        "leaks": int(np.isin(rows.fingerprint[~training], rows.fingerprint[training]).sum()),
        "suspects": {},
    }
    if spec.train and spec.suspects and len(rows):
        facts["suspects"] = find_suspects(spec.train, rows, inputs.data, ctx, max_rows=spec.max_rows_suspected)
    facts |= {"warnings": _warnings(spec, facts), "refused": _refused(spec, facts)}
    measured = {}
    if lengths and spec.train and len(rows):
        num_rows = int(training.sum()) - sum(fates.values())
        share = 1 if facts["splits"] else spec.train_share
        measured["estimate"] = lengths.estimate(spec.train, max(1, round(num_rows * share)), ctx.num_threads)
    return PreflightOutputs(preflight=ctx.desk.report("preflight", facts, measured=measured))


def fingerprint(spec: PreflightSpec) -> str:
    """What is read beside the data: the base of `train`."""
    from modelmint.training.finetune import fingerprint as of_training

    return of_training(spec.train) if spec.train else ""


def _splits(rows: RowIndex) -> dict[str, int]:
    if not rows.split.any():
        return {}
    return {name: int((rows.split == code).sum()) for code, name in enumerate(("train", "validation", "test"))}


def _labels(rows: RowIndex, min_rows: int) -> dict[str, Any]:
    counts = rows.counts()
    smallest, largest = min(counts.values(), default=0), max(counts.values(), default=0)
    once = [name for name, count in counts.items() if count == 1]
    rare = [name for name, count in counts.items() if count < min_rows]
    folded: dict[str, list[str]] = {}
    for name in counts:
        folded.setdefault("".join(name.casefold().split()), []).append(name)
    return {
        "num": len(counts),
        "counts": counts,
        "smallest": smallest,
        "largest": largest,
        "largest_share": round(largest / max(len(rows), 1), 4),
        "imbalance": round(largest / max(smallest, 1), 2),
        "once": once,
        "rare": rare,
        "alike": [names for names in folded.values() if len(names) > 1],
    }


def _conflicts(rows: RowIndex, data: Dataset) -> dict[str, Any]:
    """Rows whose text has several labels, with the ids and labels of a few."""
    mixed, group = conflicting(rows)
    texts = np.unique(group[mixed])
    shown: npt.NDArray[np.int64] = np.flatnonzero(np.isin(group, texts[:_NUM_EXAMPLES]))
    found: dict[int, dict[str, Any]] = {}
    for place, row in zip(shown.tolist(), rows_at(data, shown, ["_row", "label"]), strict=True):
        example = found.setdefault(int(group[place]), {"rows": [], "labels": []})
        example["rows"].append(row["_row"])
        example["labels"].append(row["label"])
    return {"texts": len(texts), "rows": int(mixed.sum()), "examples": list(found.values())}


def _warnings(spec: PreflightSpec, facts: dict[str, Any]) -> list[dict[str, str]]:
    labels, conflicts = facts["labels"], facts["conflicts"]["rows"]
    truncated, limit = facts["truncated"].get("share", 0), facts["truncated"].get("limit")
    unknown, mute = facts["tokens"].get("unknown_share", 0), facts["tokens"].get("rows_without_token", 0)
    alike = [" / ".join(names) for names in labels["alike"]]
    suspects = facts["suspects"].get("rows", 0)
    ratio, rare = labels["imbalance"], f"fewer than {spec.min_rows_per_label} rows: {_some(labels['rare'])}"
    said = [
        ("label_once", labels["once"], f"seen once, cannot be tested: {_some(labels['once'])}"),
        ("label_rare", labels["rare"], rare),
        ("labels_alike", alike, f"differ only in case or spaces: {_some(alike)}"),
        ("imbalance", ratio >= 20, f"the largest label has {ratio:g} times the rows of the smallest"),
        (
            "duplicates",
            facts["duplicates"],
            f"{facts['duplicates']:,} training rows repeat the text and label of another",
        ),
        ("label_conflicts", conflicts, f"{conflicts:,} rows share a text and differ in label"),
        ("leaks", facts["leaks"], f"{facts['leaks']:,} declared evaluation rows are also in training"),
        ("truncated", truncated > 0.01, f"{truncated:.1%} of the rows are cut off at {limit} tokens"),
        (
            "unknown_tokens",
            unknown > 0.02,
            f"{unknown:.1%} of the tokens are unknown to the base: is it for this language?",
        ),
        ("no_token", mute, f"{mute:,} rows hold no token that the base knows"),
        ("suspects", suspects, f"{suspects:,} rows look mislabelled: look at them with modelmint show ID"),
    ]
    return [warning(name, message) for name, holds, message in said if holds]


def _refused(spec: PreflightSpec, facts: dict[str, Any]) -> list[str]:
    reasons = []
    if facts["labels"]["num"] < 2:
        reasons.append(f"at least 2 classes are needed to train; there are {facts['labels']['num']}")
    share = facts["truncated"].get("share", 0)
    if spec.max_truncated is not None and share > spec.max_truncated:
        reasons.append(f"{share:.1%} of the rows are truncated; max_truncated allows {spec.max_truncated:.1%}")
    if spec.max_leaks is not None and facts["leaks"] > spec.max_leaks:
        reasons.append(f"{facts['leaks']:,} evaluation rows are also in training; max_leaks allows {spec.max_leaks:,}")
    return reasons


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NUM_NAMES]) + (f" and {len(names) - _NUM_NAMES} more" if len(names) > _NUM_NAMES else "")
