"""collect: read a source into a dataset of its task's form; rows that cannot be used go to quarantine."""

from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from modelmint.core.errors import InputError
from modelmint.core.forms import FORMS, Task
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset, Report
from modelmint.data.quarantine import Quarantine
from modelmint.data.sources.ahead import ahead
from modelmint.data.sources.cell_types import ColumnType
from modelmint.data.sources.census import Census
from modelmint.data.sources.collection import collection
from modelmint.data.sources.dialects import DIALECTS
from modelmint.data.sources.hub import hub_revision
from modelmint.data.sources.intake import Intake
from modelmint.data.sources.open_sets import filled
from modelmint.data.sources.places import fingerprint_of, is_hub, shown
from modelmint.data.sources.plan import Plan, plan_of
from modelmint.data.sources.source_spec import Column, SourceSpec, column_named


class CollectSpec(SourceSpec):
    """Read a source into a dataset: a file, a folder, a hub data set, a query, a URL."""

    task: Task | None = None
    """What the rows are for. Where it is not given: found from the source's dialect (chats, preferences, questions,
    tagged tokens, images, recordings), else text-classification.
    """
    dialect: str | None = None
    """How rows are written, such as alpaca, sharegpt, label-studio-labels or squad; ``columns`` where each canonical
    column is one of the source. Found from the first rows where it is not given.
    """
    text: Column = "text"
    """The column that holds the text."""
    text_pair: Column = "text_pair"
    """The column that holds the second text, of text-pair-classification."""
    target: Column = "target"
    """The column that holds the text to be written, of text2text-generation."""
    label: Column = "label"
    """The column that holds the label; of tabular-regression and text-regression the number."""
    labels: Column = "labels"
    """The column that holds the labels of multi-label-classification: a list, JSON text of one, or text with
    `labels_separator` between them; empty is no label.
    """
    labels_separator: Annotated[str, StringConstraints(min_length=1, max_length=20)] = "|"
    """What stands between labels that are not a list."""
    tokens: Column = "tokens"
    """The column that holds the list of tokens, of token-classification."""
    tags: Column = "tags"
    """The column that holds the list of tags, one a token."""
    question: Column = "question"
    """The column that holds the question, of question-answering."""
    context: Column = "context"
    """The column that holds the text that answers are found in."""
    answer: Column = "answer"
    """The column that holds the answer, a list of them, or SQuAD's struct of texts and starts."""
    messages: Column = "messages"
    """The column that holds the list of messages, of chat."""
    prompt: Column = "prompt"
    """The column that holds what is asked, of preference."""
    chosen: Column = "chosen"
    """The column that holds the better answer."""
    rejected: Column = "rejected"
    """The column that holds the worse answer."""
    image: Column = "image"
    """The column that holds the image's bytes."""
    audio: Column = "audio"
    """The column that holds the recording's bytes."""
    query_column: Column = "query"
    """The column that holds what is searched for, of text-retrieval. (`query` is what a database is asked.)"""
    positive: Column = "positive"
    """The column that holds the text that should be found."""
    negative: Column = "negative"
    """The column that holds a text that should not be found, where there is one."""
    user: Column = "user"
    """The column that says who took something, of recommendation."""
    item: Column = "item"
    """The column that says what was taken."""
    rating: Column = "rating"
    """The column that says how it was rated, as a number, where there is one."""
    time: Column = "time"
    """The column that says when it was taken (a date or an epoch number), where there is one."""
    features: tuple[Column, ...] = ()
    """The columns of a table to predict from; empty: all but the label and those named elsewhere."""
    types: dict[Column, ColumnType] = Field(default_factory=dict)
    """What columns of a table hold (number, integer, text) where it is not to be found out: a postcode is text."""
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
    max_rows: int | None = Field(default=None, ge=2)
    """Read at most this many rows of each file or split."""
    max_cell_chars: int = Field(default=100_000, ge=1, le=10_000_000)
    """A row with a longer cell goes to quarantine."""
    max_labels: int = Field(default=10_000, ge=2)
    """More labels than this are taken for a mistake: the label column holds something else."""
    licence: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*( (AND|OR|WITH) [A-Za-z0-9.+-]+)*$")]
        | None
    ) = None
    """The data's licence: an SPDX identifier, such as CC-BY-4.0."""
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    """The language of the texts: a BCP 47 tag, such as en or zh-Hans."""

    consent: Literal[
        "consent", "contract", "legal_obligation", "legitimate_interest", "public_data", "synthetic", "unknown"
    ] = "unknown"
    """On what ground the data may be used, in the words of article 6 of the GDPR; public_data and synthetic beside."""

    @model_validator(mode="before")
    @classmethod
    def _open_set(cls, given: Any) -> Any:
        try:
            return filled(given) if isinstance(given, dict) else given
        except InputError as error:
            raise ValueError(str(error)) from error  # so that the recipe can name the line

    @model_validator(mode="after")
    def _columns(self) -> Self:
        if self.subject is not None and self.subject_salt is None:
            raise ValueError(
                "subject_salt is required with subject: a secret of at least 16 characters, the same for every source"
            )
        used = {column_named(self, name) for name in FORMS[self.task or "text-classification"].columns.names}
        canonical = {*FORMS[self.task or "text-classification"].columns.names, *self.features, "answers"}
        wrong = [name for name in self.keep if name.startswith("_") or name in {*used, *canonical, self.subject}]
        if wrong or len(set(self.keep)) < len(self.keep):
            raise ValueError(
                "keep must name other columns, each once: not text, label or the subject, none that begins with _; "
                f"got {self.keep}"
            )
        if self.text == self.label:
            raise ValueError(f"text and label must be two columns; both are {self.text!r}")
        return self

    @model_validator(mode="after")
    def _dialect_of_the_task(self) -> Self:
        tasks = {each.name: each.task for each in DIALECTS}
        if self.dialect not in {None, "columns", *tasks}:
            raise ValueError(f"dialect must be columns or one of {', '.join(tasks)}; got {self.dialect!r}")
        if self.task is not None and tasks.get(str(self.dialect), self.task) != self.task:
            raise ValueError(f"dialect {self.dialect} is one of {tasks[str(self.dialect)]}; task is {self.task}")
        if (self.features or self.types) and not (self.task or "").startswith("tabular"):
            raise ValueError("features and types are for task tabular-classification and tabular-regression")
        if self.label in self.features or len(set(self.features)) < len(self.features):
            raise ValueError(f"features must name each column once, and not the label; got {self.features}")
        return self


