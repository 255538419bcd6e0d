"""A look at a source before it is imported."""

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelmint.core.errors import DataError, InputError
from modelmint.data.peek import peek

from .conftest import rows_of

Write = Callable[..., Path]
Collected = Callable[..., Any]

LINES = [f"this is message number {number} of many,{'ham' if number % 3 else 'spam'}" for number in range(60)]


def test_labelled_text_is_suggested_as_it_is(write: Write) -> None:
    found = peek(str(write("a.csv", "text,label\n" + "\n".join(LINES))))
    assert (found["format"], found["dialect"], found["task"]) == ("csv", "columns", "text-classification")
    assert found["spec"] == {"source": found["spec"]["source"], "language": "en"}


@pytest.mark.parametrize(
    ("header", "text", "label"),
    [("v2,v1", "v2", "v1"), ("question,intent", "question", "intent"), ("review,sentiment", "review", "sentiment"),
     ("text,category", "text", "category"), ("utterance,class_name", "utterance", "class_name"), ("a,b", "a", "b")],
)  # fmt: skip
def test_text_and_label_are_guessed(write: Write, header: str, text: str, label: str) -> None:
    found = peek(str(write("a.csv", header + "\n" + "\n".join(LINES))))
    assert {column["role"]: column["name"] for column in found["columns"]} == {"text": text, "label": label}
    assert found["spec"].get("text", "text") == text


def test_the_suggested_spec_reads_the_source(write: Write, collected: Collected) -> None:
    text = "id;Frage;Absicht;teil\n" + "".join(
        f'{n};"Wo ist Größe; {n} bitte?";{"xy"[n % 2]};train\n' for n in range(40)
    )
    path = write("a.csv", text.encode("cp1252"))
    found = peek(str(path))
    spec = {name: value for name, value in found["spec"].items() if name != "source"}
    assert (spec["encoding"], spec["delimiter"], spec["text"]) == ("cp1252", ";", "Frage")
    assert rows_of(collected(path, **spec).data)[3]["text"] == "Wo ist Größe; 3 bitte?"


@pytest.mark.parametrize(("encoding", "text"), [("gb18030", "我的卡在哪里"), ("utf-16", "我的卡在哪里")])
def test_encoding_is_detected(write: Write, encoding: str, text: str) -> None:
    content = "text,label\n" + "".join(f"{text}{number},{'ab'[number % 2]}\n" for number in range(50))
    found = peek(str(write("a.csv", content.encode(encoding))))
    assert (found["encoding"], found["spec"]["encoding"]) == (encoding, encoding)
    assert found["sample"][0] == {"text": f"{text}0", "label": "a"}


def test_what_is_declared_wins(write: Write) -> None:
    path = write("a.csv", "text,label,mood\n" + "".join(f"words here {n},a,{n % 2}\n" for n in range(20)))
    found = peek(str(path), label="mood", encoding="cp1252")
    assert (found["spec"]["label"], found["encoding"]) == ("mood", "cp1252")


def test_file_without_quoting_is_noticed(write: Write) -> None:
    rows = "".join(f'the film "Great" is {n}" wide\t{n % 2}\n"open {n}\t1\n' for n in range(20))
    assert peek(str(write("a.tsv", "text\tlabel\n" + rows)))["spec"]["quote"] == ""


def test_chat_is_shown_in_canonical_form(write: Write) -> None:
    record = {"instruction": "Say hi", "output": "hi"}
    found = peek(str(write("a.json", json.dumps([record] * 3))))
    assert (found["dialect"], found["task"], found["num_rows"]) == ("alpaca", "chat", 3)
    assert found["sample"][0]["messages"][1] == {"role": "assistant", "content": "hi"}


def test_pairs_of_texts_are_noticed(write: Write) -> None:
    rows = "".join(f"is this so number {n},then that is so {n},{n % 2}\n" for n in range(30))
    found = peek(str(write("a.csv", "premise,hypothesis,label\n" + rows)))
    assert (found["task"], found["spec"]["text_pair"]) == ("text-pair-classification", "hypothesis")


def test_table_with_an_id_leaves_it_out(write: Write) -> None:
    rows = "".join(f"c-{n},{20 + n % 50},{n * 1.5},{'yes' if n % 3 else 'no'}\n" for n in range(60))
    found = peek(str(write("a.csv", "customer_id,age,income,churn\n" + rows)))
    assert (found["task"], found["spec"]["label"]) == ("tabular-classification", "churn")
    assert found["spec"]["features"] == ["age", "income"]


