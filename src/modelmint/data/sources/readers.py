"""The rows of one file, whatever its format; a row that cannot be read comes with its reason, never as an error.

**To add a format**: write ``data/<kind>_rows.py`` with a generator ``(file: SourceFile, how: Reading) -> Iterator[Row]``
and add a line to `FORMATS`. What brings a file from elsewhere gets a line in `FETCHERS`: what it brings is then read as
any local file or folder is. Nothing in these tables is imported before it is used.
"""

import gzip
import importlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from modelmint.core.forms import Task
from modelmint.data.sources.blocks import Block, Records
from modelmint.data.sources.chunks import Cut
from modelmint.data.sources.encodings import bad_gzip, wrong_encoding
from modelmint.data.sources.lines import UndecodableError
from modelmint.data.sources.rows import Reading, Row, SourceFile

Reader: TypeAlias = Callable[[SourceFile, Reading], Iterator[Row | Block | Records]]


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """What brings a file or folder from elsewhere; it is then read as any local one."""

    fetch: str
    """``module:function`` ``(url: str, folder: Path) -> Path``: what it brought, in `folder`."""
    fingerprint: str
    """``module:function`` ``(url: str) -> str``: what is there now, without bringing it."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of source and what reads it."""

    name: str
    read: str
    """``module:function`` of the `Reader`; see `rows.Reading` for what it is told."""
    suffixes: tuple[str, ...] = ()
    """File name endings, without the dot, in small letters."""
    gzip: bool = False
    """Whether ``.gz`` may follow; the reader then finds `SourceFile.gzipped` set."""
    folder: str = ""
    """``module:function`` ``(Path) -> bool``: whether a folder without train.* is one source of this kind."""
    parts: str = ""
    """``module:function`` ``(Path) -> list[SourceFile]`` for a folder that declares splits."""
    task: Task | None = None
    """What its rows are for, where nothing else says so."""
    cut: Cut = "document"
    """Into what rows its texts are cut by default."""
    schemes: tuple[str, ...] = ()
    """URL schemes of databases: the reader finds `SourceFile.url`."""
    fingerprint: str = ""
    """``module:function`` ``(SourceFile, Reading) -> str`` for what is no file; without it the URL and query stand."""


FORMATS: tuple[Format, ...] = (
    Format(name="csv", suffixes=("csv",), gzip=True, read="modelmint.data.sources.csv_rows:csv_rows"),
    Format(name="tsv", suffixes=("tsv", "tab"), gzip=True, read="modelmint.data.sources.csv_rows:csv_rows"),
    Format(name="jsonl", suffixes=("jsonl", "ndjson"), gzip=True, read="modelmint.data.sources.json_rows:jsonl_rows"),
    Format(name="json", suffixes=("json",), gzip=True, read="modelmint.data.sources.json_rows:json_rows"),
    Format(name="parquet", suffixes=("parquet",), read="modelmint.data.sources.parquet_rows:parquet_rows"),
    Format(name="arrow", suffixes=("arrow", "feather", "ipc"), read="modelmint.data.sources.arrow_rows:arrow_rows"),
    Format(name="conll", suffixes=("conll", "conllu", "bio", "iob", "iob2"), gzip=True, read="modelmint.data.sources.conll_rows:conll_rows"),
    Format(name="text", suffixes=("txt", "text"), gzip=True, cut="paragraph", task="text-generation", read="modelmint.data.sources.text_rows:text_rows"),
    Format(name="excel", suffixes=("xlsx", "xlsm"), read="modelmint.data.sources.excel_rows:excel_rows"),
    Format(name="document", suffixes=("md", "markdown", "html", "htm", "pdf", "docx"), task="text-generation", read="modelmint.data.sources.document_rows:document_rows"),
    Format(name="idx", folder="modelmint.data.sources.idx_rows:is_idx", parts="modelmint.data.sources.idx_rows:idx_parts", task="image-classification", read="modelmint.data.sources.idx_rows:idx_rows"),
    Format(name="images", folder="modelmint.data.sources.folders:is_images", parts="modelmint.data.sources.folders:parts_of", task="image-classification", read="modelmint.data.sources.media_rows:image_rows"),
    Format(name="audio", folder="modelmint.data.sources.folders:is_audio", parts="modelmint.data.sources.folders:parts_of", task="audio-classification", read="modelmint.data.sources.media_rows:audio_rows"),
    Format(name="documents", folder="modelmint.data.sources.folders:is_documents", parts="modelmint.data.sources.folders:parts_of", task="text-generation", read="modelmint.data.sources.document_rows:document_folder_rows"),
    Format(name="sql", schemes=("sqlite", "postgresql", "postgresql+psycopg", "postgres"), read="modelmint.data.sources.sql_rows:sql_rows", fingerprint="modelmint.data.sources.sql_rows:sql_fingerprint"),
)  # fmt: skip
"""Every format. The first line whose suffix, folder test or scheme fits is taken."""

_CLOUD = Fetcher(fetch="modelmint.data.sources.remote:fetch", fingerprint="modelmint.data.sources.remote:fingerprint")
FETCHERS: dict[str, Fetcher] = {
    **dict.fromkeys(("s3", "gs", "gcs", "az", "abfs", "abfss", "memory"), _CLOUD),
}
"""URL scheme -> what brings it. Web pages (``http``, ``https``) have limits of their own: `sources`."""


def read_rows(file: SourceFile, how: Reading) -> Iterator[Row | Block | Records]:
    """The rows of a file, in order, some of them many at once.

    Raises:
        DataError: empty, damaged, not of its kind, in another encoding, without a wanted column, or too long.
    """
    reader = cast("Reader", load(format_named(file.format).read))
    with read_errors(file, how.encoding):
        yield from reader(file, how)


def format_named(name: str) -> Format:
    """The line of `FORMATS` with this name."""
    return next(each for each in FORMATS if each.name == name)


def load(path: str) -> Callable[..., Any]:
    """``module:function``, imported now."""
    module, _, name = path.partition(":")
    return cast("Callable[..., Any]", getattr(importlib.import_module(module), name))


@contextmanager
def read_errors(file: SourceFile, encoding: str) -> Iterator[None]:
    """Say what the lower libraries raise in our words."""
    try:
        yield
    except UndecodableError as error:
        raise wrong_encoding(file.path, gzipped=file.gzipped, encoding=encoding, line=error.line) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise bad_gzip(file.path, error) from error
