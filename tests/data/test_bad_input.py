"""Whatever a source holds, collect ends quickly: with rows, or with an error that names the way out."""

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelmint.core.errors import DataError, InputError, UnavailableError
from modelmint.data.collect import CollectSpec
from modelmint.data.sources.lines import MAX_RECORD_CHARS

from .conftest import reasons_of, rows_of, texts_of

GOOD = "text,label\nhello there,a\ngood bye,b\nwhere is it,a\n"

Write = Callable[..., Path]
Collected = Callable[..., Any]


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "  \r\n"])
def test_empty_file_is_refused(write: Write, collected: Collected, content: str) -> None:
    with pytest.raises(DataError, match="is empty"):
        collected(write("a.csv", content))


def test_header_without_rows_is_refused(write: Write, collected: Collected) -> None:
    with pytest.raises(DataError, match="a header and no rows"):
        collected(write("a.csv", "text,label\n"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "question,intent\nhello,a\nbye,b\n"),
        ("a.jsonl", '{"question": "hello", "intent": "a"}\n{"question": "bye", "intent": "b"}\n'),
    ],
)
def test_missing_column_names_the_columns_there(write: Write, collected: Collected, name: str, content: str) -> None:
    with pytest.raises(DataError, match=r"missing column: 'text' is not in .*'question', 'intent'"):
        collected(write(name, content))


def test_missing_column_in_parquet_names_the_columns_there(tmp_path: Path, collected: Collected) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "intent": ["x", "y"]}), tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"missing column: 'label' is not in a.parquet; its columns are: 'text', 'intent'"
    ):
        collected(tmp_path / "a.parquet")


def test_column_named_twice_is_refused(write: Write, collected: Collected) -> None:
    with pytest.raises(DataError, match="'label' is there 2 times"):
        collected(write("a.csv", "text,label,label\nhello,a,b\n"))


def test_one_class_only_is_refused(write: Write, collected: Collected) -> None:
    with pytest.raises(DataError, match="at least 2 classes are needed; every usable row has 'a'"):
        collected(write("a.csv", "text,label\nhello,a\nbye,a\n"))


def test_a_label_seen_once_is_kept(write: Write, collected: Collected) -> None:
    assert collected(write("a.csv", GOOD)).data.facts["labels"] == {"a": 2, "b": 1}


def test_10_mb_in_one_cell_goes_to_quarantine(write: Write, collected: Collected) -> None:
    outputs = collected(write("a.csv", GOOD + "x" * 10_000_000 + ",a\nlast one,b\n"))
    assert reasons_of(outputs.quarantine) == ["too_long"]
    assert texts_of(outputs.data)[-1] == "last one"


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_line_longer_than_can_be_read_goes_to_quarantine(write: Write, collected: Collected, name: str) -> None:
    good = GOOD if name == "a.csv" else '{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n'
    outputs = collected(write(name, good + "x" * (MAX_RECORD_CHARS * 2) + ",a\n" + good.splitlines()[-1]))
    assert reasons_of(outputs.quarantine) == ["too_long"]


@pytest.mark.parametrize(
    ("written_in", "likely"),
    [("gbk", "gb18030"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("cp1252", "cp1252")],
)
def test_wrong_encoding_names_the_likely_one(write: Write, collected: Collected, written_in: str, likely: str) -> None:
    texts = (
        ["très bien, déjà vu", "Où est ma carte?"] if written_in == "cp1252" else ["我的卡在哪里", "请问什么时候发货"]
    )
    content = "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in zip(texts * 2, "abab", strict=True))
    with pytest.raises(DataError, match=r"is not utf-8 \(line") as raised:
        collected(write("a.csv", content.encode(written_in)))
    assert f"`encoding: {likely}`" in str(raised.value.remedy)


def test_wrong_encoding_names_the_line(write: Write, collected: Collected) -> None:
    content = GOOD.encode() + "请问,a\n".encode("gbk")
    with pytest.raises(DataError, match="line 5 cannot be decoded"):
        collected(write("a.csv", content))


def test_declared_encoding_is_used(write: Write, collected: Collected) -> None:
    outputs = collected(write("a.csv", "text,label\n我的卡,a\n发货,b\n".encode("utf-16")), encoding="utf-16")
    assert texts_of(outputs.data) == ["我的卡", "发货"]


def test_encoding_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="must be an encoding such as utf-8"):
        CollectSpec(source="a.csv", encoding="utf-9")


