"""Collecting good sources of every shape."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelmint.core.errors import DataError
from modelmint.core.tables import column
from modelmint.data.collect import CollectSpec, fingerprint

from .conftest import reasons_of, rows_of, texts_of

ROWS = [("hello there", "greet"), ("good bye", "leave"), ("where is it, please", "ask")]
CSV = "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in ROWS)
SALT = "a secret of this tenant"

Write = Callable[..., Path]
Collected = Callable[..., Any]


def jsonl() -> str:
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("a.csv", CSV.replace(",", ";").replace("it; please", "it, please")),
        ("a.tsv", CSV.replace(",", "\t").replace("it\t please", "it, please")),
        ("a.csv.gz", gzip.compress(CSV.encode())),
        ("a.jsonl", jsonl()),
        ("a.jsonl.gz", gzip.compress(jsonl().encode())),
    ],
    ids=["csv", "csv-bom-crlf", "csv-semicolon", "tsv", "csv-gz", "jsonl", "jsonl-gz"],
)
def test_text_formats_give_the_same_rows(write: Write, collected: Collected, name: str, content: str | bytes) -> None:
    data = collected(write(name, content)).data
    assert [(row["text"], row["label"]) for row in rows_of(data)] == ROWS


def test_parquet_gives_the_same_dataset_as_csv(write: Write, collected: Collected, tmp_path: Path) -> None:
    table = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    from_csv = collected(write("a.csv", CSV)).data
    assert collected(tmp_path / "a.parquet").data.digest == from_csv.digest


def test_parquet_class_names_of_the_datasets_library_are_used(tmp_path: Path, collected: Collected) -> None:
    about = {"info": {"features": {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    table = pa.table({"text": ["a", "b"], "label": [1, 0]}).replace_schema_metadata({"huggingface": json.dumps(about)})
    pq.write_table(table, tmp_path / "a.parquet")
    assert column(collected(tmp_path / "a.parquet").data, "label") == ["yes", "no"]


def test_row_ids_are_stable_and_differ(write: Write, collected: Collected) -> None:
    first = column(collected(write("a.csv", CSV)).data, "_row")
    second = column(collected(write("renamed.csv", CSV.replace("hello", "HELLO"))).data, "_row")
    assert first == second
    assert len(set(first)) == len(ROWS)


def test_folder_declares_the_splits(write: Write, collected: Collected) -> None:
    write("train.csv", CSV)
    write("dev.jsonl", jsonl())
    data = collected(write("test.csv", CSV).parent).data
    assert data.facts["splits"] == {"test": 3, "train": 3, "validation": 3}


def test_folder_of_shards_is_read_in_order(write: Write, collected: Collected) -> None:
    write("train-00001-of-00002.csv", "text,label\nsecond,b\n")
    folder = write("train-00000-of-00002.csv", "text,label\nfirst,a\n").parent
    assert texts_of(collected(folder).data) == ["first", "second"]


def test_split_column_declares_the_splits(write: Write, collected: Collected) -> None:
    outputs = collected(write("a.csv", "text,label,part\na,x,train\nb,y,TEST\nc,x,dev\nd,x,?\n"), split_column="part")
    assert column(outputs.data, "_split") == ["train", "test", "validation"]
    assert reasons_of(outputs.quarantine) == ["bad_split"]


def test_group_and_kept_columns_stay(write: Write, collected: Collected) -> None:
    data = collected(write("a.csv", "text,label,talk,when\na,x,t1,1\nb,y,,2\n"), group="talk", keep=["when"]).data
    assert [(row["_group"], row["when"]) for row in rows_of(data)] == [("t1", "1"), (None, "2")]


def test_subject_is_stored_as_a_keyed_hash(write: Write, collected: Collected) -> None:
    path = write("a.csv", "text,label,who\na,x,ann\nb,y,bob\nc,x,ann\n")
    one = column(collected(path, subject="who", subject_salt=SALT).data, "_subject")
    other = column(collected(path, subject="who", subject_salt=SALT[::-1]).data, "_subject")
    assert one[0] == one[2] != one[1]
    assert not set(one) & {*other, "ann", "bob"}


def test_subject_without_a_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="subject_salt is required"):
        CollectSpec(source="a.csv", subject="who")


def test_a_quoted_cell_may_hold_line_breaks(write: Write, collected: Collected) -> None:
    data = collected(write("a.csv", 'text,label\n"two\nlines",a\n"say ""hi""",b\n')).data
    assert texts_of(data) == ["two\nlines", 'say "hi"']


