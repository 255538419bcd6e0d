"""deidentify: personal data out of texts, before anything is trained on them or shown."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

import pyarrow as pa
from pydantic import Field, StringConstraints, field_validator, model_validator

from modelmint.core.errors import DataError, InputError
from modelmint.core.forms import Form, form_of, labels, names_in
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import Dataset, Model, Report
from modelmint.data.expressions import compile_expression
from modelmint.data.facts import carried, counted
from modelmint.data.pages import deidentification as deidentify_page
from modelmint.data.personal.facts import facts_of
from modelmint.data.personal.masking import Masking, Sign, columns_of
from modelmint.data.personal.recognizers import KINDS, PERSONAL, REGIONS, Kind, Recognizers
from modelmint.data.personal.search import Engine, Search
from modelmint.data.personal.standins import StandIns
from modelmint.data.quarantine import Quarantine, cells_at

Action: TypeAlias = Literal["mask", "pseudonym", "hash", "drop"]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
MAX_PATTERNS = 50


class DeidentifySpec(Spec):
    """Find personal data in texts, chats, tables and tokens, and mask it, put stand-ins in its place, or drop the row.

    People, places and organisations are found where a model is given (`ner`); the report says what was not looked for.
    """

    kinds: tuple[Kind, ...] = PERSONAL
    """What to look for. Also possible: date, year, age, url, uscc (the code of a Chinese firm)."""
    action: Action = "mask"
    """Put `[EMAIL]` in its place, a stand-in (`pseudonym`: the same person keeps the same one), a keyed hash
    (`[EMAIL:3f2a9c01b7de]`: equal values stay equal), or drop the row."""
    actions: dict[str, Action] = Field(default_factory=dict)
    """Another action for some kinds: `{person: pseudonym, card: drop}`."""
    hash_salt: Annotated[str, StringConstraints(min_length=16)] | None = Field(default=None, repr=False)
    """The key of hashes and stand-ins, at least 16 characters; by default the tenant's own key, so that they are the
    same in all its data and nobody else's."""
    regions: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], ...] = REGIONS
    """Where telephone numbers without a country code may be from: ISO 3166 codes."""
    columns: tuple[str, ...] | None = None
    """Which columns to look at; by default every text and every column that was kept beside it, but no label."""
    patterns: dict[Name, str] = Field(default_factory=dict, max_length=MAX_PATTERNS)
    """Kinds of your own: a name and a regular expression of RE2, such as `{employee_id: "E\\\\d{6}"}`."""
    min_score: float = Field(default=0.5, ge=0, le=1)
    """How sure a find must be: 1 is a checksum, 0.3 a pattern that stands alone without a telling word."""
    ner: str | None = None
    """A folder with a token classifier of Transformers (safetensors) that finds people, places and organisations."""
    ner_labels: dict[str, str] = Field(default_factory=dict)
    """What the model's labels mean, where they do not say it: `{LABEL_1: person, LABEL_2: ignore}`."""
    engine: Literal["own", "presidio"] = "own"
    """Whose patterns: our own, or Presidio's (the extra `presidio`) in their place."""
    also: tuple[Literal["presidio"], ...] = ()
    """Engines beside our own patterns, where ours find nothing."""
    language: Literal["en", "zh"] = "en"
    """The language in which Presidio is asked. Our own patterns read both at once."""

    @field_validator("kinds", "regions")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("must name at least one; got none")
        return value

    @model_validator(mode="after")
    def _named(self) -> Self:
        if taken := [name for name in self.patterns if name in KINDS]:
            raise ValueError(f"patterns must have names of their own; {taken[0]} is a kind already")
        known = {*self.kinds, *self.patterns}
        if unknown := [name for name in self.actions if name not in known]:
            raise ValueError(
                f"actions must name kinds that are looked for: {', '.join(sorted(known))}; got {unknown[0]}"
            )
        for name, pattern in self.patterns.items():
            try:
                compile_expression(pattern, parameter=f"patterns.{name}", may_be_empty=False)
            except InputError as error:
                raise ValueError(f"{error.message}. {error.remedy or ''}") from error
        return self

    def action_of(self, kind: str) -> Action:
        """What is done with a find of this kind."""
        return self.actions.get(kind, self.action)


