"""What is to be done with a source, decided from its first rows: its task, its dialect, its columns and their types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from modelmint.core.errors import DataError
from modelmint.core.forms import FORMS, Form, Task
from modelmint.data.sources.cell_types import ARROW_TYPES, Kinds
from modelmint.data.sources.dialects import DIALECTS, Dialect, columns, recognised, required
from modelmint.data.sources.encodings import head, likely_encoding
from modelmint.data.sources.parsing import Bounds
from modelmint.data.sources.parts import HubParts, Part, first_records, part_of, singles
from modelmint.data.sources.places import is_hub, located
from modelmint.data.sources.readers import Format, format_named, read_rows
from modelmint.data.sources.rows import Reading, SourceFile, missing_column
from modelmint.data.sources.source_spec import column_named

if TYPE_CHECKING:
    from modelmint.data.collect import CollectSpec
    from modelmint.data.sources.source_spec import SourceSpec

TYPED_ROWS = 200_000
"""The types of a table's columns are found from so many rows."""
_TEXT_TASKS = ("text-classification", "text-pair-classification", "text-generation", "text2text-generation")
_LABELLED_TASKS = ("multi-label-classification", "text-regression")
_TABLE_TASKS = ("tabular-classification", "tabular-regression")
MEDIA_TASKS = ("image-classification", "audio-classification")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one source becomes one dataset."""

    form: Form
    dialect: Dialect
    format: str
    encoding: str
    names: Mapping[str, str]
    """Canonical column -> what the source calls it."""
    types: Mapping[str, str]
    """For a table: column -> number, integer or text, the label's too."""
    columns: tuple[str, ...]
    """What is read of each row; empty where the dialect reads all of it."""
    schema: pa.Schema
    parts: tuple[Part, ...]
    has_split: bool
    group: str | None
    """The column of rows that stay together; the parts of a document do unasked."""
    bulk: bool
    """Whether rows are texts that can be checked many at once."""

    @property
    def task(self) -> str:
        return self.form.task


def plan_of(spec: CollectSpec, folder: Path, say: Callable[[int, int, str], None]) -> Plan:
    """Look at the source and decide; what is declared is used.

    Raises:
        DataError: nothing usable is there, or a declared column is missing.
        InputError, UnavailableError: what is elsewhere cannot be brought here.
    """
    files = [] if is_hub(spec.source) else located(spec, folder, say)
    kind = format_named(files[0].format) if files else Format(name="hub", read="")
    encoding = _encoding(spec, files)
    how = replace(reading_of(spec, kind), encoding=encoding)
    named = [spec.text, spec.label] if {"text", "label"} & spec.model_fields_set else []
    hub = HubParts(spec.source, named, revision=spec.revision, config=spec.config) if not files else None
    sample = hub.sample() if hub else [] if kind.task in MEDIA_TASKS else first_records(files[0], how)
    task, dialect = choose(spec, sample, kind.task)
    form = FORMS[task]
    names = {name: column_named(spec, name) for name in form.columns.names}
    group = spec.group or ("file" if kind.name == "documents" and how.cut != "document" else None)
    extra = [name for name in (spec.split_column, group, spec.subject) if name]
    table = task.startswith("tabular")
    features = _features(spec, sample, extra) if table else ()
    wanted = _wanted(spec, form, dialect, names, features, extra, sample, kind)
    types = _types(spec, files, how, features, sample) if table else {}
    bulk = dialect.name == "columns" and task in _TEXT_TASKS and bool(files)
    strings = [names[name] for name in ("text", "text_pair", "target") if name in names] if bulk else []
    how = replace(how, columns=wanted, strings=strings, texts=bulk)
    has_split = bool(spec.split_column) or not files or files[0].split is not None
    return Plan(
        form=form,
        dialect=dialect,
        format=kind.name,
        encoding=encoding,
        names=names,
        types=types,
        columns=wanted,
        schema=_schema(spec, form, types, has_split, group),
        parts=tuple(part_of(file, how) for file in files) if hub is None else tuple(hub.parts()),
        has_split=has_split,
        group=group,
        bulk=bulk,
    )


