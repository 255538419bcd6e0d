"""collect: read a source into a dataset with `_row`, `text` and `label`; rows that cannot be used go to quarantine."""

import codecs
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.data.hub import hub_revision
from modelmint.data.intake import Intake
from modelmint.data.quarantine import Quarantine
from modelmint.data.sources import is_hub, local_fingerprint

Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class CollectSpec(Spec):
    """Read a CSV, TSV, JSONL or Parquet file, a folder of splits, or a hub data set."""

    source: Annotated[str, StringConstraints(min_length=1), Field(json_schema_extra={"path": True})]
    """A file (.csv, .tsv, .jsonl, .parquet; text kinds also .gz), a folder with train.* and perhaps test.* and dev.*,
    or a hub name (owner/name).
    """
    text: Column = "text"
    """The column that holds the text."""
    label: Column = "label"
    """The column that holds the label."""
    split_column: Column | None = None
    """A column whose values (train, test, dev or validation) say which split a row belongs to."""
    group: Column | None = None
    """A column whose equal values must stay on one side of the split (a conversation, a customer)."""
    subject: Column | None = None
    """A column that names the person a row is about; stored only as a keyed hash."""
    subject_salt: Annotated[str, StringConstraints(min_length=16)] | None = Field(default=None, repr=False)
    """The key of that hash, at least 16 characters; the same for every source, so that a person can be found again."""
    keep: tuple[Column, ...] = ()
    """Other columns to keep, as text."""
    encoding: str = "utf-8"
    """How text files are encoded; what is declared is used. A UTF-8 byte order mark is accepted."""
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    """What separates CSV cells; found from the header where it is not given."""
    quote: Annotated[str, StringConstraints(max_length=1)] = '"'
    """The quote character of CSV; empty for files without quoting."""
    revision: str | None = None
    """The commit or branch of a hub data set."""
    max_rows: int | None = Field(default=None, ge=2)
    """Read at most this many rows of each file or split."""
    max_cell_chars: int = Field(default=100_000, ge=1, le=10_000_000)
    """A row with a longer cell goes to quarantine."""
    max_labels: int = Field(default=10_000, ge=2)
    """More labels than this are taken for a mistake: the label column holds something else."""
    max_source_chars: int = Field(default=200_000_000_000, ge=1)
    """A text file that is longer, unpacked, is refused."""
    licence: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*( (AND|OR|WITH) [A-Za-z0-9.+-]+)*$")]
        | None
    ) = None
    """The data's licence: an SPDX identifier, such as CC-BY-4.0."""
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    """The language of the texts: a BCP 47 tag, such as en or zh-Hans."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            codecs.lookup(value)
            "".encode(value)  # refuses codecs that are no text encodings (zip, rot13)
        except LookupError as error:
            raise ValueError(f"must be an encoding such as utf-8, gb18030, cp1252 or utf-16; got {value!r}") from error
        return "utf-8" if value.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"} else value.lower()

    @model_validator(mode="after")
    def _columns(self) -> Self:
        if self.subject is not None and self.subject_salt is None:
            raise ValueError(
                "subject_salt is required with subject: a secret of at least 16 characters, the same for every source"
            )
        wrong = [
            name
            for name in self.keep
            if name.startswith("_") or name in {"text", "label", self.text, self.label, self.subject}
        ]
        if wrong or len(set(self.keep)) < len(self.keep):
            raise ValueError(
                "keep must name other columns, each once: not text, label or the subject, none that begins with _; "
                f"got {self.keep}"
            )
        if self.text == self.label:
            raise ValueError(f"text and label must be two columns; both are {self.text!r}")
        return self


@dataclass(frozen=True, kw_only=True)
class CollectInputs:
    """Nothing: a source is outside the catalog."""


@dataclass(frozen=True, kw_only=True)
class CollectOutputs:
    """`data` has `_row`, `text`, `label` and, where declared, `_split`, `_group`, `_subject` and the kept columns."""

    data: Dataset
    quarantine: Dataset


def collect(spec: CollectSpec, inputs: CollectInputs, ctx: StageContext) -> CollectOutputs:  # noqa: ARG001
    """Stream the source into a dataset; memory does not grow with the source.

    A row's `_row` is a digest of its file's key and its number: it stays the same when rows are edited in place.

    Raises:
        DataError: the source is missing, empty, of the wrong kind or encoding, lacks a column, or has fewer than two
            usable rows or labels.
        UnavailableError: the hub cannot be reached.
    """
    with Quarantine(ctx.scratch) as quarantine:
        intake = Intake(spec=spec, ctx=ctx, quarantine=quarantine)
        # `facts` is filled while the rows pass; the desk reads it after the rows.
        data = ctx.desk.dataset(
            "data",
            intake.batches(),
            schema=intake.schema,
            facts=intake.facts,
            licences=[spec.licence] if spec.licence else [],
        )
    return CollectOutputs(data=data, quarantine=quarantine.dataset(ctx.desk))


def fingerprint(spec: CollectSpec) -> str:
    """What the source holds now: a digest of its bytes, or a hub data set's commit (its name alone when offline)."""
    if not is_hub(spec.source):
        return local_fingerprint(spec.source)
    return f"hub:{spec.source}@{spec.revision or hub_revision(spec.source)}"