@dataclass(frozen=True, kw_only=True)
class DeidentifyInputs:
    """Rows of any form; `recognizer` is a token classifier of the catalog, in the place of the folder `ner`."""

    data: Dataset
    recognizer: Model | None = None


@dataclass(frozen=True, kw_only=True)
class DeidentifyOutputs:
    """The same rows without what was found; `quarantine` has rows under `action: drop` alone, and has them masked."""

    data: Dataset
    deidentification: Report
    quarantine: Dataset


def deidentify(spec: DeidentifySpec, inputs: DeidentifyInputs, ctx: StageContext) -> DeidentifyOutputs:
    """Look at one batch after another. Labels, tags and our own columns are left as they are.

    Raises:
        DataError: a column of `columns` is not there, or no row is left.
        InputError: no key for hashes or stand-ins; the model or Presidio cannot be had.
    """
    engines = _engines(spec, inputs, ctx)
    own = spec.kinds if spec.engine == "own" else ()
    patterns = Recognizers(
        kinds=own,
        regions=spec.regions,
        patterns={name: compile_expression(text, parameter="patterns") for name, text in spec.patterns.items()},
        min_score=spec.min_score,
    )
    masking = Masking(
        search=Search(patterns=patterns, engines=engines),
        sign=_sign(spec, ctx),
        form=form_of(inputs.data),
        columns=_columns(spec, inputs.data),
    )
    with Quarantine(ctx.scratch) as quarantine:
        facts = carried(inputs.data)
        rows = _masked(spec, inputs.data, masking, quarantine, ctx, facts)
        data = ctx.desk.dataset("data", rows, facts=facts, schema=_schema(inputs.data))
    told = facts_of(spec, inputs.data, masking, engines, num_dropped=quarantine.counts.total())
    page = deidentify_page.page_of(told, name=inputs.data.name)
    report = ctx.desk.report("deidentification", told, renderings={"report.html": page})
    return DeidentifyOutputs(data=data, deidentification=report, quarantine=quarantine.dataset(ctx.desk))


def fingerprint(spec: DeidentifySpec) -> str:
    """What is read beside the inputs: the model's bytes, Presidio's version."""
    parts = []
    if spec.ner is not None:
        from modelmint.data.personal.ner import folder_digest

        parts.append(folder_digest(Path(spec.ner).expanduser()))
    if spec.engine == "presidio" or spec.also:
        from modelmint.data.personal.presidio import presidio_version

        parts.append(presidio_version())
    return "|".join(parts)


def _engines(spec: DeidentifySpec, inputs: DeidentifyInputs, ctx: StageContext) -> list[Engine]:
    engines: list[Engine] = []
    if spec.engine == "presidio" or spec.also:
        from modelmint.data.personal.presidio import Presidio

        engines.append(Presidio(spec.language))
    folder = (
        inputs.recognizer.files.folder() if inputs.recognizer else Path(spec.ner).expanduser() if spec.ner else None
    )
    if folder is not None:
        from modelmint.data.personal.ner import TokenClassifier

        engines.append(TokenClassifier(
            folder, meanings=spec.ner_labels, min_score=spec.min_score, num_threads=ctx.num_threads, check=ctx.check,
        ))  # fmt: skip
    return [_Chosen(engine, frozenset(spec.kinds)) for engine in engines]


class _Chosen:
    """An engine of which only the kinds that were asked for are heard."""

    def __init__(self, engine: Engine, kinds: frozenset[str]) -> None:
        self._engine, self.kinds = engine, frozenset(engine.kinds) & kinds

    def find(self, texts: Any) -> Any:
        return [[span for span in spans if span.kind in self.kinds] for spans in self._engine.find(texts)]