def reading_of(spec: SourceSpec, kind: Format) -> Reading:
    """How files of that format are read, as the spec says.

    Raises:
        DataError: a header, or lines before it, are given for a format whose columns have names of their own.
    """
    if spec.header and kind.name not in {"csv", "tsv"}:
        raise DataError(
            f"header: is for CSV and TSV without a header line; the source is read as {kind.name}",
            parameter="header",
            remedy="Leave it out, and name the columns in `text`, `label` and so on.",
        )
    if spec.skip_rows and kind.name not in {"csv", "tsv", "excel"}:
        raise DataError(
            f"skip_rows: is for CSV, TSV and Excel; the source is read as {kind.name}",
            parameter="skip_rows",
            remedy="Leave it out.",
        )
    return Reading(
        known=(getattr(spec, "text", ""), getattr(spec, "label", "")),
        encoding=spec.encoding,
        delimiter=spec.delimiter,
        header=spec.header,
        skip_rows=spec.skip_rows,
        quote=spec.quote,
        guarded=spec.guarded,
        max_chars=spec.max_source_chars,
        sheet=spec.sheet,
        query=spec.query,
        password_from=spec.password_from,
        cut=spec.cut or kind.cut,
        chunk_chars=spec.chunk_chars,
        chunk_overlap_chars=spec.chunk_overlap_chars,
        file_pattern=spec.file_pattern,
        metadata=spec.metadata,
        bounds=Bounds(
            max_file_bytes=spec.max_file_bytes,
            max_pages=spec.max_document_pages,
            max_pixels=spec.max_pixels,
            max_audio_s=spec.max_audio_s,
        ),
    )


def choose(spec: CollectSpec, sample: Sequence[Mapping[str, Any]], declared: Task | None) -> tuple[Task, Dialect]:
    """The task and the dialect of records like these.

    Args:
        declared: what rows of the format are for, where nothing else says so.
    """
    keys = {key for record in sample for key in record}
    given = {name for name, field in type(spec).model_fields.items() if getattr(spec, name) != field.default}
    if spec.dialect is not None and spec.dialect != "columns":
        dialect = next(each for each in DIALECTS if each.name == spec.dialect)
        return dialect.task, dialect
    task = spec.task
    if task is None and ({"text", "label"} & given or _is_labelled_text(spec, sample, keys)):
        task = "text-classification"
        return task, columns(task, {"text": spec.text, "label": spec.label})
    names = set(FORMS[task].columns.names) if task else set()
    if spec.dialect is None and not names & given and (found := recognised(sample, task)) is not None:
        return found.task, found
    if task is None and _is_text_with_labels(spec, sample):
        task = "multi-label-classification"
    if task is None:
        task = declared or "text-classification"
        if task == "text-generation" and spec.label in keys:
            task = "text-classification"
    return task, columns(task, {name: column_named(spec, name) for name in FORMS[task].columns.names})


def _is_labelled_text(spec: CollectSpec, sample: Sequence[Mapping[str, Any]], keys: set[str]) -> bool:
    if not {spec.text, spec.label} <= keys:
        return False
    lists = sum(isinstance(record.get(spec.label), list) for record in sample)
    return lists * 2 <= len(sample)


def _is_text_with_labels(spec: CollectSpec, sample: Sequence[Mapping[str, Any]]) -> bool:
    """A text and a list of names beside it, in nearly every row; no tokens that the names could be tags of."""
    fits = [
        isinstance(record.get(spec.text), str)
        and isinstance(names := record.get(spec.labels), list)
        and all(isinstance(name, str) for name in names)
        for record in sample
    ]
    return bool(fits) and sum(fits) * 10 >= len(fits) * 9


