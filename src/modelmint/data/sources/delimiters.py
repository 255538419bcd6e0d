"""Which sign separates the cells of a text table: the one under which its header has the wanted columns, or its rows fit."""

import csv
import re
from collections.abc import Sequence
from io import StringIO
from itertools import islice

from modelmint.core.errors import DataError
from modelmint.data.sources.cell_types import is_missing, kind_of

DELIMITERS = ",;\t|"
_SAMPLE_RECORDS = 50
_LEAST_TABLE = 3
_SHARE_OF_TABLE = 0.9
"""A header and rows are told by so many lines at least, so many of which are of one width."""


def find_delimiter(
    first: str, sample: str, *, wanted: Sequence[str], declared: str | None, quote: str
) -> tuple[str, list[str]]:
    """The delimiter and the header under it.

    Args:
        first: the header line.
        sample: some text after it.
        wanted: columns that the header may be known by.

    Raises:
        DataError: the header is no row of a text table.
    """
    headers = {}
    for candidate in declared or DELIMITERS:
        headers[candidate] = _header(first, candidate, quote)
        if wanted and set(wanted) <= set(headers[candidate]):
            return candidate, headers[candidate]
    best = max(headers, key=lambda candidate: _fit(sample, candidate, quote, len(headers[candidate])))
    return best, headers[best]


def delimiter_of_rows(sample: str, width: int, *, declared: str | None, quote: str) -> str:
    """The delimiter of a table without a header, whose rows have `width` cells."""
    return max(declared or DELIMITERS, key=lambda candidate: _fit(sample, candidate, quote, width))


def find_preamble(sample: str, *, declared: str | None, quote: str) -> int:
    """How many lines stand before the header: narrower than it and than the rows beneath it; 0 where that is not plain.

    Args:
        sample: the beginning of the file.
    """
    best, most = 0, 0
    for delimiter in declared or DELIMITERS:
        records = _records(sample, delimiter, quote)
        widths = [len(cells) for _, cells in records]
        common = max((width for width in widths if width > 1), key=widths.count, default=0)
        first = widths.index(common) if common else len(widths)
        beneath = widths[first:]
        if len(beneath) < _LEAST_TABLE or beneath.count(common) < _SHARE_OF_TABLE * len(beneath):
            continue
        if first == 0:
            return 0
        line, names = records[first]
        is_header = all(kind_of(name) == "text" and not is_missing(name) for name in names)
        lacks_one = first == 1 and common > 2 and widths[0] == common - 1  # the column of row names has no name itself
        if is_header and not lacks_one and max(widths[:first]) < common and len(beneath) * common > most:
            best, most = line, len(beneath) * common
    return best


def _records(sample: str, delimiter: str, quote: str) -> list[tuple[int, list[str]]]:
    """The first records that are not blank, each with the number of lines before it."""
    found, line = list[tuple[int, list[str]]](), 0
    lines = StringIO(sample, newline="")
    plain = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote) if quote else plain
    try:
        for cells in islice(reader, _SAMPLE_RECORDS):
            if cells:
                found.append((line, cells))
            line = reader.line_num
    except csv.Error:
        pass  # what was read so far is the sample
    return found


def find_quote(sample: str, declared: str | None) -> str:
    """The quote character of a sample: a double quote unless cells plainly have another, or their quotes do not pair."""
    ends = f"[{re.escape(declared or DELIMITERS)}\\r\\n]"
    for quote in "\"'":
        opened = len(re.findall(f"(?:^|{ends}){quote}(?!{quote})", sample, re.MULTILINE))
        closed = len(re.findall(f"(?<!{quote}){quote}(?=$|{ends})", sample, re.MULTILINE))
        if opened >= 2 and min(opened, closed) * 10 >= max(opened, closed) * 9:
            return quote
        if quote == '"' and opened + closed > 0:
            return "" if min(opened, closed) * 2 < max(opened, closed) else quote
    return '"'


def _header(first: str, delimiter: str, quote: str) -> list[str]:
    try:
        names = next(csv.reader([first], delimiter=delimiter, quotechar=quote or '"'), [])
    except csv.Error as error:
        raise DataError(
            f"source: the header line cannot be read: {error}",
            parameter="source",
            remedy="Is this a text table? Its first line must name the columns.",
        ) from error
    return [name.strip() for name in names]


def _fit(sample: str, delimiter: str, quote: str, width: int) -> tuple[float, int]:
    """How many of the sample's rows are as wide as the header (if that has two columns at least), and its width."""
    lines = StringIO(sample, newline="")
    fits = num_records = 0
    plain = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    try:
        for record in csv.reader(lines, delimiter=delimiter, quotechar=quote) if quote else plain:
            fits += len(record) == width
            num_records += bool(record)
            if num_records == _SAMPLE_RECORDS:
                break
    except csv.Error:
        return 0.0, width
    return (fits / max(num_records, 1) if width > 1 else -1.0), width
