"""Rows of an Excel workbook (.xlsx, .xlsm): typed cells, values and never formulas; macros are not looked at."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

from modelmint.core.errors import DataError
from modelmint.data.sources.extras import need_library
from modelmint.data.sources.office import check_office
from modelmint.data.sources.rows import Reading, Row, SourceFile, need
from modelmint.data.sources.unreadable import UnreadableError

MAX_UNPACKED_BYTES = 2_000_000_000
MAX_SHARED_BYTES = 256 << 20
"""The table of texts that cells share is the one part that is held in memory, at about four times its size."""
_MAX_ROWS = 1_048_576  # Excel's own
_MAX_COLUMNS = 16_384
_LOOKED_AT = 50
_MISSING = {"#N/A", "#NULL!"}
_WRONG = {"#DIV/0!", "#NAME?", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!"}


def excel_rows(file: SourceFile, how: Reading) -> Iterator[Row]:
    """The rows of one sheet below its header, which is the first row that is not empty.

    Cells are strings, numbers, booleans, and dates as ISO 8601 text; ``#N/A`` is a missing value, and a row with
    another error of a formula (``#DIV/0!``) is not usable. Columns without a heading are ``column_3``; what stands to
    the right of the last heading is no part of the table. Empty rows are passed over.

    Raises:
        DataError: no workbook, encrypted, a bomb, without such a sheet or column, or without rows.
        InputError: the extra `documents` is missing.
    """
    need_library("openpyxl", extra="documents", what="reading an Excel workbook")
    try:
        check_office(file.path, max_bytes=MAX_UNPACKED_BYTES, max_shared_bytes=MAX_SHARED_BYTES)
    except UnreadableError as error:
        raise _unusable(file, error.detail) from error
    book = _open(file)
    try:
        sheet = _sheet(book, file, how.sheet)
        yield from _rows(sheet, file, how)
    finally:
        book.close()


def _open(file: SourceFile) -> Any:
    import openpyxl

    try:
        return openpyxl.load_workbook(file.path, read_only=True, data_only=True, keep_links=False)
    except _faults() as error:
        raise _unusable(file, f"{type(error).__name__}: {error}"[:200]) from error


def _rows(sheet: Any, file: SourceFile, how: Reading) -> Iterator[Row]:
    sheet.reset_dimensions()  # a sheet's own word for its size may be any number
    lines = islice(enumerate(_lines(sheet, file), 1), how.skip_rows, None)
    header_line, header = next(((line, _header(cells)) for line, cells in lines if any(cells)), (0, []))
    if not header:
        raise _unusable(file, f"its sheet {sheet.title!r} is empty")
    need(how.columns, header, f"sheet {sheet.title!r} of {file.path.name}")
    number = 0
    for line, given in lines:
        cells = given[: len(header)]
        if all(cell is None for cell in cells):
            continue
        wrong = next((f"{name}: {cell}" for name, cell in zip(header, cells, strict=False) if cell in _WRONG), "")
        shown = ["\t".join(str(cell)[:200] for cell in cells if cell is not None)]
        if wrong:
            yield Row(number, None, "formula_error", f"line {line}, {wrong[:200]}", line=line, raw=shown)
        else:
            told = [_value(cell) for cell in cells] + [None] * (len(header) - len(cells))
            yield Row(number, dict(zip(header, told, strict=True)), line=line, raw=shown)
        number += 1
    if number == 0:
        raise _unusable(file, f"its sheet {sheet.title!r} has a header in line {header_line} and no rows")


def _lines(sheet: Any, file: SourceFile) -> Iterator[Sequence[Any]]:
    """The rows as they stand. The library makes an empty row for each number left out, however many."""
    try:
        for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            if number > _MAX_ROWS or len(cells) > _MAX_COLUMNS:
                raise _unusable(
                    file, f"its sheet {sheet.title!r} has more than {_MAX_ROWS:,} rows or {_MAX_COLUMNS:,} columns"
                )
            yield cells
    except _faults() as error:
        raise _unusable(
            file, f"its sheet {sheet.title!r} cannot be read: {type(error).__name__}: {error}"[:300]
        ) from error


def _header(cells: Sequence[Any]) -> list[str]:
    names = [str(cell).strip() if cell is not None else "" for cell in cells]
    while names and not names[-1]:
        names.pop()
    return [name or f"column_{place}" for place, name in enumerate(names, 1)]


def _value(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return (cell.date() if cell.time() == time() else cell).isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)  # Excel keeps every number as a float: 7 is 7, not 7.0
    return None if isinstance(cell, str) and cell in _MISSING else cell


def _sheet(book: Any, file: SourceFile, wanted: str | None) -> Any:
    sheets = list(book.worksheets)
    if wanted is None:
        found = next((sheet for sheet in sheets if sheet.sheet_state == "visible"), None)
    else:
        found = next((sheet for sheet in sheets if sheet.title == wanted), None)
        if found is None and wanted.isdecimal() and 1 <= int(wanted) <= len(sheets):
            found = sheets[int(wanted) - 1]
    if found is None:
        raise DataError(
            f"sheet: {wanted!r} is not in {file.path.name}; its sheets are {', '.join(repr(sheet.title) for sheet in sheets[:30])}",
            parameter="sheet",
            remedy="Set `sheet` to the name of one, or to its number from 1.",
        )
    return found


def _faults() -> tuple[type[Exception], ...]:
    """What the library raises for a workbook that is not what it should be: it checks little itself."""
    from xml.etree.ElementTree import ParseError
    from zipfile import BadZipFile

    from openpyxl.utils.exceptions import InvalidFileException

    lookup: tuple[type[Exception], ...] = (KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError)
    return (*lookup, ParseError, BadZipFile, InvalidFileException, EOFError)


def _unusable(file: SourceFile, said: str) -> DataError:
    return DataError(
        f"source: {file.path.name} is not usable: {said}",
        parameter="source",
        remedy="Open it in a spreadsheet program and save it as .xlsx without a password, or export it as CSV (UTF-8).",
    )