def test_one_broken_row_in_a_good_file_goes_to_quarantine(write: Write, collected: Collected) -> None:
    good = "".join(f"größe {number},{'ab'[number % 2]}\n" for number in range(30))
    outputs = collected(write("a.csv", b"text,label\n" + good.encode() + b"caf\xe9,a\n"))
    assert rows_of(outputs.quarantine)[0]["reason"] == "undecodable"
    assert rows_of(outputs.quarantine)[0]["raw"] == r"caf\xe9,a"


def test_nul_bytes_in_a_row_go_to_quarantine(write: Write, collected: Collected) -> None:
    outputs = collected(write("a.csv", GOOD + "he\0llo,a\n"))
    assert reasons_of(outputs.quarantine) == ["nul_byte"]


def test_ragged_rows_go_to_quarantine_with_their_raw_text(write: Write, collected: Collected) -> None:
    outputs = collected(write("a.csv", GOOD + "one, two,a\nalone\n"))
    assert [row["raw"] for row in rows_of(outputs.quarantine)] == ["one, two,a", "alone"]
    assert outputs.data.facts["rows_quarantined"] == {"bad_width": 2}


def test_a_stray_quote_costs_only_its_own_row(write: Write, collected: Collected) -> None:
    outputs = collected(write("a.csv", GOOD + '"never closed,a\nnext one,b\n"quoted, fine",b\nlast,a\n'))
    assert reasons_of(outputs.quarantine) == ["bad_quote"]
    assert texts_of(outputs.data)[3:] == ["next one", "quoted, fine", "last"]


def test_an_open_quote_at_the_end_costs_only_its_own_row(write: Write, collected: Collected) -> None:
    outputs = collected(write("a.csv", 'text,label\n"never closed,a\n' + "next one,b\nmore,a\n" * 1000))
    assert outputs.data.num_rows == 2000


def test_empty_cells_go_to_quarantine(write: Write, collected: Collected) -> None:
    outputs = collected(write("a.csv", GOOD + ",a\n  ,a\nhello,\n"))
    assert reasons_of(outputs.quarantine) == ["empty_text", "empty_text", "missing_label"]


def test_bad_json_goes_to_quarantine(write: Write, collected: Collected) -> None:
    lines = ['{"text": "a", "label": "x"}', '{"text": "b", "label": 1}', "{broken", "[1]", '{"text": 3, "label": "x"}',
             '{"text": "\\ud83d", "label": "x"}', "[" * 100_000, '{"text": "c"}']  # fmt: skip
    outputs = collected(write("a.jsonl", "\n".join(lines)))
    assert reasons_of(outputs.quarantine) == [
        "bad_json",
        "bad_json",
        "bad_type",
        "undecodable",
        "bad_json",
        "missing_label",
    ]


def test_fewer_than_two_usable_rows_says_why(write: Write, collected: Collected) -> None:
    with pytest.raises(DataError, match=r"of 3 read 1 can be used \(2 bad_width\)"):
        collected(write("a.csv", "text,label\nhello,a\na,b,c\nd,e,f\n"))


def test_text_column_taken_for_the_label_is_refused(write: Write, collected: Collected) -> None:
    content = "text,label\n" + "".join(f"hello,{number}\n" for number in range(200))
    with pytest.raises(DataError, match="more than 100 values"):
        collected(write("a.csv", content), max_labels=100)


def test_parquet_that_declares_5_billion_rows_is_refused_at_once(tmp_path: Path, collected: Collected) -> None:
    path = tmp_path / "a.parquet"
    forge_rows(path, num_rows=5_000_000_000)
    began = time.monotonic()
    with pytest.raises(DataError, match="declares 5,000,000,000 rows in"):
        collected(path)
    assert time.monotonic() - began < 2