def test_numbers_to_predict_make_a_regression(write: Write) -> None:
    rows = "".join(f"{n % 7},{n * 3.25}\n" for n in range(60))
    found = peek(str(write("a.csv", "rooms,target\n" + rows)))
    assert (found["task"], found["spec"]["label"]) == ("tabular-regression", "target")


def test_split_column_is_noticed(write: Write) -> None:
    rows = "".join(f"some words to read {n},{n % 2},{'test' if n % 5 == 0 else 'train'}\n" for n in range(50))
    assert peek(str(write("a.csv", "text,label,part\n" + rows)))["spec"]["split_column"] == "part"


def test_rows_that_would_be_lost_are_said(write: Write) -> None:
    found = peek(str(write("a.csv", "text,label\n" + "\n".join(LINES) + "\n,spam\none,two,three\n")))
    assert any("bad_width" in warning for warning in found["warnings"])
    assert any("empty_text" in warning for warning in found["warnings"])


def test_rows_of_a_large_file_are_estimated_at_once(write: Write) -> None:
    path = write("a.csv", "text,label\n" + ("\n".join(LINES) + "\n") * 20_000)
    peek(str(path))  # the language model is loaded once
    began = time.monotonic()
    found = peek(str(path))
    assert time.monotonic() - began < 2
    assert found["rows_estimated"]
    assert abs(found["num_rows"] - 1_200_000) < 60_000


def test_rows_of_a_packed_file_are_estimated(write: Write) -> None:
    content = "text,label\n" + "".join(f"{hash(str(n))} message,{n % 3}\n" for n in range(50_000))
    found = peek(str(write("a.csv.gz", gzip.compress(content.encode()))))
    assert abs(found["num_rows"] - 50_000) < 5_000


def test_rows_of_parquet_are_known(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["some words"] * 5000, "label": ["a", "b"] * 2500}), tmp_path / "a.parquet")
    found = peek(str(tmp_path / "a.parquet"))
    assert (found["num_rows"], found["rows_estimated"]) == (5000, False)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        peek(str(tmp_path / "none.csv"))


def test_the_result_is_json(write: Write) -> None:
    found = peek(str(write("a.csv", "text,label\n" + "\n".join(LINES))))
    assert json.loads(json.dumps(found)) == found


def test_real_sets_are_told_apart(shared: Path) -> None:
    tasks = {name: peek(str(shared / name))["task"] for name in
             ("banking77", "telco_churn/all.csv.gz", "german_credit/all.csv", "multi30k_de_en", "wikitext2/test.txt.gz")}  # fmt: skip
    assert list(tasks.values()) == ["text-classification", "tabular-classification", "tabular-classification",
                                    "text2text-generation", "text-generation"]  # fmt: skip


@pytest.mark.parametrize("known", [{"task": "poetry"}, {"txet": "body"}, {"encoding": "klingon"}])
def test_a_wrong_field_is_named(tmp_path: Path, known: dict[str, str]) -> None:
    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    with pytest.raises(InputError, match=f"^{next(iter(known))}: "):
        peek(str(tmp_path / "a.csv"), **known)


def test_an_open_set_that_is_none_is_answered_with_those_there_are() -> None:
    with pytest.raises(InputError, match="Did you mean open:banking77"):
        peek("open:banking7")


def test_a_stray_byte_does_not_make_utf8_another_encoding(tmp_path: Path) -> None:
    rows = [f"这是第{at}条评论,好\n".encode() for at in range(20)]
    (tmp_path / "a.csv").write_bytes(b"text,label\n" + b"".join(rows) + b"bad \xff byte,x\n" + b"".join(rows))
    assert peek(str(tmp_path / "a.csv"))["encoding"] == "utf-8"


def test_two_columns_of_one_name_are_said(write: Write) -> None:
    rows = "".join(f"some words {n},other words {n},{n % 2}\n" for n in range(20))
    assert any(
        "'text' is there 2 times" in said for said in peek(str(write("a.csv", "text,text,label\n" + rows)))["warnings"]
    )


def test_header_without_rows_is_said(write: Write) -> None:
    assert any("no rows" in said for said in peek(str(write("a.csv", "text,label\n")))["warnings"])


def test_file_without_a_header_is_said(write: Write) -> None:
    rows = "".join(f'"my parcel {n} is late, sir",shipping\n"you charged {n} times",billing\n' for n in range(20))
    assert any("`header`" in said for said in peek(str(write("a.csv", rows)))["warnings"])


@pytest.mark.parametrize("header", ["text,label", "Frage,Absicht", "内容,类别", "What is it about?,kind"])
def test_header_is_not_taken_for_a_row(write: Write, header: str) -> None:
    assert not any(
        "`header`" in said for said in peek(str(write("a.csv", header + "\n" + "\n".join(LINES))))["warnings"]
    )