@dataclass(frozen=True, kw_only=True)
class CollectInputs:
    """Nothing: a source is outside the catalog."""


@dataclass(frozen=True, kw_only=True)
class CollectOutputs:
    """`data` has `_row`, the columns of its task's form and, where declared, `_split`, `_group`, `_subject` and the kept
    columns. Its fact `task` names the form; `measured["provenance"]` says where it came from.
    """

    data: Dataset
    quarantine: Dataset
    collection: Report


def collect(spec: CollectSpec, inputs: CollectInputs, ctx: StageContext) -> CollectOutputs:  # noqa: ARG001
    """Stream the source into a dataset; memory does not grow with the source.

    A row's `_row` is a digest of its file's key and its number: it stays the same when rows are edited in place.

    Raises:
        DataError: the source is missing, empty, of the wrong kind or encoding, lacks a column, or has fewer than two
            usable rows or labels.
        InputError: a library that the source needs is not installed, or a URL is wrong.
        UnavailableError: what is elsewhere cannot be reached.
    """
    plan = plan_of(spec, ctx.scratch / "source", ctx.say)
    census = Census(plan.form, plan.schema)
    provenance = provenance_of(spec, plan)
    with Quarantine(ctx.scratch) as quarantine:
        intake = Intake(spec=spec, plan=plan, ctx=ctx, quarantine=quarantine, census=census)
        # `facts` is filled while the rows pass; the desk reads it after the rows.
        with closing(ahead(intake.batches())) as batches:
            data = ctx.desk.dataset(
                "data",
                batches,
                schema=plan.schema,
                facts=intake.facts,
                measured={"provenance": provenance},
                licences=[spec.licence] if spec.licence else [],
            )
    report = collection(intake.facts, provenance, census, quarantine, ctx)
    return CollectOutputs(data=data, quarantine=quarantine.dataset(ctx.desk), collection=report)


def provenance_of(spec: CollectSpec, plan: Plan) -> JSON:
    """Where a dataset came from. Not covered by its digest: equal rows of two files are one dataset."""
    return {
        "source": shown(spec.source),
        "format": plan.format,
        "dialect": plan.dialect.name,
        "encoding": plan.encoding,
        "revision": spec.revision,
        "licence": spec.licence,
        "consent": spec.consent,
    }


def fingerprint(spec: CollectSpec) -> str:
    """What the source holds now: a digest of its bytes, or what its server tells of its state.

    A hub data set is its commit (its name alone when offline).
    """
    if not is_hub(spec.source):
        return fingerprint_of(spec)
    return f"hub:{spec.source}@{spec.revision or hub_revision(spec.source)}"