def test_parquet_that_declares_somewhat_more_rows_than_it_has_is_refused(tmp_path: Path, collected: Collected) -> None:
    path = tmp_path / "a.parquet"
    forge_rows(path, num_rows=223_457)
    with pytest.raises(DataError):
        collected(path)


def test_a_huge_cell_repeated_in_parquet_is_held_once(tmp_path: Path, collected: Collected) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000 + [1, 2], pa.int32()), ["x" * 5_000_000, "a", "b"])
    pq.write_table(pa.table({"text": texts, "label": ["u", "v"] * 10_001}), tmp_path / "a.parquet")
    outputs = collected(tmp_path / "a.parquet")
    assert outputs.data.facts["rows_quarantined"] == {"too_long": 20_000}


@pytest.mark.parametrize("content", [b"PAR1 not really PAR1", b"", os.urandom(4000)])
def test_damaged_parquet_is_refused(write: Write, collected: Collected, content: bytes) -> None:
    with pytest.raises(DataError, match="not a readable Parquet file"):
        collected(write("a.parquet", content))


def test_parquet_whose_text_is_numbers_is_refused(tmp_path: Path, collected: Collected) -> None:
    pq.write_table(pa.table({"text": [1, 2], "label": ["a", "b"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="must hold strings; it holds int64"):
        collected(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04" + os.urandom(3000), "a ZIP archive or an Excel workbook"),
        (b"%PDF-1.7\n" + os.urandom(3000), "a PDF"),
        (bytes(range(256)) * 20, "binary data"),
        (gzip.compress(GOOD.encode()), "a gzip file"),
    ],
)
def test_binary_file_named_csv_is_refused(write: Write, collected: Collected, content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        collected(write("a.csv", content))


@pytest.mark.parametrize("content", [GOOD.encode(), gzip.compress(GOOD.encode() * 1000)[:-200]])
def test_damaged_gzip_is_refused(write: Write, collected: Collected, content: bytes) -> None:
    with pytest.raises(DataError, match="is not a whole gzip file"):
        collected(write("a.csv.gz", content))


def test_gzip_that_unpacks_to_too_much_is_refused(write: Write, collected: Collected) -> None:
    content = gzip.compress(GOOD.encode() + b"x" * 40_000_000)
    with pytest.raises(DataError, match="may hold 1,000,000 characters and holds more"):
        collected(write("a.csv.gz", content), max_source_chars=1_000_000)


def test_folder_without_a_training_file_is_refused(write: Write, collected: Collected) -> None:
    with pytest.raises(DataError, match=r"has no training file .* it holds test.csv"):
        collected(write("test.csv", GOOD).parent)


def test_folder_with_two_training_files_is_refused(write: Write, collected: Collected) -> None:
    write("train.csv", GOOD)
    with pytest.raises(DataError, match="two files for train"):
        collected(write("train.jsonl", "{}").parent)


def test_a_path_that_does_not_exist_is_refused(collected: Collected, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        collected(tmp_path / "nothing.csv")


def test_a_file_of_another_kind_is_refused(write: Write, collected: Collected) -> None:
    with pytest.raises(DataError, match=r"must be a file \(.csv"):
        collected(write("a.mov", GOOD))


def test_hub_name_without_the_hub_names_the_local_way(collected: Collected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises((InputError, UnavailableError), match="is no file or folder here") as raised:
        collected("nobody/nothing-there")
    assert "set `source` to the file" in str(raised.value.remedy)


def forge_rows(path: Path, *, num_rows: int) -> None:
    """A small Parquet file of 123,457 equal rows whose footer says that it has `num_rows`."""
    honest = 123_457
    pq.write_table(pa.table({"text": pa.repeat("hello", honest), "label": pa.repeat("a", honest)}), path)
    content = path.read_bytes()
    footer_bytes = int.from_bytes(content[-8:-4], "little")
    body, footer = content[: -8 - footer_bytes], content[-8 - footer_bytes : -8]
    footer = footer.replace(_varint(honest * 2), _varint(num_rows * 2))  # zigzag: thrift's compact integers
    path.write_bytes(body + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def _varint(number: int) -> bytes:
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