def _wanted(
    spec: CollectSpec,
    form: Form,
    dialect: Dialect,
    names: Mapping[str, str],
    features: Sequence[str],
    extra: Sequence[str],
    sample: Sequence[Mapping[str, Any]],
    kind: Format,
) -> tuple[str, ...]:
    """The columns to read; those that must be there are looked for in the sample where the reader does not look."""
    needed = [*required(form.task), *(name for name, own_name in names.items() if own_name != name)]
    own = [names[name] for name in needed] if dialect.name == "columns" else []
    every = tuple(dict.fromkeys([*features, *own, *extra, *spec.keep]))
    reader_looks = dialect.name == "columns" and form.task in {*_TEXT_TASKS, *_LABELLED_TASKS, *_TABLE_TASKS}
    if reader_looks and kind.name != "hub":
        return every
    keys = list(dict.fromkeys(key for record in sample for key in _seen(record)))
    absent = next((name for name in every if name not in keys), None)
    if absent is not None and sample and form.task not in MEDIA_TASKS:
        raise missing_column(spec.source if kind.name == "hub" else Path(spec.source).name, absent, keys)
    return every if reader_looks else ()


def _seen(record: Mapping[str, Any]) -> list[str]:
    inner = record.get("data")
    return [*record, *(inner if isinstance(inner, Mapping) else ())]


def _features(spec: CollectSpec, sample: Sequence[Mapping[str, Any]], extra: Sequence[str]) -> tuple[str, ...]:
    keys = dict.fromkeys(key for record in sample for key in record)
    taken = {spec.label, *extra, *spec.keep}
    features = spec.features or tuple(key for key in keys if key not in taken and key and not key.startswith("_"))
    if "label" in features:
        raise DataError(
            f"features: 'label' is what the predicted column ({spec.label!r}) is called in the dataset; it cannot be a feature",
            parameter="features",
            remedy="Name the features without it, or rename it in the source.",
        )
    return features


def _types(
    spec: CollectSpec,
    files: Sequence[SourceFile],
    how: Reading,
    features: Sequence[str],
    sample: Sequence[Mapping[str, Any]],
) -> dict[str, str]:
    """The type of each feature: declared, else found over the first rows of all files."""
    kinds = Kinds([name for name in features if name not in spec.types])
    rows = chain.from_iterable(singles(read_rows(file, how)) for file in files)
    num_seen = 0
    for record in (row.cells for row in rows) if files else sample:
        num_seen += 1
        if num_seen > TYPED_ROWS:
            break
        kinds.see(record or {})
    found = kinds.found(whole=bool(files) and num_seen <= TYPED_ROWS)
    return {name: spec.types.get(name) or found[name] for name in features}


def _schema(spec: CollectSpec, form: Form, types: Mapping[str, str], has_split: bool, group: str | None) -> pa.Schema:
    fields = [("_row", pa.string())]
    fields += [(name, ARROW_TYPES[kind]) for name, kind in types.items()]
    fields += [(field.name, field.type) for field in form.columns]
    if form.task == "question-answering":
        fields.append(("answers", pa.list_(pa.string())))
    ours = {"_split": has_split, "_group": group, "_subject": spec.subject}
    fields += [(name, pa.string()) for name, wanted in ours.items() if wanted]
    return pa.schema([*fields, *((name, pa.string()) for name in spec.keep)])


def _encoding(spec: CollectSpec, files: Sequence[SourceFile]) -> str:
    if spec.encoding != "auto":
        return spec.encoding
    if not files or not files[0].path.is_file():
        return "utf-8"
    found = likely_encoding(head(files[0].path, gzipped=files[0].gzipped))
    if found is None:
        raise DataError(
            f"encoding: that of {files[0].path.name} cannot be told from its beginning",
            parameter="encoding",
            remedy="Set `encoding` of the collect stage to the one it was written in.",
        )
    return found
