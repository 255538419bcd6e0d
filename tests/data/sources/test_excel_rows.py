"""Reading workbooks: typed cells, the sheet asked for, and files that mean harm."""

import datetime
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from modelmint.core.errors import DataError
from modelmint.data.sources.excel_rows import excel_rows
from modelmint.data.sources.rows import Reading, Row, SourceFile

Book = Callable[..., Path]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """``book([["text", "label"], ["hello", "a"]])``: a workbook; further sheets by their names."""

    def make(rows: list[list[Any]], **sheets: list[list[Any]]) -> Path:
        workbook = openpyxl.Workbook()
        for line in rows:
            workbook.active.append(line)
        for name, lines in sheets.items():
            sheet = workbook.create_sheet(name)
            for line in lines:
                sheet.append(line)
        workbook.save(tmp_path / "a.xlsx")
        return tmp_path / "a.xlsx"

    return make


def read(path: Path, **how: Any) -> list[Row]:
    return list(excel_rows(SourceFile(path=path, key="data", split=None, format="excel"), Reading(**how)))


def cells(path: Path, **how: Any) -> list[Any]:
    return [row.cells for row in read(path, **how)]


def test_cells_keep_their_types(book: Book) -> None:
    path = book([["a", "b", "c", "d"], ["你好", 7, 2.5, True]])
    assert cells(path) == [{"a": "你好", "b": 7, "c": 2.5, "d": True}]


def test_dates_are_iso_text(book: Book) -> None:
    at = datetime.datetime(2026, 3, 1, 12, 30)  # noqa: DTZ001  # a workbook knows no time zones
    path = book([["day", "at"], [datetime.date(2026, 3, 1), at]])
    assert cells(path) == [{"day": "2026-03-01", "at": "2026-03-01T12:30:00"}]


def test_empty_rows_are_passed_over_and_lines_are_told(book: Book) -> None:
    rows = read(book([["text"], [None], ["x"]]))
    assert [(row.number, row.line) for row in rows] == [(0, 3)]


def test_a_header_may_stand_below_empty_rows(book: Book) -> None:
    assert cells(book([[None], ["text", None, "label"], ["x", "y", "z"]])) == [
        {"text": "x", "column_2": "y", "label": "z"}
    ]


def test_a_sheet_is_found_by_name(book: Book) -> None:
    assert cells(book([["text"], ["x"]], other=[["text"], ["y"]]), sheet="other") == [{"text": "y"}]


def test_a_sheet_is_found_by_number(book: Book) -> None:
    assert cells(book([["text"], ["x"]], other=[["text"], ["y"]]), sheet="2") == [{"text": "y"}]


def test_a_missing_sheet_names_those_there(book: Book) -> None:
    with pytest.raises(DataError, match=r"'nope' is not in a.xlsx; its sheets are 'Sheet', 'other'"):
        read(book([["text"], ["x"]], other=[["text"]]), sheet="nope")


def test_a_missing_column_names_those_there(book: Book) -> None:
    with pytest.raises(DataError, match=r"'label' is not in sheet 'Sheet' of a.xlsx; its columns are: 'text'"):
        read(book([["text"], ["x"]]), columns=["text", "label"])


def test_an_error_of_a_formula_takes_the_row_out(book: Book) -> None:
    rows = read(book([["text", "n"], ["x", "#DIV/0!"], ["y", 1]]))
    assert [row.reason for row in rows] == ["formula_error", ""]


def test_not_available_is_a_missing_value(book: Book) -> None:
    assert cells(book([["text", "n"], ["x", "#N/A"]])) == [{"text": "x", "n": None}]


def test_a_sheet_without_rows_is_refused(book: Book) -> None:
    with pytest.raises(DataError, match="has a header in line 1 and no rows"):
        read(book([["text"]]))


def test_an_encrypted_workbook_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500))
    with pytest.raises(DataError, match="has a password"):
        read(tmp_path / "a.xlsx")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"text,label\n", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_workbook_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.xlsx").write_bytes(data)
    with pytest.raises(DataError, match="is not usable"):
        read(tmp_path / "a.xlsx")


def _with_part(path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """The workbook with one part changed."""
    changed = path.with_name("b.xlsx")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.namelist():
            data = source.read(part)
            target.writestr(part, change(data) if part == name else data)
    return changed


SHEET = "xl/worksheets/sheet1.xml"


def test_entities_are_refused_before_they_are_parsed(book: Book) -> None:
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    path = _with_part(book([["text"], ["x"]]), SHEET, lambda data: laughs + data)
    with pytest.raises(DataError, match="declares a document type"):
        read(path)


def test_a_part_that_unpacks_to_a_bomb_is_refused(book: Book) -> None:
    path = _with_part(book([["text"], ["x"]]), SHEET, lambda data: data + b" " * 100_000_000)
    with pytest.raises(DataError, match="a bomb"):
        read(path)


def test_a_row_number_beyond_excel_is_refused(book: Book) -> None:
    path = _with_part(book([["text"], ["x"]]), SHEET, lambda data: data.replace(b'r="2"', b'r="99999999999"'))
    with pytest.raises(DataError, match="more than 1,048,576 rows"):
        read(path)


def test_a_lie_about_the_size_of_the_sheet_does_no_harm(book: Book) -> None:
    path = _with_part(book([["text"], ["x"]]), SHEET, lambda data: data.replace(b'ref="A1:A2"', b'ref="A1:XFD1048576"'))
    assert cells(path) == [{"text": "x"}]


def test_a_damaged_sheet_is_refused(book: Book) -> None:
    path = _with_part(book([["text"], ["x"]]), SHEET, lambda data: data[: len(data) // 2])
    with pytest.raises(DataError, match="cannot be read"):
        read(path)


def test_rows_above_the_header_are_skipped(book: Book) -> None:
    path = book([["Report"], ["made on", "today"], ["text", "label"], ["hello", "a"]])
    (row,) = read(path, skip_rows=2)
    assert (row.line, row.cells) == (4, {"text": "hello", "label": "a"})
