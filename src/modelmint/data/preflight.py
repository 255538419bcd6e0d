"""preflight: look at the data before money is spent on it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from modelmint.core.forms import Form, form_of, text_paths
from modelmint.core.gates import Verdict, readable, refusals
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import JSON, Dataset, Report
from modelmint.data.copies.near import near_copies_in
from modelmint.data.fates import decide
from modelmint.data.index import Indexer, RowIndex
from modelmint.data.inspection import findings
from modelmint.data.inspection.ahead import Ahead, is_trainable, max_tokens
from modelmint.data.inspection.class_counts import ClassCounts, conflicts
from modelmint.data.inspection.gates import MEASURED, judge, parse
from modelmint.data.inspection.lengths import Lengths
from modelmint.data.inspection.remarks import warnings
from modelmint.data.inspection.samples import Sample
from modelmint.data.inspection.suspects import find_suspects
from modelmint.data.pages.preflight import preflight_page
from modelmint.training.spec import TrainSpec

TRAINED = "text-classification"
"""The task that a train stage takes: for the others there is no estimate."""


class PreflightSpec(Spec):
    """Report lengths, balance, copies, leaks, personal data, licences and an estimate; refuse what the gates refuse."""

    train: TrainSpec | None = None
    """The training to look ahead to; filled from the recipe's train stage. Without it there is no estimate."""
    base: str | None = Field(default=None, min_length=1, json_schema_extra={"path": "with a slash"})
    """Whose tokens lengths are counted in, whose chat template is used, whose languages and licence are compared; that
    of `train` where it is not given.
    """
    max_tokens: int | None = Field(default=None, ge=4, le=1_000_000)
    """How many tokens of a row will be read; that of `train`, else what the base reads."""
    gates: dict[str, str | int | float | tuple[str | int | float, ...]] = Field(default_factory=dict)
    """What findings must be, like {leaks: 0, truncated: "<= 1%", personal_data: 0, licence: sellable,
    estimate_cost: "<= 0.50 USD"}. A number alone means at most so many; a fraction or a percentage is a share.
    """
    min_rows_per_label: int = Field(default=2, ge=1)
    """Labels with fewer rows are rare."""
    train_share: float = Field(default=0.75, gt=0, le=1)
    """The share of the rows that is expected to be trained on where the source declares no split: for the estimate."""
    max_rows_measured: int = Field(default=200_000, ge=1)
    """Token lengths are measured on at most this many rows, spread evenly."""
    max_rows_sampled: int = Field(default=2_000, ge=1)
    """Languages and personal data are looked for in at most this many rows, spread evenly."""
    near: bool = True
    """Look for near-copies among rows, and between training and evaluation rows that the source declares."""
    max_rows_compared: int = Field(default=200_000, ge=2)
    """With more rows, near-copies are left to `deduplicate`."""
    suspects: bool = True
    """Look for rows whose label is likely wrong, by the base of `train`; they are reported, and stay."""
    max_rows_suspected: int = Field(default=20_000, ge=1)
    """With more rows, wrong labels are looked for in a sample of so many that the seed draws."""

    @field_validator("gates", mode="before")
    @classmethod
    def _readable(cls, gates: Any) -> Any:
        return readable(gates, parse)

    @property
    def reader(self) -> str | None:
        """The base by whose tokenizer the rows are read."""
        return self.base or (self.train.base if self.train and self.train.base != "none" else None)


@dataclass(frozen=True, kw_only=True)
class PreflightInputs:
    """Rows of any task (`core.forms`), perhaps with `_split`."""

    data: Dataset


@dataclass(frozen=True, kw_only=True)
class PreflightOutputs:
    """`preflight.facts["refused"]` is not empty when a gate refuses or training makes no sense."""

    preflight: Report


def preflight(spec: PreflightSpec, inputs: PreflightInputs, ctx: StageContext) -> PreflightOutputs:
    """Read every row once; contents that differ only in case, white space or form count as the same.

    Raises:
        InputError: the base is not known.
        DataError: its chat template is no template.
    """
    look = _Look(spec, inputs.data)
    rows = look.through(ctx)
    facts = look.facts(rows)
    measured: JSON = {}
    trained = spec.train if len(rows) else None
    if trained and look.ahead:
        measured["estimate"] = look.estimate(trained, look.ahead, facts["splits"], ctx)
    if spec.near:
        facts["near"] = near_copies_in(inputs.data, rows, look.form, ctx, max_rows=spec.max_rows_compared)
    facts["personal"] = look.sample.personal(ctx, inputs.data.facts.get("stand_ins", ()))
    if trained and spec.suspects and look.form.task == TRAINED and spec.reader:
        facts["suspects"] = find_suspects(trained, rows, inputs.data, ctx, max_rows=spec.max_rows_suspected)
    verdicts = judge(parse(spec.gates), findings.figures(facts, measured.get("estimate")))
    facts |= {
        "warnings": warnings(facts, min_rows_per_label=spec.min_rows_per_label),
        "gates": [_steady(verdict) for verdict in verdicts],
        "refused": [*findings.refused(facts), *refusals(verdicts)],
    }
    if spec.gates:
        measured["gates"] = {verdict["name"]: verdict["value"] for verdict in verdicts if verdict["name"] in MEASURED}
    page = preflight_page(facts, measured, verdicts, name=inputs.data.name)
    report = ctx.desk.report("preflight", facts, measured=measured, renderings={"report.html": page})
    return PreflightOutputs(preflight=report)