def test_encoding_from_before_unicode_is_said_to_be_a_guess(write: Write) -> None:
    rows = "".join(f"我的卡在哪里{n},{'ab'[n % 2]}\n" for n in range(50))
    assert any(
        "big5" in said
        for said in peek(str(write("a.csv", ("text,label\n" + rows).encode("big5", "ignore"))))["warnings"]
    )


def test_lists_are_no_labels(write: Write) -> None:
    """Chats in two dialects in one file: neither is known for sure, and a list of messages is nothing to predict."""
    chats = [
        {"messages": [{"role": "user", "content": f"what {n}"}, {"role": "assistant", "content": "that"}]}
        for n in range(10)
    ]
    chats += [
        {"conversations": [{"from": "human", "value": f"hi {n}"}, {"from": "gpt", "value": "ho"}]} for n in range(10)
    ]  # type: ignore[dict-item]
    found = peek(str(write("a.jsonl", "\n".join(map(json.dumps, chats)))))
    assert found["spec"].get("label") != "conversations"


def test_database_file_is_told_how_to_be_named(write: Write) -> None:
    with pytest.raises(DataError) as raised:
        peek(str(write("shop.db", b"SQLite format 3\0" + b"\0" * 100)))
    assert "sqlite:///" in str(raised.value.remedy)


def test_bytes_that_cannot_be_decoded_are_shown_as_escapes(write: Write) -> None:
    """A terminal and a JSON file take no lone surrogates."""
    rows = b"".join(
        f"text {n}: ".encode() + "退款".encode("gb18030" if n % 5 == 0 else "utf-8") + b",a\n" for n in range(20)
    )
    json.dumps(peek(str(write("a.csv", b"text,label\n" + rows)), encoding="utf-8"), ensure_ascii=False).encode()


PREAMBLE = "Report of tickets\nmade on,2026-11-22\n\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lines_above_the_header_are_found(write: Write, collected: Collected, delimiter: str) -> None:
    rows = "".join(f"I asked {n} times{delimiter}x{delimiter}{'ab'[n % 2]}\n" for n in range(20))
    path = write("a.csv", PREAMBLE + delimiter.join(["text", "note", "label"]) + "\n" + rows)
    told = peek(str(path))
    assert told["spec"]["skip_rows"] == 3
    assert (
        collected(path, **{name: told["spec"][name] for name in told["spec"] if name != "source"}).data.num_rows == 20
    )


@pytest.mark.parametrize(
    "text",
    [
        "text,label\n" + "some words,a\nother words,b\n" * 9,
        "a,b\n" + "".join(f"{n},{n * 2},x\n" for n in range(9)),  # the column of names has none itself
        "text,label\na\nb\nc,x\nd,y\n",
        "one\n" * 20,
    ],
)
def test_no_line_is_taken_for_one_above_the_header(write: Write, text: str) -> None:
    assert "skip_rows" not in peek(str(write("a.csv", text)))["spec"]


def test_codes_with_leading_zeros_are_no_numbers(write: Write, collected: Collected) -> None:
    rows = "".join(f"{'0870' if n % 150 == 7 else 4000 + n},{'ab'[n % 2]}\n" for n in range(300))
    path = write("a.csv", "postcode,label\n" + rows)
    told = peek(str(path))
    assert {one["name"]: one["type"] for one in told["columns"]}["postcode"] == "text"
    assert collected(path, task="tabular-classification").data.num_rows == 300


@pytest.mark.parametrize(("user", "item", "time"), [("user", "item", "timestamp"), ("userId", "movieId", "time")])
def test_who_took_what_is_noticed(write: Write, user: str, item: str, time: str) -> None:
    rows = "".join(f"{n % 7},{n % 11},{n % 5 + 1},{881250949 + n}\n" for n in range(60))
    told = peek(str(write("a.csv", f"{user},{item},rating,{time}\n" + rows)))
    assert told["task"] == "recommendation"
    assert {one["name"]: one["role"] for one in told["columns"]} == {
        user: "user",
        item: "item",
        "rating": "rating",
        time: "time",
    }


def test_cells_that_were_guarded_against_formulas_are_noticed(write: Write) -> None:
    rows = "".join(f"'={n}+1,{'ab'[n % 2]}\n'-5 of {n},a\n" for n in range(9))
    assert any("`guarded: true`" in said for said in peek(str(write("a.csv", "text,label\n" + rows)))["warnings"])
    plain = "".join(f"'tis number {n},{'ab'[n % 2]}\n" for n in range(9))
    assert not any("guarded" in said for said in peek(str(write("a.csv", "text,label\n" + plain)))["warnings"])
