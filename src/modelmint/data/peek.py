"""Look at a source before it is imported: its format, dialect, columns and first rows, and the spec that would read it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import ValidationError

from modelmint.core.errors import DataError, InputError
from modelmint.core.forms import FORMS
from modelmint.core.language.languages import detect
from modelmint.core.types import JSON
from modelmint.data.collect import CollectSpec
from modelmint.data.sources.checks import BadRowError
from modelmint.data.sources.collection import short_cells
from modelmint.data.sources.convert import Converter
from modelmint.data.sources.delimiters import delimiter_of_rows, find_delimiter, find_preamble, find_quote
from modelmint.data.sources.dialects import required
from modelmint.data.sources.doubts import doubts
from modelmint.data.sources.encodings import head, is_wide, likely_encoding
from modelmint.data.sources.guesses import guess, look, split_of
from modelmint.data.sources.parts import singles
from modelmint.data.sources.peeked import column_told, printable_told, words_of
from modelmint.data.sources.places import is_hub, located, shown
from modelmint.data.sources.plan import MEDIA_TASKS, choose, reading_of
from modelmint.data.sources.readers import format_named, read_rows
from modelmint.data.sources.rows import Reading, Row, SourceFile
from modelmint.data.sources.source_spec import column_named

MAX_ROWS = 1_000
_MAX_MEDIA = 20
_MAX_SAMPLE_CHARS = 4 << 20
_NUM_SHOWN = 5
_TEXT_FORMATS = {"csv", "tsv", "jsonl", "json", "conll", "text"}


def peek(source: str, **overrides: Any) -> JSON:
    """What is in a source, from its beginning (a few MB at most), and how `collect` would read it.

    Args:
        overrides: fields of `CollectSpec` that are known; they win over what is found.

    Returns:
        ``source``, ``format``, ``dialect``, ``task``, ``encoding``, ``delimiter``, ``columns`` (``name``, ``type``,
        ``role``, ``missing``, ``examples``), ``sample`` (the first rows in canonical form), ``num_rows``,
        ``rows_estimated``, ``size_bytes``, ``languages``, ``spec`` (fields as they would stand in a recipe), ``warnings``.

    Raises:
        DataError: nothing is there, or no kind that can be read.
        InputError, UnavailableError: what is elsewhere cannot be reached.
        InputError: an override is wrong.
    """
    spec = _spec(source, overrides)
    if is_hub(source):
        raise DataError(
            f"source: {source} is a data set on a hub; only what is here or at a URL can be looked at",
            parameter="source",
            remedy="Run collect with `max_rows: 100`, or look at its page on the hub.",
        )
    with tempfile.TemporaryDirectory(prefix="modelmint-peek-") as folder:
        files = located(spec, Path(folder), lambda _done, _total, _said: None)
        return _Peek(spec, files, overrides).told()


def _spec(source: str, fields: Mapping[str, Any]) -> CollectSpec:
    try:
        return CollectSpec(**{"source": source, **fields})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = str(first["msg"]).removeprefix("Value error, ")
        raise InputError(
            f"{place}: {message}" if place else message,
            parameter=place or "source",
            remedy="The reference of recipes (docs/reference/recipe.md) lists the fields of collect.",
        ) from error


class _Peek:
    """One look at one source."""

    def __init__(self, spec: CollectSpec, files: Sequence[SourceFile], overrides: Mapping[str, Any]) -> None:
        self.files, self.file = files, files[0]
        self.kind = format_named(self.file.format)
        self.found: JSON = {}
        self.header: list[str] = []
        self.warnings: list[str] = []
        self.how = self._reading(spec, overrides)
        self.rows, self.whole = self._head()
        self.records = [row.cells for row in self.rows if row.cells is not None]
        self.columns = look(self.records)
        guessed = "encoding" in self.found and not is_wide(self.how.encoding)
        self.warnings += doubts(
            self.records,
            self.columns,
            header=() if self.how.header else self.header,
            empty=not self.rows,
            encoding=self.how.encoding if guessed else None,
            may_be_guarded=self.kind.name in {"csv", "tsv"} and not self.how.guarded,
        )
        task, dialect = choose(spec, self.records, self.kind.task)
        if dialect.name == "columns" and not self._fits(task, spec) and self.kind.folder and task != "text-generation":
            self.warnings.append(
                "Nothing says the labels: put the files into one folder a label, or set `file_pattern` or `metadata`."
            )
        elif dialect.name == "columns" and not self._fits(task, spec):
            self.found |= {key: value for key, value in guess(self.columns).items() if key not in overrides}
        if (split := split_of(self.columns)) is not None and "split_column" not in overrides:
            self.found["split_column"] = split
        self.spec = _spec(spec.source, self.found | dict(overrides))
        self.task, self.dialect = choose(self.spec, self.records, self.kind.task)
        if self.dialect.name != "columns" or self.kind.task is not None:
            self.found["task"] = self.task

    def told(self) -> JSON:
        roles = self._roles()
        sample = self._sample(roles)
        num_rows, estimated = self._num_rows()
        told = {
            "source": shown(self.spec.source),
            "format": self.kind.name,
            "dialect": self.dialect.name,
            "task": self.task,
            "encoding": self.how.encoding if self.kind.name in _TEXT_FORMATS else None,
            "delimiter": self.how.delimiter if self.kind.name in {"csv", "tsv"} else None,
            "columns": [column_told(one, roles.get(one.name)) for one in self.columns],
            "sample": [short_cells(row) for row in sample[:_NUM_SHOWN]],
            "num_rows": num_rows,
            "rows_estimated": estimated,
            "size_bytes": sum(_size_bytes(file.path) for file in self.files),
            "splits": sorted({file.split for file in self.files if file.split}),
            "languages": self._languages(sample),
            "spec": {"source": self.spec.source, **self._declared()},
            "warnings": self.warnings,
        }
        return {name: printable_told(value) for name, value in told.items()}

    def _reading(self, spec: CollectSpec, overrides: Mapping[str, Any]) -> Reading:
        """How the file is read: encoding, delimiter and quote as declared, else as found."""
        how = replace(reading_of(spec, self.kind), block_chars=0)
        if self.kind.name not in _TEXT_FORMATS:
            return how
        begun = head(self.file.path, gzipped=self.file.gzipped)
        encoding = spec.encoding
        if "encoding" not in overrides or encoding == "auto":
            encoding = likely_encoding(begun) or "utf-8"
            if encoding != "utf-8":
                self.found["encoding"] = encoding
        how = replace(how, encoding=encoding)
        if self.kind.name not in {"csv", "tsv"}:
            return how
        text = begun.decode("utf-8-sig" if encoding == "utf-8" else encoding, "replace")
        how, text = self._past_preamble(how, text, overrides)
        first, _, rest = text.lstrip("\r\n").partition("\n")
        declared = spec.delimiter or ("\t" if self.kind.name == "tsv" else None)
        quote = spec.quote if "quote" in overrides else find_quote(rest, declared)
        if spec.header:
            delimiter = delimiter_of_rows(text, len(spec.header), declared=declared, quote=quote)
        else:
            delimiter, self.header = find_delimiter(first, rest, wanted=(), declared=declared, quote=quote)
        if quote != '"':
            self.found["quote"] = quote
        if delimiter not in {",", "\t" if self.kind.name == "tsv" else ","}:
            self.found["delimiter"] = delimiter
        return replace(how, delimiter=delimiter, quote=quote)

    def _past_preamble(self, how: Reading, text: str, overrides: Mapping[str, Any]) -> tuple[Reading, str]:
        """The reading and the text without the lines above the header, as declared, else as found."""
        declared = how.delimiter or ("\t" if self.kind.name == "tsv" else None)
        if "skip_rows" not in overrides and not how.header:
            found = find_preamble(text, declared=declared, quote=how.quote)
            how = replace(how, skip_rows=found)
            if found:
                self.found["skip_rows"] = found
                self.warnings.append(f"{found:,} lines stand above the header and are skipped: see `skip_rows`.")
        lines = StringIO(text, newline="")
        for _ in range(how.skip_rows):
            lines.readline()
        return how, lines.read()

    def _head(self) -> tuple[list[Row], bool]:
        """The first rows, and whether they are all."""
        rows: list[Row] = []
        num_chars = 0
        every = singles(read_rows(self.file, self.how))
        for row in islice(every, _MAX_MEDIA if self.kind.task in MEDIA_TASKS else MAX_ROWS):
            rows.append(row)
            num_chars += sum(map(len, row.raw)) or sum(
                len(cell) for cell in (row.cells or {}).values() if isinstance(cell, str | bytes)
            )
            if num_chars > _MAX_SAMPLE_CHARS:
                break
        return rows, next(every, None) is None

    def _fits(self, task: str, spec: CollectSpec) -> bool:
        """Whether the columns that the task needs are there."""
        keys = {name for record in self.records for name in record}
        table = task.startswith("tabular")
        names = ("label",) if table else required(task)
        return all(column_named(spec, name) in keys for name in names)

    def _roles(self) -> dict[str, str]:
        """Source column -> what it is used as."""
        if self.dialect.name != "columns":
            return {}
        names = {column_named(self.spec, name): name for name in FORMS[self.task].columns.names}
        ours = {"split": self.spec.split_column, "group": self.spec.group, "subject": self.spec.subject}
        extra = {name: role for role, name in ours.items() if name} | dict.fromkeys(self.spec.keep, "kept")
        roles = {one.name: (names | extra)[one.name] for one in self.columns if one.name in names | extra}
        if self.task.startswith("tabular"):
            features = self.spec.features or [one.name for one in self.columns if not one.name.startswith("_")]
            roles = dict.fromkeys([name for name in features if name not in roles], "feature") | roles
        return roles

    def _sample(self, roles: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """The first rows in canonical form; says why others are not."""
        names = {name: column_named(self.spec, name) for name in FORMS[self.task].columns.names}
        kinds = {one.name: one.kind if one.kind in {"number", "integer"} else "text" for one in self.columns}
        types = {name: self.spec.types.get(name, kinds[name]) for name, role in roles.items() if role == "feature"}
        converter = Converter(self.spec, self.dialect, names=names, types=types, encoding=self.how.encoding)
        good: list[Mapping[str, Any]] = []
        bad: Counter[str] = Counter()
        details: dict[str, str] = {}
        for row in self.rows:
            try:
                if row.cells is None:
                    raise BadRowError(row.reason, row.detail)
                good.append(converter.canonical(row.cells))
            except BadRowError as error:
                bad[error.reason] += 1
                details.setdefault(error.reason, error.detail)
        for reason, number in bad.most_common():
            self.warnings.append(
                f"{number:,} of the first {len(self.rows):,} rows would go to quarantine: {reason} ({details[reason]})"
            )
        return good

    def _num_rows(self) -> tuple[int | None, bool]:
        if self.kind.name == "parquet":
            return sum(pq.ParquetFile(file.path).metadata.num_rows for file in self.files), False
        if self.whole and len(self.files) == 1:
            return len(self.rows), False
        if not self.rows or self.kind.name not in _TEXT_FORMATS:
            return None, True
        read_bytes = sum(len(line.encode(self.how.encoding, "replace")) for row in self.rows for line in row.raw)
        size_bytes = sum(_size_bytes(file.path) for file in self.files)
        if self.file.gzipped:
            size_bytes = int(size_bytes * self._packing())
        return (round(size_bytes * len(self.rows) / read_bytes), True) if read_bytes else (None, True)

    def _packing(self) -> float:
        """How many bytes each byte of a gzip file becomes, by its beginning."""
        import zlib

        with self.file.path.open("rb") as stream:
            packed = stream.read(1 << 20)
        unpacked = zlib.decompressobj(31).decompress(packed)
        return len(unpacked) / max(len(packed), 1)

    def _languages(self, sample: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        texts = [path.split(".")[0] for path in FORMS[self.task].texts]
        cells = [row[name] for row in sample[:200] for name in texts if name in row]
        written = [cell if isinstance(cell, str) else words_of(cell) for cell in cells]
        found = detect([text[:500] for text in written if text.strip()])
        main = next(iter(found), None)
        if main not in {None, "und"} and found[str(main)] >= 0.8 and self.spec.language is None:
            self.found["language"] = main
        return found

    def _declared(self) -> JSON:
        if self.spec.licence is None:
            self.warnings.append("The licence is not known: set `licence` (SPDX, such as CC-BY-4.0).")
        default = CollectSpec(source=self.spec.source)
        dumped = self.spec.model_copy(update=self.found).model_dump(mode="json")
        plain = default.model_dump(mode="json")
        return {name: value for name, value in dumped.items() if value != plain[name] and name != "subject_salt"}


def _size_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file()) if path.is_dir() else 0