def fingerprint(spec: PreflightSpec) -> str:
    """What is read beside the data: the base."""
    from modelmint.training.bases import resolve

    return resolve(spec.reader).digest if spec.reader else ""


class _Look:
    """One pass over the rows, and what was counted on the way."""

    def __init__(self, spec: PreflightSpec, data: Dataset) -> None:
        self.form = form_of(data)
        self.sample = Sample(self.form, num_rows=data.num_rows, max_rows=spec.max_rows_sampled)
        self._spec, self._data = spec, data
        self._counts = ClassCounts(form=self.form)
        self.lengths = (
            Lengths(
                base=spec.reader,
                max_tokens=spec.max_tokens or (max_tokens(spec.train, data) if spec.train else None),
                stride=-(-data.num_rows // spec.max_rows_measured),
                form=self.form,
            )
            if spec.reader
            else None
        )
        self.ahead = Ahead(data) if spec.train and is_trainable(spec.train, data) else None

    def through(self, ctx: StageContext) -> RowIndex:
        """Read every row."""
        indexer, num_done = Indexer(self.form), 0
        for batch in indexer.see(batches(self._data, _columns(self._data, self.form))):
            ctx.check()
            self._counts.see(batch)
            self.sample.see(batch)
            if self.lengths:
                self.lengths.see(batch)
            if self.ahead:
                self.ahead.see(batch)
            num_done += batch.num_rows
            ctx.say(num_done, self._data.num_rows, f"{num_done:,} rows looked at")
        return indexer.index()

    def facts(self, rows: RowIndex) -> JSON:
        """What is known of the rows now; what takes a model or a search is an empty fact yet."""
        training, lengths = rows.split == 0, self.lengths
        fates = decide(rows, conflicts="keep").counts()
        self._num_training, self._num_dropped = int(training.sum()), sum(fates.values())
        base = lengths.base if lengths else None
        return {
            "task": self.form.task,
            "base": base.name if base else None,
            "rows": len(rows),
            "splits": _splits(rows),
            "tokens": lengths.tokens() if lengths else {},
            "truncated": lengths.truncated() if lengths else {},
            "targets": lengths.targets() if lengths else {},
            "chat_template": lengths.template() if lengths else {},
            "labels": self._counts.facts(rows, self._spec.min_rows_per_label),
            "conflicts": conflicts(rows, self._data, self.form),
            "duplicates": fates.get("duplicate", 0),
            "leaks": int(np.isin(rows.fingerprint[~training], rows.fingerprint[training]).sum()),
            "near": {},
            "personal": {},
            "languages": self.sample.languages(base.languages if base else ()),
            "licences": findings.licences(self._data.manifest["licences"], base.licence if base else None),
            "suspects": {},
        }

    def estimate(self, train: TrainSpec, ahead: Ahead, splits: JSON, ctx: StageContext) -> JSON:
        """Before anything else takes memory: its peak is part of the estimate."""
        ctx.say(0, 0, "timing some steps of training")
        num_rows = self._num_training - self._num_dropped
        return ahead.estimate(
            train,
            num_rows=max(1, round(num_rows * (1 if splits else self._spec.train_share))),
            num_validation_rows=splits.get("validation") or round(num_rows * (1 - self._spec.train_share) / 2),
            num_threads=ctx.num_threads,
            machine_hour=ctx.machine_hour,
        )


def _columns(data: Dataset, form: Form) -> list[str]:
    """What is read: the form's columns, of a table all, and the declared split."""
    names = list(data.facts["columns"])
    wanted = {*form.columns.names, *(text_paths(form, names) if form.task.startswith("tabular") else ()), "_split"}
    return [name for name in names if name in wanted]


def _splits(rows: RowIndex) -> dict[str, int]:
    if not rows.split.any():
        return {}
    return {name: int((rows.split == code).sum()) for code, name in enumerate(("train", "validation", "test"))}


def _steady(verdict: Verdict) -> Verdict:
    """The verdict without a figure that another run would measure otherwise: it stands in what was measured."""
    return {**verdict, "value": None} if verdict["name"] in MEASURED else verdict
