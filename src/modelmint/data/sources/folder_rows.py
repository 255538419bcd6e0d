"""The files of a folder with what is known of each: from its folder, from its name, or from a metadata file."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from modelmint.core.errors import DataError
from modelmint.data.expressions import compile_expression
from modelmint.data.sources.folders import METADATA, inside, label_of, row_number, suffix, walk
from modelmint.data.sources.rows import Reading, Row, SourceFile, need

_NAME_COLUMNS = ("file_name", "file", "filename", "path", "image", "audio", "document")
"""What metadata files call the column that names the file; the first is the convention of `datasets`."""


class Found(NamedTuple):
    """A file to read, or why it is not read."""

    name: str
    number: int
    path: Path | None
    cells: Mapping[str, Any]
    """``label`` and whatever else is known of it."""
    reason: str = ""
    detail: str = ""

    def fault(self, reason: str, detail: str, done_bytes: int) -> Row:
        """The row for a file that cannot be used."""
        return Row(self.number, None, reason, f"{shown(self.name)}: {detail}", raw=[self.name], done_bytes=done_bytes)


def files_of(file: SourceFile, how: Reading, *, suffixes: Collection[str]) -> Iterator[Found]:
    """The files of a folder, in the order of the metadata file where there is one, else of their names.

    Args:
        suffixes: those of the kind that is read; other files come with the reason ``other_kind``.

    Raises:
        DataError: the metadata file is missing or names no file, or the pattern has no named group.
        InputError: the pattern is not in RE2's syntax.
    """
    metadata = _metadata(file.path, how)
    if metadata is not None:
        yield from _listed(file.path, metadata, how)
        return
    columns = _from_name(how.file_pattern)
    is_flat = not any(path.is_dir() for path in file.path.iterdir())
    for place in walk(file.path):
        cells = {} if is_flat else {"label": label_of(place.name)}
        found = Found(place.name, row_number(place.name), file.path / place.name, cells)
        if place.fault:
            yield found._replace(path=None, reason="not_a_file", detail=place.fault)
        elif suffix(place.name) not in suffixes:
            yield found._replace(
                path=None, reason="other_kind", detail=f"it is none of {', '.join(sorted(filter(None, suffixes)))}"
            )
        elif (told := columns(place.name)) is None:
            yield found._replace(
                path=None, reason="no_match", detail=f"file_pattern {how.file_pattern!r} is not found in its name"
            )
        else:
            yield found._replace(cells={**found.cells, **told})


def checked(rows: Iterator[Row], file: SourceFile, how: Reading) -> Iterator[Row]:
    """The same rows; the first that can be used must have every wanted column.

    Raises:
        DataError: a wanted column is missing.
    """
    waiting = True
    for row in rows:
        if waiting and row.cells is not None:
            need(how.columns, list(row.cells), file.path.name)
            waiting = False
        yield row


def shown(name: str) -> str:
    """A file's name as text: bytes of it that are no UTF-8 are written as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _from_name(pattern: str | None) -> Any:
    """A function from a file's name to the cells it holds; None where the pattern is not found."""
    if pattern is None:
        return lambda _name: {}
    expression = compile_expression(pattern, parameter="file_pattern", may_be_empty=False)
    if not expression.compiled.groupindex:
        raise DataError(
            f"file_pattern: must name what it finds, such as (?P<label>[a-z]+)_\\d+; got {pattern!r}",
            parameter="file_pattern",
            remedy="Put the part of the name that is the label into (?P<label>...).",
        )

    def cells(name: str) -> dict[str, Any] | None:
        match = expression.compiled.search(shown(name))
        return None if match is None else match.groupdict()

    return cells


def _metadata(folder: Path, how: Reading) -> Path | None:
    if how.metadata is None:
        return next((folder / name for name in METADATA if (folder / name).is_file()), None)
    path = inside(folder, how.metadata)
    if path is None or not path.is_file():
        raise DataError(
            f"metadata: must be a file in the folder {folder.name}; {how.metadata!r} is not there",
            parameter="metadata",
            remedy="Name a .csv, .tsv, .jsonl or .parquet file with one row for each file.",
        )
    return path


def _listed(folder: Path, metadata: Path, how: Reading) -> Iterator[Found]:
    """The files that a metadata file names, then those that it does not."""
    seen: Counter[str] = Counter()
    for number, row in enumerate(_metadata_rows(metadata, how)):
        if row.cells is None:
            yield Found(metadata.name, row_number(metadata.name, number), None, {}, row.reason, row.detail)
            continue
        name = str(next((row.cells[column] for column in _NAME_COLUMNS if row.cells.get(column)), ""))
        found = Found(name, row_number(name, seen[name]), inside(folder, name), dict(row.cells))
        seen[name] += 1
        if found.path is None:
            yield found._replace(reason="bad_path", detail=f"{metadata.name} names a file outside of the folder")
        elif not found.path.is_file():
            yield found._replace(path=None, reason="missing_file", detail=f"{metadata.name} names it; it is not there")
        else:
            yield found
    for place in walk(folder):
        if place.name not in seen and folder / place.name != metadata:
            yield Found(place.name, row_number(place.name), None, {}, "not_listed", f"{metadata.name} does not name it")


def _metadata_rows(metadata: Path, how: Reading) -> Iterator[Row]:
    from modelmint.data.sources.readers import FORMATS, read_rows  # the readers of tables, which know of this one

    end = suffix(metadata.name)
    known = next((kind for kind in FORMATS if end in kind.suffixes), None)
    if known is None:
        raise DataError(
            f"metadata: must be a .csv, .tsv, .jsonl or .parquet file; got {metadata.name}",
            parameter="metadata",
            remedy="Save it as CSV with a header.",
        )
    source = SourceFile(path=metadata, key=metadata.name, split=None, format=known.name)
    reading = Reading(
        known=_NAME_COLUMNS,
        encoding=how.encoding,
        delimiter=how.delimiter,
        quote=how.quote,
        max_chars=how.max_chars,
        block_chars=0,
    )
    given = (row for item in read_rows(source, reading) for row in ([item] if isinstance(item, Row) else item.rows()))
    for number, row in enumerate(given):
        if number == 0 and row.cells is not None and not set(row.cells) & set(_NAME_COLUMNS):
            raise DataError(
                f"metadata: {metadata.name} must have a column {', '.join(_NAME_COLUMNS[:4])}; it has {', '.join(row.cells)}",
                parameter="metadata",
                remedy="Rename the column that holds the file names to file_name.",
            )
        yield row
