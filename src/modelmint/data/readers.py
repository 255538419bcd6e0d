"""The rows of one file, whatever its format; a row that cannot be read comes with its reason, never as an error."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from modelmint.data.csv_rows import csv_rows
from modelmint.data.encodings import EncodingWatch, bad_gzip, check_text, wrong_encoding
from modelmint.data.json_rows import json_rows
from modelmint.data.lines import UndecodableError, open_lines
from modelmint.data.parquet_rows import parquet_rows
from modelmint.data.rows import Row
from modelmint.data.sources import SourceFile

_WATCHED_ROWS = 8192


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files are to be read."""

    columns: Sequence[str]
    """Which cells are wanted, text and label first."""
    encoding: str
    delimiter: str | None
    quote: str
    max_chars: int
    """How many characters a text file may hold, unpacked."""


def read_rows(file: SourceFile, how: Reading) -> Iterator[Row]:
    """The rows of a file, in order.

    Raises:
        DataError: empty, damaged, not of its kind, in another encoding, without a wanted column, or too long.
    """
    if file.format == "parquet":
        yield from parquet_rows(file.path, how.columns)
        return
    check_text(file.path, gzipped=file.gzipped, encoding=how.encoding)
    watch = EncodingWatch(path=file.path, gzipped=file.gzipped, encoding=how.encoding)
    with _read_errors(file, how.encoding):
        for row in _text_rows(file, how):
            watch.see(row.raw, row.line)
            if row.number % _WATCHED_ROWS == _WATCHED_ROWS - 1:
                watch.check()
            yield row
    watch.check()


def _text_rows(file: SourceFile, how: Reading) -> Iterator[Row]:
    newline = "\n" if file.format == "jsonl" else ""
    with open_lines(
        file.path, gzipped=file.gzipped, encoding=how.encoding, newline=newline, max_chars=how.max_chars
    ) as lines:
        if file.format == "jsonl":
            yield from json_rows(lines, how.columns, name=file.path.name)
        else:
            delimiter = how.delimiter or ("\t" if file.format == "tsv" else None)
            yield from csv_rows(lines, how.columns, name=file.path.name, delimiter=delimiter, quote=how.quote)


@contextmanager
def _read_errors(file: SourceFile, encoding: str) -> Iterator[None]:
    """Say what the lower libraries raise in our words."""
    try:
        yield
    except UndecodableError as error:
        raise wrong_encoding(file.path, gzipped=file.gzipped, encoding=encoding, line=error.line) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise bad_gzip(file.path, error) from error
