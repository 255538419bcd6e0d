"""Text out of HTML: tags, scripts and entities taken off a fragment, the main text taken out of a whole web page.

Everything here runs on RE2 or on a bounded parse: a cell of a thousand unclosed tags costs no more than its length.
"""

import html
import re
from functools import lru_cache
from typing import Any

MAX_PAGE_CHARS = 2_000_000
"""A longer page is not parsed, only stripped."""

_BLOCKS = (
    "address|article|aside|blockquote|br|caption|center|dd|details|dialog|div|dl|dt|fieldset|figcaption|figure|footer|"
    "form|h[1-6]|header|hr|legend|li|main|nav|ol|option|p|pre|section|summary|table|tbody|td|tfoot|th|thead|tr|ul"
)
_INLINE = (
    "a|abbr|acronym|audio|b|base|bdi|bdo|big|body|button|canvas|cite|code|col|colgroup|data|datalist|del|dfn|em|embed|"
    "font|head|html|i|iframe|img|input|ins|kbd|label|link|map|mark|meta|meter|noscript|object|output|param|picture|"
    "progress|q|ruby|rp|rt|s|samp|select|small|source|span|strike|strong|sub|sup|svg|textarea|time|title|tt|u|var|"
    "video|wbr"
)


def strip_markup(text: str) -> str:
    """Without tags, comments, scripts and styles; entities as their characters; a block's end is a line break.

    Only tags that HTML knows are taken: ``List<int>`` and ``a < b > c`` stay as they are.
    """
    if "<" in text:
        for pattern, by in _patterns():
            text = pattern.sub(by, text)
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text


def page_text(text: str) -> str:
    """The main text of a whole web page, without menus, footers and advertisements, as trafilatura finds it.

    A cell that is no whole page, and a page of which nothing is found, is stripped of its tags alone.
    """
    if len(text) <= MAX_PAGE_CHARS and _PAGE.search(text[:4000]):
        found = _main_text(text)
        if found:
            return found
    return strip_markup(text)


def _main_text(text: str) -> str | None:
    import trafilatura
    from lxml.etree import LxmlError

    try:
        found = trafilatura.extract(text, include_comments=False, include_tables=True, deduplicate=False)
    except (LxmlError, ValueError, RecursionError):
        return None
    return None if found is None else str(found)


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[Any, str], ...]:
    import re2

    attributes = r"(?:\s[^<>]*)?/?"
    return (
        (re2.compile(r"(?s)<!--.*?-->"), " "),
        (re2.compile(r"(?is)<(?:script|style|template)(?:\s[^<>]*)?>.*?</(?:script|style|template)\s*>"), " "),
        (re2.compile(r"(?i)<!doctype[^<>]*>|<\?xml[^<>]*>|<!\[CDATA\[|\]\]>"), ""),
        (re2.compile(rf"(?i)</?(?:{_BLOCKS}){attributes}>"), "\n"),
        (re2.compile(rf"(?i)</?(?:{_INLINE}){attributes}>"), ""),
    )


# With its semicolon alone: ``?a=1&copy=2`` is an address.
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_PAGE = re.compile(r"<(?:!doctype\s+html|html|body)[\s>]", re.IGNORECASE)
