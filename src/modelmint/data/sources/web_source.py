"""The records of a JSON API, page after page, as JSON lines."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from modelmint.core.clock import monotonic_s
from modelmint.core.errors import DataError
from modelmint.data.sources.web import Fetched, Limits, fetch

MAX_PAGE_BYTES = 32 << 20
"""A page is parsed whole: 10 to 20 times this is what it may take of memory."""


@dataclass(frozen=True, kw_only=True)
class Paging:
    """Where a JSON API keeps its records and its next page."""

    records: str
    """The keys to the list of records, with dots between (``data.items``); ``.`` where the body is the list."""
    next_page: str | None = None
    """The keys to the next page's URL (``links.next``); None: only the Link header is asked."""
    max_pages: int = 1000


def fetch_records(url: str, folder: Path, limits: Limits, paging: Paging) -> Path:
    """Every record of a JSON API, in order, one a line, in ``records.jsonl`` of `folder`.

    The next page is what the body says at `next_page`, or what the Link header calls next (RFC 8288); each is checked
    as any URL is. All pages together stay within `limits`.

    Raises:
        DataError: a page is no JSON or has no list at `records`, pages go in a circle or do not end; or as `fetch`.
        UnavailableError: as `fetch`.
    """
    path = folder / "records.jsonl"
    with path.open("x", encoding="ascii") as sink:
        for page in _pages(url, folder, limits, paging):
            sink.writelines(json.dumps(record) + "\n" for record in page)
    return path


def _pages(url: str, folder: Path, limits: Limits, paging: Paging) -> Iterator[list[Any]]:
    seen: set[str] = set()
    deadline_s, left_bytes = monotonic_s() + limits.timeout_s, limits.max_bytes
    following: str | None = url
    while following is not None:
        if following in seen:
            raise _wrong(following, "is a page that was there before: the pages go in a circle")
        if len(seen) >= paging.max_pages:
            raise _wrong(url, f"has more than max_pages ({paging.max_pages:,}) pages")
        seen.add(following)
        left_s = max(deadline_s - monotonic_s(), 0.001)
        now = replace(limits, max_bytes=min(left_bytes, MAX_PAGE_BYTES), timeout_s=left_s)
        page = fetch(following, folder, now, name="page")
        left_bytes -= page.num_bytes
        body = _body(page)
        page.path.unlink()
        yield _records(body, paging.records, page.url)
        following = _following(body, page, paging)


def _body(page: Fetched) -> Any:
    try:
        return json.loads(page.path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _wrong(page.url, f"gave no JSON that can be read: {str(error)[:200]}") from error


def _records(body: Any, keys: str, url: str) -> list[Any]:
    found = _at(body, keys)
    if isinstance(found, list):
        return found
    there = ", ".join(repr(str(key)[:40]) for key in list(body)[:20]) if isinstance(body, dict) else type(body).__name__
    raise _wrong(url, f"has no list of records at {keys!r}; its body has {there}", parameter="records")


def _following(body: Any, page: Fetched, paging: Paging) -> str | None:
    said = _at(body, paging.next_page) if paging.next_page else None
    if said is None or said is False or said == "":
        return page.next_url
    if not isinstance(said, str):
        raise _wrong(page.url, f"has no URL at {paging.next_page!r} but {str(said)[:60]!r}", parameter="next_page")
    return urljoin(page.url, said)


def _at(body: Any, keys: str) -> Any:
    for key in filter(None, keys.split(".")):
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _wrong(url: str, said: str, *, parameter: str = "source") -> DataError:
    return DataError(
        f"{parameter}: {url[:200]} {said}",
        parameter=parameter,
        remedy="Set `records` to the keys of the list and `next_page` to those of the next page's URL, with dots between.",
    )
