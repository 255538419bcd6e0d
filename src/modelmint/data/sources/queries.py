"""Whether a query is one statement that reads. The database's own read-only transaction stands behind this check."""

import re

from modelmint.core.errors import InputError

MAX_QUERY_CHARS = 100_000

_TOKEN = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)"
    r"|(?P<text>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)"
    r"|(?P<word>\w[\w$]*)"  # a dollar inside a name begins no text
    r"|(?P<space>\s+)"
    r"|(?P<sign>.)",
    re.DOTALL,
)


def check_query(query: str | None) -> str:
    """One statement that begins with SELECT or WITH; semicolons in texts and comments are seen as such.

    What databases read differently (a backslash before a quote, a comment in a comment) is refused, so that nothing
    can hide in it.

    Raises:
        InputError: it is none; says what it is.
    """
    if query is None or len(query) > MAX_QUERY_CHARS:
        raise _wrong("none" if query is None else f"{len(query):,} characters")
    said = list[str]()
    for token in _TOKEN.finditer(query):
        if token["comment"] and "/*" in token.group()[2:]:
            raise _wrong("a comment in a comment")
        if token["text"] and ("\\'" in token.group() or '\\"' in token.group()):
            raise _wrong("a backslash before a quote")
        if token["sign"] in {"'", '"', "`"}:
            raise _wrong("a quote that is not closed, or of another kind than ' and \"")
        if not token["comment"] and not token["space"]:
            said.append(token.group())
    while said and said[-1] == ";":
        said.pop()
    first = next((word.upper() for word in said if word != "("), "")
    if ";" in said:
        raise _wrong("more than one statement")
    if first not in {"SELECT", "WITH"}:
        raise _wrong(f"one that begins with {first[:40]}" if first else "nothing")
    return query


def _wrong(got: str) -> InputError:
    return InputError(
        f"query: must be one SELECT or WITH statement; got {got}",
        parameter="query",
        remedy="Give a query that reads, such as: select text, label from tickets.",
    )
