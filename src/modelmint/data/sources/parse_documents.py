"""Text out of PDF, Word and web pages. These functions run in `data.parse_process`, and may be killed there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelmint.core.types import JSON
from modelmint.data.sources.office import check_office
from modelmint.data.sources.parsing import Bounds
from modelmint.data.sources.unreadable import UnreadableError

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\xa0]+")
_BREAKS = re.compile(r"\n{3,}")


def pdf(path: Path, bounds: Bounds) -> Iterator[str | JSON]:
    """The text of each page, then the title. An encrypted file is read where its user password is empty.

    Raises:
        UnreadableError: ``encrypted``, ``too_many_pages``, ``too_long``, ``no_text`` (a scan without a text layer).
    """
    import pypdf

    with path.open("rb") as stream:
        reader = pypdf.PdfReader(stream, strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("encrypted", "the PDF needs a password")
        num_pages = len(reader.pages)
        if num_pages > bounds.max_pages:
            raise UnreadableError("too_many_pages", f"{num_pages:,} pages; max_pages takes {bounds.max_pages:,}")
        num_chars = 0
        for page in reader.pages:
            text = _tidy(page.extract_text())
            num_chars += len(text)
            _check_length(num_chars, bounds)
            yield text
        if num_chars == 0:
            raise UnreadableError("no_text", f"none of its {num_pages:,} pages has a text layer; it may be a scan")
        yield {"title": _tidy(str((reader.metadata or {}).get("/Title") or ""))[:300]}


def docx(path: Path, bounds: Bounds) -> Iterator[str | JSON]:
    """The paragraphs and tables of a Word document in their order; a table row is one line, cells parted by tabs."""
    from docx import Document

    check_office(path, max_bytes=bounds.max_file_bytes * 2)
    document = Document(str(path))
    parts, num_chars = list[str](), 0
    for block in document.iter_inner_content():
        text = _table(block) if hasattr(block, "rows") else str(block.text)
        num_chars += len(text)
        _check_length(num_chars, bounds)
        parts.append(text)
    text = _tidy("\n".join(parts))
    if not text:
        raise UnreadableError("no_text", "the document holds no text")
    yield text
    yield {"title": str(document.core_properties.title or "")[:300]}


def html(path: Path, bounds: Bounds, *, encoding: str | None) -> Iterator[str | JSON]:
    """The main text of a web page, without menus, advertisements and footers; all its text where none stands out.

    The encoding is that of its byte order mark, of its own ``<meta charset>``, or the one given, in this order.
    Method: https://aclanthology.org/2021.acl-demo.15 (trafilatura).
    """
    import trafilatura

    source = _decoded(path.read_bytes(), encoding)
    _check_length(len(source), bounds)
    if not source.strip():
        raise UnreadableError("no_text", "the page is empty")
    if any(tag.group().count("=") > _MAX_ATTRIBUTES for tag in _LONG_TAG.finditer(source)):
        raise UnreadableError("bad_html", f"a tag has more than {_MAX_ATTRIBUTES:,} attributes")
    tree = _html_tree(source)
    title = _tidy(tree.findtext(".//title") or "")[:300]
    text = trafilatura.extract(tree, include_comments=False, include_tables=True, include_formatting=False)
    if not text:
        tree = _html_tree(source)  # the one before was worked upon
        for noise in tree.xpath("//script|//style|//noscript|//template|//head"):
            noise.drop_tree()
        text = "\n".join(line.strip() for line in tree.text_content().splitlines())
    if not (text := _tidy(text)):
        raise UnreadableError("no_text", "the page holds no text")
    yield text
    yield {"title": title}


_MAX_ATTRIBUTES = 50_000  # the time of libxml2 grows with their square
_LONG_TAG = re.compile(rf"<[A-Za-z][^<>]{{{2 * _MAX_ATTRIBUTES},}}")


def _html_tree(source: str) -> Any:
    from lxml.html import HTMLParser, fromstring

    # Without `huge_tree` libxml2 drops in silence what is nested deeper than 256 or longer than 10 MB.
    parser = HTMLParser(encoding="utf-8", no_network=True, huge_tree=True, remove_comments=True, remove_pis=True)
    tree = fromstring(source.encode("utf-8", "replace"), parser=parser)
    if fatal := [entry.message for entry in parser.error_log if entry.level_name == "FATAL"]:
        raise UnreadableError("bad_html", f"it cannot be read to its end: {fatal[0].strip()}"[:300])
    return tree


def _decoded(data: bytes, encoding: str | None) -> str:
    from modelmint.data.sources.encodings import likely_encoding

    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    declared = _META_CHARSET.search(data[:4096])
    names = [declared.group(1).decode("ascii") if declared else None, encoding, likely_encoding(data[: 1 << 18])]
    for name in names:
        try:
            return data.decode(
                "gb18030" if name and name.lower() in {"gb2312", "gbk"} else name or "", "strict"
            ).removeprefix("\ufeff")
        except (UnicodeDecodeError, LookupError):
            continue
    raise UnreadableError(
        "undecodable", f"its bytes are in none of {', '.join(name for name in names if name) or 'the usual encodings'}"
    )


def _table(table: Any) -> str:
    """Cells that span others are given by the library once a place: a repeat of the one before is left out."""
    lines = []
    for row in table.rows:
        cells = list[str]()
        last = None
        for cell in row.cells:
            if cell._tc is not last:
                cells.append(" ".join(cell.text.split()))
            last = cell._tc
        lines.append("\t".join(cells))
    return "\n".join(lines)


def _tidy(text: str) -> str:
    """Runs of blanks as one (a tab where there is one), at most one empty line, NUL bytes out."""
    lines = (
        _SPACES.sub(lambda run: "\t" if "\t" in run.group() else " ", line).strip()
        for line in text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    )
    return _BREAKS.sub("\n\n", "\n".join(lines)).strip()


def _check_length(num_chars: int, bounds: Bounds) -> None:
    if num_chars > bounds.max_chars:
        raise UnreadableError("too_long", f"more than {bounds.max_chars:,} characters of text")
