"""Where rows come from and how they are read: the part of the spec of `collect` that `peek` shares."""

import codecs
from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from modelmint.core.spec import Spec
from modelmint.data.sources.chunks import Cut
from modelmint.data.sources.secrets import refuse_password

Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Sign = Annotated[str, StringConstraints(min_length=1, max_length=1)]


def column_named(spec: Spec, name: str) -> str:
    """What the source calls a canonical column: what the spec's field of that name says, else the name itself."""
    return str(getattr(spec, "query_column" if name == "query" else name, name))


class SourceSpec(Spec):
    """A source and how to read it; what is declared is used, the rest is found out."""

    source: Annotated[str, StringConstraints(min_length=1), Field(json_schema_extra={"path": True})]
    """What to read. A file: .csv, .tsv, .jsonl, .json, .parquet, .arrow, .conll, .txt (text kinds also .gz), .xlsx,
    .pdf, .docx, .html, .md, or an archive of such (.zip, .tar.gz). A folder: with train.* and perhaps test.* and dev.*,
    or of documents, images or recordings. A hub name (owner/name or hf://owner/name), an object store (s3://, gs://,
    az://), a database (sqlite:///file, postgresql://host/name), a public web address (https://), or a set of the
    catalogue of open data (open:banking77).
    """
    encoding: str = "utf-8"
    """How text files are encoded; what is declared is used. A UTF-8 byte order mark is accepted. ``auto``: found from
    the first bytes, among utf-8, utf-16, gb18030, big5, shift_jis, euc_jp, euc_kr, cp1251 and cp1252.
    """
    delimiter: _Sign | None = None
    """What separates CSV cells; found from the header and the first rows where it is not given."""
    header: tuple[Column, ...] = ()
    """The names of the columns of a CSV or TSV file whose first line is a row already. Empty: the first line has them."""
    skip_rows: int = Field(default=0, ge=0, le=10_000)
    """How many lines (of a sheet: rows) stand before the header of a CSV, TSV or Excel file: a title, a date."""
    quote: Annotated[str, StringConstraints(max_length=1)] = '"'
    """The quote character of CSV; empty for files without quoting."""
    guarded: bool = False
    """Whether a CSV file was written by our own export, which puts an apostrophe before what a spreadsheet would run as a
    formula: the apostrophes are taken away again.
    """
    sheet: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Which sheet of a workbook; the first where it is not given."""
    query: Annotated[str, StringConstraints(min_length=1)] | None = None
    """What to ask a database: one SELECT. Give it an ORDER BY, so that rows keep their ids."""
    password_from: Annotated[str, StringConstraints(pattern=r"^MODELMINT_SECRET_[A-Z0-9_]+$")] | None = None
    """The environment variable that holds the database's password; the URL itself must hold none."""
    token_from: Annotated[str, StringConstraints(pattern=r"^MODELMINT_SECRET_[A-Z0-9_]+$")] | None = None
    """The environment variable whose value a web address is asked with (``Authorization: Bearer ...``): over https, and
    the host of `source` alone, wherever it leads.
    """
    revision: str | None = None
    """The commit or branch of a hub data set."""
    config: Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,100}$")] | None = None
    """Which part of a hub data set that has several; its default part where it is not given."""
    cut: Cut | None = None
    """Into what rows documents are cut: document, page (PDF), paragraph, or chunk (whole sentences up to
    `chunk_chars`). Where it is not given: a .txt file by paragraph, other documents whole.
    """
    chunk_chars: int = Field(default=2_000, ge=1, le=1_000_000)
    """How long a chunk of a document may be, in characters."""
    chunk_overlap_chars: int = Field(default=0, ge=0)
    """How much of the end of one chunk the next begins with."""
    file_pattern: Annotated[str, StringConstraints(max_length=1000)] | None = None
    """An expression (RE2) for the names of files in a folder; its named groups become columns: ``(?P<label>[^_]+)_``."""
    metadata: str | None = None
    """The file of a folder of images, recordings or documents that has one row for each of the others."""
    records: str | None = None
    """For a JSON API: the keys to the list of records, with dots between (data.items); a dot alone where the body is
    the list.
    """
    next_page: str | None = None
    """For a JSON API: the keys to the URL of the next page; the Link header is asked where it is not given."""
    max_pages: int = Field(default=1_000, ge=1)
    """How many pages of a JSON API to ask for at most."""
    max_download_bytes: int = Field(default=10_000_000_000, ge=1)
    """A download that is larger is refused."""
    download_timeout_s: float = Field(default=600, gt=0)
    """How long a download may take."""
    max_source_chars: int = Field(default=200_000_000_000, ge=1)
    """A text file that is longer, unpacked, is refused."""
    max_file_bytes: int = Field(default=200_000_000, ge=1)
    """A document, image or recording that is larger goes to quarantine."""
    max_document_pages: int = Field(default=5_000, ge=1)
    """A PDF of more pages goes to quarantine."""
    max_pixels: int = Field(default=50_000_000, ge=1, le=1_000_000_000)
    """An image of more pixels (width times height) goes to quarantine before it is decoded."""
    max_audio_s: float = Field(default=600, gt=0)
    """A recording that is longer goes to quarantine."""

    @field_validator("source")
    @classmethod
    def _no_secret(cls, value: str) -> str:
        refuse_password(value)
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        if value.lower() == "auto":
            return "auto"
        try:
            codecs.lookup(value)
            "".encode(value)  # refuses codecs that are no text encodings (zip, rot13)
        except LookupError as error:
            raise ValueError(f"must be an encoding such as utf-8, gb18030, cp1252 or utf-16; got {value!r}") from error
        return "utf-8" if value.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"} else value.lower()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if twice := sorted({name for name in self.header if self.header.count(name) > 1}):
            raise ValueError(f"header must name each column once; {', '.join(twice)} is there twice")
        if self.chunk_overlap_chars >= self.chunk_chars:
            raise ValueError(
                f"chunk_overlap_chars must be less than chunk_chars ({self.chunk_chars}); is {self.chunk_overlap_chars}"
            )
        return self
