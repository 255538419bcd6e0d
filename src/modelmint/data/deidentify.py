"""deidentify: mask personal data in texts, before anything is trained on them or shown."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import pyarrow as pa
from pydantic import Field, StringConstraints, model_validator

from modelmint.core.errors import DataError
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import Dataset, Report
from modelmint.data.facts import carried, counted
from modelmint.data.quarantine import Quarantine
from modelmint.data.recognizers import recognize

NUM_EXAMPLES = 3
_EXAMPLE_CHARS = 200


class DeidentifySpec(Spec):
    """Find and mask e-mail addresses, telephone numbers, identity cards (China, US), bank cards and IBANs."""

    kinds: tuple[Literal["email", "phone", "id", "card", "iban"], ...] = ("email", "phone", "id", "card", "iban")
    """What to look for."""
    action: Literal["mask", "hash", "drop"] = "mask"
    """Put `[EMAIL]` in its place or a keyed hash (`[EMAIL:3f2a9c01]`: equal values stay equal), or drop the row."""
    hash_salt: Annotated[str, StringConstraints(min_length=16)] | None = Field(default=None, repr=False)
    """The key of `action: hash`, a secret of at least 16 characters."""
    regions: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], ...] = ("US", "GB", "CN")
    """Where telephone numbers without a country code may be from: ISO 3166 codes."""
    columns: tuple[str, ...] | None = None
    """Which columns to mask; by default the text and every column that was kept beside it."""

    @model_validator(mode="after")
    def _key(self) -> Self:
        if self.action == "hash" and self.hash_salt is None:
            raise ValueError(
                "hash_salt is required with action: hash; numbers hashed without a secret can be found by trying all"
            )
        return self


@dataclass(frozen=True, kw_only=True)
class DeidentifyInputs:
    """Rows with `_row`, `text` and `label`."""

    data: Dataset


@dataclass(frozen=True, kw_only=True)
class DeidentifyOutputs:
    """The same rows, masked; `quarantine` has rows under `action: drop` alone."""

    data: Dataset
    deidentification: Report
    quarantine: Dataset


def deidentify(spec: DeidentifySpec, inputs: DeidentifyInputs, ctx: StageContext) -> DeidentifyOutputs:
    """Mask one batch after another. Labels and our own columns are left as they are.

    Raises:
        DataError: a column of `columns` is not there, or no row is left.
    """
    there = [name for name in inputs.data.facts["columns"] if not name.startswith("_") and name != "label"]
    columns = there if spec.columns is None else list(spec.columns)
    if unknown := [name for name in columns if name not in there]:
        raise DataError(
            f"columns: must be some of {', '.join(there)}; got {', '.join(unknown)}",
            parameter="columns",
            remedy="Keep the column in the collect stage (`keep`), or take it out of `columns` here.",
        )
    with Quarantine(ctx.scratch) as quarantine:
        masking = _Masking(spec=spec, columns=columns, quarantine=quarantine)
        facts = carried(inputs.data)
        data = ctx.desk.dataset("data", masking.batches(inputs.data, ctx, facts), facts=facts)
    report = {
        "masked": {kind: masking.masked[kind] for kind in sorted(spec.kinds)},
        "rows": masking.num_rows,
        "rows_read": inputs.data.num_rows,
        "rows_dropped": quarantine.counts.total(),
        "action": spec.action,
        "columns": columns,
        "examples": masking.examples,
    }
    return DeidentifyOutputs(
        data=data, deidentification=ctx.desk.report("deidentification", report), quarantine=quarantine.dataset(ctx.desk)
    )


@dataclass(kw_only=True)
class _Masking:
    """One pass over the rows and what it found."""

    spec: DeidentifySpec
    columns: list[str]
    quarantine: Quarantine
    masked: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    num_rows: int = 0
    """Rows in which something was found."""
    examples: list[str] = field(default_factory=list)

    def batches(self, data: Dataset, ctx: StageContext, facts: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        num_done = 0
        for batch in batches(data):
            ctx.check()
            yield self._batch(batch)
            num_done += batch.num_rows
            ctx.say(num_done, data.num_rows, f"{self.masked.total():,} masked in {self.num_rows:,} rows")
        facts["labels"] = counted(self.labels)  # the desk reads the facts after the rows
        if not self.labels:
            raise DataError(
                f"data: each of the {num_done:,} rows holds personal data and was dropped",
                parameter="action",
                remedy="Set `action: mask`.",
            )

    def _batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        touched = [False] * batch.num_rows
        for name in self.columns:
            cells = batch.column(name).to_pylist()
            masked = [self._mask(cell) if isinstance(cell, str) else cell for cell in cells]
            touched = [before or old != new for before, old, new in zip(touched, cells, masked, strict=True)]
            place = batch.schema.get_field_index(name)
            batch = batch.set_column(place, batch.schema.field(place), pa.array(masked, batch.schema.field(place).type))
        self.num_rows += sum(touched)
        texts, rows = batch.column("text").to_pylist(), batch.column("_row").to_pylist()
        if len(self.examples) < NUM_EXAMPLES:
            found = [text[:_EXAMPLE_CHARS] for text, hit in zip(texts, touched, strict=True) if hit and "[" in text]
            self.examples += found[: NUM_EXAMPLES - len(self.examples)]
        if self.spec.action == "drop" and any(touched):
            for row, text, _ in (found for found in zip(rows, texts, touched, strict=True) if found[2]):
                self.quarantine.add(
                    row=row, reason="personal_data", detail="holds personal data (shown masked)", raw=text
                )
            batch = batch.filter(pa.array([not hit for hit in touched]))
        self.labels.update(batch.column("label").to_pylist())
        return batch

    def _mask(self, text: str) -> str:
        parts, end = [], 0
        for span in recognize(text, self.spec.kinds, self.spec.regions):
            self.masked[span.kind] += 1
            parts += [text[end : span.start], self._sign(span.kind, text[span.start : span.end])]
            end = span.end
        return "".join(parts) + text[end:] if parts else text

    def _sign(self, kind: str, value: str) -> str:
        if self.spec.action != "hash":
            return f"[{kind.upper()}]"
        same = "".join(letter for letter in value.casefold() if letter.isalnum() or letter in "@+.")
        hashed = hmac.new(str(self.spec.hash_salt).encode(), f"{kind}:{same}".encode(), hashlib.sha256).hexdigest()
        return f"[{kind.upper()}:{hashed[:8]}]"
