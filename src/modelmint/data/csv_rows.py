"""Rows of CSV and TSV. A broken quote costs the row it is in: parsing goes on at the next line."""

import csv
from collections.abc import Iterator, Sequence

from modelmint.core.errors import DataError
from modelmint.data.encodings import undecoded
from modelmint.data.lines import Lines, RecordTooLongError, UndecodableError
from modelmint.data.rows import ROWS_A_STEP, Row, missing_column

_DELIMITERS = ",;\t|"


def csv_rows(lines: Lines, columns: Sequence[str], *, name: str, delimiter: str | None, quote: str) -> Iterator[Row]:
    """The rows after the header.

    Args:
        delimiter: None: the one of comma, semicolon, tab and bar under which the header has the wanted columns.
        quote: the quote character; empty for files that have none.

    Raises:
        DataError: a wanted column is missing.
        UndecodableError: the header cannot be decoded.
    """
    first = next((line for line in lines if line.strip()), "")
    if undecoded(first):
        raise UndecodableError(lines.number)
    found, header = _header(first, columns, delimiter, quote)
    for wanted in columns:
        if header.count(wanted) != 1:
            raise missing_column(name, wanted, header)
    places = [header.index(wanted) for wanted in columns]
    for number, (line, record, fault) in enumerate(_records(lines, found, quote, len(header))):
        reason, detail = fault or ("", "")
        cells = None if fault else [record[place] for place in places]
        done_bytes = lines.done_bytes() if number % ROWS_A_STEP == 0 else 0
        yield Row(number, line, cells, reason, detail, lines.record, done_bytes)


def _records(
    lines: Lines, delimiter: str, quote: str, width: int
) -> Iterator[tuple[int, list[str], tuple[str, str] | None]]:
    """Each record with the line it begins on, or with its fault; after a fault its other lines are read again."""
    csv.field_size_limit(1 << 31)  # `Lines` bounds a record; the module's own limit would end the file with an error
    parser = _parser(lines, delimiter, quote)
    while True:
        lines.begin()
        line, record, fault = lines.number + 1, [""], None
        try:
            record = next(parser)
        except StopIteration:
            return
        except RecordTooLongError:
            fault = "too_long", f"line {line}: a row longer than can be read, or a quote that is never closed"
        except csv.Error as error:
            fault = "bad_quote", f"line {line}: {error}; if the file has no quoting set `quote: ''`"
        if not record and not fault:
            continue  # a blank line is no row
        if not fault and len(record) != width:
            fault = "bad_width", f"line {line}: {len(record)} cells where the header has {width}"
        if fault:
            lines.keep_only_first()  # a stray quote may have swallowed good rows
            parser = _parser(lines, delimiter, quote)
        yield line, record, fault


def _parser(lines: Lines, delimiter: str, quote: str) -> Iterator[list[str]]:
    if not quote:
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)


def _header(first: str, columns: Sequence[str], delimiter: str | None, quote: str) -> tuple[str, list[str]]:
    tries = {}
    for candidate in delimiter or _DELIMITERS:
        try:
            names = next(csv.reader([first], delimiter=candidate, quotechar=quote or '"'), [])
        except csv.Error as error:
            raise DataError(
                f"source: the header line cannot be read: {error}",
                parameter="source",
                remedy="Is this a text table? Its first line must name the columns.",
            ) from error
        tries[candidate] = [name.strip() for name in names]
        if set(columns) <= set(tries[candidate]):
            return candidate, tries[candidate]
    return max(tries.items(), key=lambda item: len(item[1]))