def test_quoting_can_be_switched_off(write: Write, collected: Collected) -> None:
    data = collected(write("a.tsv", 'text\tlabel\n"Great" film\ta\n"bad\tb\n'), quote="").data
    assert texts_of(data) == ['"Great" film', '"bad']


def test_max_rows_reads_the_first_rows(write: Write, collected: Collected) -> None:
    assert texts_of(collected(write("a.csv", CSV), max_rows=2).data) == ["hello there", "good bye"]


def test_licence_and_language_are_recorded(write: Write, collected: Collected) -> None:
    data = collected(write("a.csv", CSV), licence="CC-BY-4.0", language="en").data
    assert data.manifest["licences"] == ["CC-BY-4.0"]
    assert data.facts["language"] == "en"


def test_facts_count_what_was_read_and_kept(write: Write, collected: Collected) -> None:
    facts = collected(write("a.csv", CSV + "only one\n")).data.facts
    assert (facts["rows_read"], facts["rows_kept"], facts["rows_quarantined"]) == (4, 3, {"bad_width": 1})


def test_fingerprint_changes_with_the_bytes(write: Write) -> None:
    path = write("a.csv", CSV)
    before = fingerprint(CollectSpec(source=str(path)))
    write("a.csv", CSV + "more,greet\n")
    assert fingerprint(CollectSpec(source=str(path))) != before


def test_many_batches_keep_every_row(write: Write, collected: Collected) -> None:
    content = "text,label\n" + "".join(f"row {number},{number % 3}\n" for number in range(20_000))
    assert texts_of(collected(write("a.csv", content)).data) == [f"row {number}" for number in range(20_000)]


def test_real_chinese_reviews_are_read_whole(shared: Path, collected: Collected) -> None:
    outputs = collected(shared / "chnsenticorp", language="zh")
    assert outputs.data.facts["splits"] == {"test": 1200, "train": 9600, "validation": 1200}
    assert outputs.quarantine.num_rows == 0


def test_real_banking77_is_read_whole(shared: Path, collected: Collected) -> None:
    facts = collected(shared / "banking77").data.facts
    assert facts["splits"] == {"test": 3080, "train": 10003}
    assert len(facts["labels"]) == 77


def test_real_jsonl_with_list_texts_says_what_it_has(shared: Path, collected: Collected) -> None:
    with pytest.raises(Exception, match=r"missing column: 'text' .*'tokens', 'slots', 'intent'"):
        collected(shared / "snips", label="intent")


def test_csv_without_a_header_gets_its_names_from_the_spec(write: Write, collected: Collected) -> None:
    outputs = collected(
        write("a.csv", "where is it?;late\nbroken;refund\n\nwhere is she?;late\n"), header=["text", "label"]
    )
    assert [(row["text"], row["label"]) for row in rows_of(outputs.data)] == [
        ("where is it?", "late"),
        ("broken", "refund"),
        ("where is she?", "late"),
    ]


def test_row_of_another_width_than_the_named_columns_is_quarantined(write: Write, collected: Collected) -> None:
    outputs = collected(
        write("a.csv", "where is it?,late\nbroken,refund,now\nwhere is she?,gone\n"), header=["text", "label"]
    )
    assert reasons_of(outputs.quarantine) == ["bad_width"]


def test_header_for_what_has_its_own_names_is_refused(write: Write, collected: Collected) -> None:
    with pytest.raises(DataError, match="header: is for CSV and TSV"):
        collected(write("a.jsonl", '{"text": "a", "label": "b"}\n'), header=["text", "label"])


def test_lines_above_the_header_are_skipped(write: Write, collected: Collected) -> None:
    path = write("a.csv", 'Report, of "May\n\ntext,label\none,a\ntwo,b\nthree\n')
    outputs = collected(path, skip_rows=2)
    assert texts_of(outputs.data) == ["one", "two"]
    assert "line 6" in rows_of(outputs.quarantine)[0]["detail"]


def test_more_lines_to_skip_than_there_are_is_an_error(write: Write, collected: Collected) -> None:
    with pytest.raises(DataError, match=r"skip_rows: a\.csv has fewer than 9 lines"):
        collected(write("a.csv", "text,label\none,a\n"), skip_rows=9)


def test_skip_rows_is_for_text_tables_and_sheets(write: Write, collected: Collected) -> None:
    with pytest.raises(DataError, match="skip_rows: is for CSV, TSV and Excel"):
        collected(write("a.jsonl", '{"text": "a", "label": "b"}\n'), skip_rows=1)