def _sign(spec: DeidentifySpec, ctx: StageContext) -> Sign:
    """What stands in a value's place, by its kind."""
    actions = {spec.action_of(kind) for kind in (*spec.kinds, *spec.patterns)}
    key = spec.hash_salt.encode() if spec.hash_salt else ctx.tenant_secret
    if actions & {"hash", "pseudonym"} and not key:
        raise InputError(
            "hash_salt: needed for action: hash and pseudonym where the tenant has no key of its own",
            parameter="hash_salt",
            remedy="Give a secret of at least 16 characters; values hashed without one can be found by trying all.",
        )
    stand_ins = StandIns(key)

    def sign(kind: str, value: str) -> str:
        action = spec.action_of(kind)
        if action == "pseudonym":
            return stand_ins.of(kind, value)
        return stand_ins.hashed(kind, value) if action == "hash" else f"[{kind.upper()}]"

    return sign


def _columns(spec: DeidentifySpec, data: Dataset) -> list[str]:
    there = columns_of(form_of(data), data.facts["columns"])
    if spec.columns is None:
        return there
    if unknown := [name for name in spec.columns if name not in there]:
        raise DataError(
            f"columns: must be some of {', '.join(there)}; got {', '.join(unknown)}",
            parameter="columns",
            remedy="Keep the column in the collect stage (`keep`), or take it out of `columns` here.",
        )
    return list(spec.columns)


def _masked(
    spec: DeidentifySpec,
    data: Dataset,
    masking: Masking,
    quarantine: Quarantine,
    ctx: StageContext,
    facts: dict[str, Any],
) -> Iterator[pa.RecordBatch]:
    """The batches with what was found replaced; rows with a kind that is to be dropped go to quarantine, masked."""
    kept: Counter[str] = Counter()
    num_done = num_kept = 0
    for batch in batches(data):
        ctx.check()
        changed, kinds = masking.batch(batch)
        out = {row: sorted(kind for kind in each if spec.action_of(kind) == "drop") for row, each in kinds.items()}
        if dropped := sorted(row for row, reasons in out.items() if reasons):
            cells = cells_at(changed, dropped)
            for row, cell in zip(dropped, cells, strict=True):
                detail = f"holds {', '.join(out[row])} (shown masked)"
                quarantine.add(
                    row=str(changed.column("_row")[row]), reason="personal_data", detail=detail, raw=cell, cells=cell
                )
            changed = changed.filter(pa.array([row not in set(dropped) for row in range(batch.num_rows)]))
        kept.update(_names(changed, masking.form) if "labels" in data.facts else ())
        num_done, num_kept = num_done + batch.num_rows, num_kept + changed.num_rows
        ctx.say(num_done, data.num_rows, f"{masking.found.total():,} found in {masking.num_rows:,} rows")
        yield changed
    if "labels" in data.facts or masking.form.task == "text-classification":
        facts["labels"] = counted(kept)  # the desk reads the facts after the rows
    replaced = {kind for kind, num in masking.found.items() if num and spec.action_of(kind) == "pseudonym"}
    if stand_ins := sorted({*facts.get("stand_ins", ()), *replaced}):
        facts["stand_ins"] = stand_ins  # which look like personal data to whoever searches these rows
    if num_done and not num_kept:
        raise DataError(
            f"data: each of the {num_done:,} rows holds personal data and was dropped",
            parameter="action",
            remedy="Set `action: mask`.",
        )


def _names(batch: pa.RecordBatch, form: Form) -> list[str]:
    """Every label of every row."""
    said = labels(batch, form)
    return [name for label in said for name in names_in(label)] if form.predicts == "classes" else said


def _schema(data: Dataset) -> pa.Schema | None:
    first = next(batches(data), None)
    return first.schema if first is not None else None
