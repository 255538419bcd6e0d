"""Rows of CSV and TSV. A broken quote costs the row it is in: parsing goes on at the next line."""

import csv
from collections.abc import Callable, Iterator, Sequence

from modelmint.core.errors import DataError
from modelmint.data.formulas import plain_cell
from modelmint.data.sources.blocks import Block, Records, blockwise
from modelmint.data.sources.csv_blocks import CsvBlocks
from modelmint.data.sources.delimiters import delimiter_of_rows, find_delimiter
from modelmint.data.sources.encodings import EncodingWatch, check_text, is_wide, undecoded
from modelmint.data.sources.lines import Lines, RecordTooLongError, UndecodableError, open_lines
from modelmint.data.sources.rows import ROWS_A_STEP, Reading, Row, SourceFile, need

MAX_COLUMNS = 10_000
_SAMPLE_CHARS = 1 << 16
_NEVER = 1 << 62


def csv_rows(file: SourceFile, how: Reading) -> Iterator[Row | Block | Records]:
    """The rows after the header, in blocks where a block reads as every row of it would.

    Raises:
        DataError: no text, in another encoding, or a wanted column is missing.
        UndecodableError: the header cannot be decoded.
    """
    check_text(file.path, gzipped=file.gzipped, encoding=how.encoding)
    with open_lines(
        file.path, gzipped=file.gzipped, encoding=how.encoding, newline="", max_chars=how.max_chars
    ) as lines:
        delimiter, header = _dialect(lines, file, how)
        need(how.columns, header, file.path.name)
        blocks = CsvBlocks(header=header, wanted=how.columns, delimiter=delimiter, quote=how.quote)
        watch = EncodingWatch(path=file.path, gzipped=file.gzipped, encoding=how.encoding)

        def next_block(number: int, num_chars: int) -> Block | None:
            block = blocks.next(lines, number, num_chars)
            watch.num_foreign += blocks.num_foreign if block is not None else 0
            return block

        plain = (
            how.block_chars > 0 and not how.guarded and (delimiter + how.quote).isascii() and not is_wide(how.encoding)
        )
        row = _next_row(lines, header, delimiter, how.quote, guarded=how.guarded)
        yield from blockwise(
            lines, next_block, row, watch=watch, block_chars=how.block_chars, careful_rows=0 if plain else _NEVER
        )


def _dialect(lines: Lines, file: SourceFile, how: Reading) -> tuple[str, list[str]]:
    """The delimiter and the names of the columns; the header line, if there is one, is behind."""
    _skip(lines, file.path.name, how.skip_rows)
    first = "" if how.header else _first(lines, file.path.name)
    if undecoded(first):
        raise UndecodableError(lines.number)
    sample, _ = lines.block(_SAMPLE_CHARS)
    lines.unread(sample)
    declared = how.delimiter or ("\t" if file.format == "tsv" else None)
    if how.header:
        return delimiter_of_rows(sample, len(how.header), declared=declared, quote=how.quote), list(how.header)
    delimiter, header = find_delimiter(
        first, sample, wanted=how.columns or how.known, declared=declared, quote=how.quote
    )
    header = [plain_cell(name) for name in header] if how.guarded else header
    if len(header) > MAX_COLUMNS:
        raise _bad_header(file.path.name, f"names {len(header):,} columns; {MAX_COLUMNS:,} can be read")
    return delimiter, header


def _skip(lines: Lines, name: str, num_lines: int) -> None:
    for _ in range(num_lines):
        lines.begin()
        try:
            next(lines)
        except RecordTooLongError:
            continue
        except StopIteration:
            raise DataError(
                f"skip_rows: {name} has fewer than {num_lines:,} lines",
                parameter="skip_rows",
                remedy="Give the number of lines before the header; `modelmint data peek SOURCE` finds it.",
            ) from None
    lines.begin()


def _first(lines: Lines, name: str) -> str:
    """The first line that is not blank; empty where there is none."""
    try:
        return next((line for line in lines if line.strip()), "")
    except RecordTooLongError as error:
        raise _bad_header(name, "is longer than can be read") from error


def _bad_header(name: str, said: str) -> DataError:
    return DataError(
        f"source: the header of {name} {said}",
        parameter="source",
        remedy="Its first line must name the columns. Write only those that are needed.",
    )


def _next_row(
    lines: Lines, header: Sequence[str], delimiter: str, quote: str, *, guarded: bool
) -> Callable[[int], Row | None]:
    records = _records(lines, delimiter, quote, len(header))

    def next_row(number: int) -> Row | None:
        try:
            line, record, fault = next(records)
        except StopIteration:
            return None
        reason, detail = fault or ("", "")
        if guarded:
            record = [plain_cell(cell) for cell in record]
        cells = None if fault else dict(zip(header, record, strict=True))
        done_bytes = lines.done_bytes() if number % ROWS_A_STEP == 0 else 0
        return Row(number, cells, reason, detail, line, lines.record, done_bytes)

    return next_row


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
