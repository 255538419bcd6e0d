"""Reading documents: their text, what stands beside it, and files that cannot or should not be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import DataError, InputError
from modelmint.data.sources.document_rows import document_folder_rows, document_rows
from modelmint.data.sources.rows import Reading, Row, SourceFile
from tests.data import files_made as make

Folder = Callable[..., Path]


def read(path: Path, **how: Any) -> list[Row]:
    source = SourceFile(path=path, key="data", split=None, format="documents")
    return list((document_folder_rows if path.is_dir() else document_rows)(source, Reading(**how)))


def texts(path: Path, **how: Any) -> list[Any]:
    return [row.cells["text"] if row.cells else row.reason for row in read(path, **how)]


def one(folder: Folder, name: str, content: str | bytes, **how: Any) -> Any:
    """The text of one document, or the reason why there is none."""
    return texts(folder({name: content}) / name, **how)[0]


def test_a_text_file_is_a_row(folder: Folder) -> None:
    assert one(folder, "a.txt", "hello\r\nthere") == "hello\nthere"


def test_markdown_is_kept_as_written(folder: Folder) -> None:
    assert one(folder, "a.md", "# Title\n\n- *one*") == "# Title\n\n- *one*"


def test_a_text_in_another_encoding_is_told(folder: Folder) -> None:
    row = read(folder({"a.txt": "今天天气很好，我们去公园。".encode("gb18030")}) / "a.txt")[0]
    assert row.reason == "undecodable"
    assert "looks like gb18030" in row.detail


def test_a_declared_encoding_is_used(folder: Folder) -> None:
    assert one(folder, "a.txt", "今天天气".encode("gb18030"), encoding="gb18030") == "今天天气"


def test_a_pdf_gives_its_pages_as_one_text(folder: Folder) -> None:
    assert one(folder, "a.pdf", make.pdf("Hello there", "机器学习需要数据")) == "Hello there\n\n机器学习需要数据"


def test_a_pdf_cut_into_pages_numbers_them(folder: Folder) -> None:
    rows = read(folder({"a.pdf": make.pdf("one", "", "three")}) / "a.pdf", cut="page")
    assert [(row.cells["text"], row.cells["page"]) for row in rows if row.cells] == [("one", 1), ("three", 3)]


def test_a_pdf_without_a_text_layer_says_so(folder: Folder) -> None:
    assert one(folder, "a.pdf", make.pdf("", "")) == "no_text"


def test_an_encrypted_pdf_says_so(folder: Folder) -> None:
    import io

    import pypdf

    writer = pypdf.PdfWriter(io.BytesIO(make.pdf("secret")))
    writer.encrypt("hunter2", algorithm="RC4-128")
    written = io.BytesIO()
    writer.write(written)
    assert one(folder, "a.pdf", written.getvalue()) == "encrypted"


def test_what_is_no_pdf_is_told(folder: Folder) -> None:
    bad = [b"", b"%PDF-1.7\n", b"<html>", b"%PDF-1.4\n" + bytes(range(256)) * 20, make.pdf("cut")[:200]]
    path = folder({f"{number}.pdf": data for number, data in enumerate(bad)})
    assert texts(path) == ["bad_pdf"] * len(bad)


def test_a_pdf_whose_page_tree_is_a_circle_is_told(folder: Folder) -> None:
    data = make.pdf("x").replace(b"/Kids[6 0 R]", b"/Kids[2 0 R]")
    assert one(folder, "a.pdf", data) in {"bad_pdf", "no_text"}


def test_a_pdf_stream_that_is_a_bomb_is_told(folder: Folder) -> None:
    import zlib

    bomb = make.stream(
        zlib.compress(zlib.compress(bytes(100_000_000), 9), 9), filters=b"/Filter[/FlateDecode/FlateDecode]"
    )
    data = make.pdf("x").replace(make.stream(b"BT /F 12 Tf 50 700 Td <0078> Tj ET"), bomb)
    assert one(folder, "a.pdf", data) in {"bad_pdf", "no_text"}


def test_a_pdf_with_more_pages_than_allowed_is_told(folder: Folder) -> None:
    from modelmint.data.sources.parsing import Bounds

    assert one(folder, "a.pdf", make.pdf("x", "y", "z"), bounds=Bounds(max_pages=2)) == "too_many_pages"


def test_a_word_document_gives_paragraphs_and_tables_in_order(folder: Folder, tmp_path: Path) -> None:
    make.word(tmp_path / "a.docx", "第一段", "second", table=(("a", "b"), ("c", "d")))
    assert texts(tmp_path / "a.docx") == ["第一段\nsecond\na\tb\nc\td"]


@pytest.mark.parametrize(
    ("data", "reason"), [(b"PK\x03\x04", "bad_container"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "encrypted")]
)
def test_what_is_no_word_document_is_told(folder: Folder, data: bytes, reason: str) -> None:
    assert one(folder, "a.docx", data) == reason


ARTICLE = "<p>" + "The harbour was quiet that morning, and the boats lay still. " * 8 + "</p>"
PAGE = f"<html><head><title>Harbour &amp; boats</title><script>x()</script></head><body><nav><a href=/>Home</a></nav><article>{ARTICLE}</article><footer>Imprint</footer></body></html>"


def test_a_web_page_gives_its_main_text(folder: Folder) -> None:
    text = one(folder, "a.html", PAGE)
    assert text.startswith("The harbour was quiet")
    assert "Imprint" not in text


def test_a_web_page_gives_its_title(folder: Folder) -> None:
    row = read(folder({"a.html": PAGE}) / "a.html")[0]
    assert row.cells is not None
    assert row.cells["title"] == "Harbour & boats"


def test_a_short_web_page_gives_all_of_its_text(folder: Folder) -> None:
    assert one(folder, "a.html", "<script>x()</script><p>Only this.</p>") == "Only this."


def test_the_charset_of_a_chinese_web_page_is_its_own(folder: Folder) -> None:
    page = f"<html><head><meta charset=gb2312></head><body><article><p>{'今天天气很好，我们去公园散步。' * 20}</p></article></body></html>"
    assert one(folder, "a.html", page.encode("gb18030")).startswith("今天天气很好")


def test_entities_of_a_web_page_open_no_file(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2 " * 50)
    page = f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><html><body><p>&x; {"words " * 50}</p></body></html>'
    assert "hunter2" not in one(folder, "a.html", page)


def test_a_folder_gives_labels_by_its_folders(folder: Folder) -> None:
    rows = read(folder({"spam/1.txt": "buy", "ham/1.txt": "hi", "ham/2.md": "ho"}))
    assert [(row.cells["label"], row.cells["file"]) for row in rows if row.cells] == [
        ("ham", "ham/1.txt"),
        ("ham", "ham/2.md"),
        ("spam", "spam/1.txt"),
    ]


def test_a_row_keeps_its_number_when_files_are_added(folder: Folder) -> None:
    before = read(folder({"b.txt": "x"}))[0].number
    after = read(folder({"a.txt": "y"}))
    assert [row.number for row in after if row.cells and row.cells["file"] == "b.txt"] == [before]


def test_one_bad_file_among_many_is_named(folder: Folder) -> None:
    rows = read(folder({"a.txt": "x", "b.pdf": "no", "c.exe": b"MZ", "d.txt": " ", "e.txt": b"\0\0"}))
    assert [row.reason for row in rows] == ["", "bad_pdf", "other_kind", "empty_text", "nul_byte"]


def test_links_are_not_followed(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hunter2")
    path = folder({"a.txt": "x"})
    (path / "b.txt").symlink_to(tmp_path / "secret.txt")
    assert texts(path) == ["x", "not_a_file"]


def test_chunks_of_a_document_share_its_file(folder: Folder) -> None:
    rows = read(folder({"a.txt": "One sentence. " * 50}), cut="chunk", chunk_chars=100, chunk_overlap_chars=0)
    assert {row.cells["file"] for row in rows if row.cells} == {"a.txt"}
    assert [row.cells["part"] for row in rows if row.cells] == list(range(len(rows)))
    assert len({row.number for row in rows}) == len(rows) == 8


def test_columns_are_found_in_the_names(folder: Folder) -> None:
    path = folder({"pos_17.txt": "good", "neg_3.txt": "bad", "readme.txt": "?"})
    rows = read(path, file_pattern=r"^(?P<label>pos|neg)_(?P<id>\d+)")
    assert [(row.cells["label"], row.cells["id"]) if row.cells else row.reason for row in rows] == [
        ("neg", "3"),
        ("pos", "17"),
        "no_match",
    ]


def test_a_pattern_without_a_name_is_refused(folder: Folder) -> None:
    with pytest.raises(DataError, match="must name what it finds"):
        read(folder({"a.txt": "x"}), file_pattern="a")


def test_a_pattern_with_lookaround_is_refused(folder: Folder) -> None:
    with pytest.raises(InputError, match="file_pattern"):
        read(folder({"a.txt": "x"}), file_pattern="(?=a)(?P<label>a)")


def test_metadata_names_the_files_and_their_labels(folder: Folder) -> None:
    path = folder({"metadata.csv": "file_name,label\n1.txt,a\n../2.txt,b\n3.txt,c\n", "1.txt": "x", "4.txt": "y"})
    assert [(row.cells["text"], row.cells["label"]) if row.cells else row.reason for row in read(path)] == [
        ("x", "a"),
        "bad_path",
        "missing_file",
        "not_listed",
    ]


def test_metadata_without_file_names_is_refused(folder: Folder) -> None:
    with pytest.raises(DataError, match=r"must have a column file_name.*it has name, label"):
        read(folder({"metadata.csv": "name,label\n1.txt,a\n", "1.txt": "x"}))


def test_every_chinese_review_is_read_back(shared: Path, folder: Folder) -> None:
    import csv

    with (shared / "chnsenticorp" / "dev.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))[:300]
    column = next(name for name in lines[0] if "text" in name or "review" in name)
    given = {f"{number % 2}/{number:04}.txt": line[column] for number, line in enumerate(lines) if line[column].strip()}
    rows = read(folder(dict(given)))
    assert {row.cells["file"]: row.cells["text"] for row in rows if row.cells} == {
        name: text.strip() for name, text in given.items()
    }
