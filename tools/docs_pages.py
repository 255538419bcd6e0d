"""A hook of MkDocs: ``<!-- include FILE -->`` in a page puts a Markdown file of the repository there.

So the READMEs and the files beside them are pages of the site without being written twice. Their links are made to
fit: into `docs/` they become relative; to a file that is a page of its own they go there; else only their text stays.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
INCLUDE = re.compile(r"<!-- include ([\w./-]+) -->")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
PAGES = {
    "README.md": "index.md",
    "README.zh-CN.md": "zh.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
}


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Called by MkDocs with the text of each page."""
    return INCLUDE.sub(lambda found: included(found[1], page.file.src_uri), markdown)


def included(name: str, page: str) -> str:
    """The text of a file of the repository as it stands in a page; a note where there is no such file."""
    file = ROOT / name
    if not file.is_file():
        return f"*`{name}` is not there yet.*"
    folder = posixpath.dirname(name)
    return LINK.sub(lambda found: _link(found, folder, posixpath.dirname(page)), file.read_text(encoding="utf-8"))


def _link(found: re.Match[str], folder: str, page_folder: str) -> str:
    image, text, target, anchor = found[1], found[2], found[3], found[4] or ""
    if "://" in target:
        return found[0]
    place = posixpath.normpath(posixpath.join(folder, target))
    if place.startswith("docs/") or place in PAGES:
        inside = PAGES.get(place, place.removeprefix("docs/"))
        return f"{image}[{text}]({posixpath.relpath(inside, page_folder or '.')}{anchor})"
    return text
