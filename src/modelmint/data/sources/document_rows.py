"""Rows of documents: text, Markdown, web pages, PDF and Word; one file or a folder of them."""

from collections.abc import Iterator
from pathlib import Path

from modelmint.core.types import JSON
from modelmint.data.sources.chunks import cut_text
from modelmint.data.sources.encodings import likely_encoding
from modelmint.data.sources.extras import need_library
from modelmint.data.sources.folder_rows import Found, checked, files_of, shown
from modelmint.data.sources.folders import PARSED, TEXTS, row_number, suffix
from modelmint.data.sources.parsing import Bounds, Parser
from modelmint.data.sources.rows import Reading, Row, SourceFile
from modelmint.data.sources.unreadable import UnreadableError

_LIBRARIES = {"pdf": ("pypdf",), "docx": ("docx", "lxml"), "html": ("trafilatura", "lxml")}


def document_rows(file: SourceFile, how: Reading) -> Iterator[Row]:
    """The rows of one document: ``text``, ``file``, ``page`` (of a PDF cut into pages), ``part``, ``title``.

    Raises:
        InputError: a library of the extra `documents` is missing.
    """
    with Parser(how.bounds) as parser:
        found = Found(file.path.name, 0, file.path, {})
        yield from checked(_rows(found, parser, how, done_bytes=0), file, how)


def document_folder_rows(file: SourceFile, how: Reading) -> Iterator[Row]:
    """The same of every document of a folder, with ``label``: the folder it is in, or what its name or metadata say.

    A document that cannot be read is one row with its reason. Parts of one document have one ``file``: keep them
    together by it when splitting.

    Raises:
        InputError: a library of the extra `documents` is missing.
        DataError: see `folder_rows.files_of`.
    """
    return checked(_folder_rows(file, how), file, how)


def _folder_rows(file: SourceFile, how: Reading) -> Iterator[Row]:
    done_bytes = 0
    with Parser(how.bounds) as parser:
        for found in files_of(file, how, suffixes=TEXTS | PARSED.keys()):
            if found.path is None:
                yield found.fault(found.reason, found.detail, done_bytes)
                continue
            done_bytes += found.path.stat().st_size
            yield from _rows(found, parser, how, done_bytes=done_bytes)


def _rows(found: Found, parser: Parser, how: Reading, *, done_bytes: int) -> Iterator[Row]:
    path = found.path or Path()
    try:
        texts, facts = read_document(path, parser, encoding=None if how.encoding == "auto" else how.encoding)
    except UnreadableError as error:
        yield found.fault(error.reason, error.detail, done_bytes)
        return
    pages = list(enumerate(texts, 1)) if how.cut == "page" else [(0, "\n\n".join(text for text in texts if text))]
    part = 0
    for page, text in pages:
        for piece in cut_text(text, how.cut, chunk_chars=how.chunk_chars, overlap_chars=how.chunk_overlap_chars):
            cells = {
                **found.cells,
                "text": piece,
                "file": shown(found.name),
                "part": part,
                "title": facts.get("title") or None,
            }
            if how.cut == "page":
                cells["page"] = page
            yield Row(row_number(found.name, part), cells, done_bytes=done_bytes)
            part += 1
    if part == 0:
        yield found.fault("empty_text", "it holds no text", done_bytes)


def read_document(path: Path, parser: Parser, *, encoding: str | None) -> tuple[list[str], JSON]:
    """The pages of a PDF, or the one text of another document, and what is known of it.

    Raises:
        UnreadableError: it cannot be used; says why.
        InputError: a library of the extra `documents` is missing.
    """
    kind = PARSED.get(suffix(path.name))
    if kind is None:
        return [_plain_text(path, encoding, parser.bounds)], {}
    need_library(*_LIBRARIES[kind], extra="documents", what=f"reading {path.suffix} files")
    parsed = parser.parse(kind, path, **({"encoding": encoding} if kind == "html" else {}))
    if parsed.reason:
        raise UnreadableError(parsed.reason, parsed.detail)
    return parsed.texts, parsed.facts


def _plain_text(path: Path, encoding: str | None, bounds: Bounds) -> str:
    size_bytes = path.stat().st_size
    if size_bytes > min(bounds.max_file_bytes, bounds.max_chars * 4):
        raise UnreadableError("too_large", f"{size_bytes:,} bytes; max_file_bytes takes {bounds.max_file_bytes:,}")
    data = path.read_bytes()
    likely = likely_encoding(data[: 1 << 18])
    name = encoding or likely or "utf-8"
    try:
        text = data.decode("utf-8-sig" if name == "utf-8" else name)
    except UnicodeDecodeError as error:
        hint = f"; it looks like {likely}" if likely else ""
        raise UnreadableError("undecodable", f"its bytes are not {name} (at byte {error.start:,}){hint}") from error
    if "\0" in text:
        raise UnreadableError("nul_byte", "it holds a NUL byte: it is no text")
    if len(text) > bounds.max_chars:
        raise UnreadableError("too_long", f"{len(text):,} characters; at most {bounds.max_chars:,} are read")
    return text.replace("\r\n", "\n")
