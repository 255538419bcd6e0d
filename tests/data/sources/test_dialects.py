"""Every dialect of training data becomes the canonical rows of its task."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.forms import FORMS
from modelmint.data.collect import CollectSpec
from modelmint.data.sources.checks import BadRowError, Checks
from modelmint.data.sources.dialects import DIALECTS, recognised
from tests.data.conftest import reasons_of, rows_of

Write = Callable[..., Path]
Collected = Callable[..., Any]

USER, BOT = {"role": "user", "content": "Is it open?"}, {"role": "assistant", "content": "Yes."}
OTHER = {"role": "assistant", "content": "No idea."}
CALL = [{"id": "c1", "type": "function", "function": {"name": "hours", "arguments": "{}"}}]

CHATS = {
    "openai-chat": {"messages": [USER, BOT]},
    "sharegpt": {"conversations": [{"from": "human", "value": "Is it open?"}, {"from": "gpt", "value": "Yes."}]},
    "alpaca": {"instruction": "Is it open?", "input": "", "output": "Yes."},
    "query-response": {"query": "Is it open?", "response": "Yes.", "history": []},
    "prompt-completion": {"prompt": "Is it open?", "completion": "Yes."},
    "question-answer": {"question": "Is it open?", "answer": "Yes."},
}
PREFERENCES = {
    "openai-preference": {"input": {"messages": [USER]}, "preferred_output": [BOT], "non_preferred_output": [OTHER]},
    "trl-preference": {"prompt": "Is it open?", "chosen": "Yes.", "rejected": "No idea."},
    "trl-conversational": {"prompt": [USER], "chosen": [BOT], "rejected": [OTHER]},
    "trl-without-a-prompt": {"chosen": [USER, BOT], "rejected": [USER, OTHER]},
    "turns-in-one-text": {
        "chosen": "\n\nHuman: Is it open?\n\nAssistant: Yes.",
        "rejected": "\n\nHuman: Is it open?\n\nAssistant: No idea.",
    },
}


def jsonl(*records: Any) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def said(messages: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    return [(message["role"], message["content"]) for message in messages]


@pytest.mark.parametrize("dialect", CHATS)
def test_chat_dialects_give_the_same_messages(write: Write, collected: Collected, dialect: str) -> None:
    outputs = collected(write("a.jsonl", jsonl(*[CHATS[dialect]] * 3)))
    assert outputs.data.measured["provenance"]["dialect"] == dialect
    assert said(rows_of(outputs.data)[0]["messages"]) == [("user", "Is it open?"), ("assistant", "Yes.")]


@pytest.mark.parametrize("dialect", PREFERENCES)
def test_preference_dialects_give_the_same_pairs(write: Write, collected: Collected, dialect: str) -> None:
    data = collected(write("a.jsonl", jsonl(*[PREFERENCES[dialect]] * 3))).data
    row = rows_of(data)[0]
    assert data.facts["task"] == "preference"
    assert [said(row[name])[0][1] for name in ("prompt", "chosen", "rejected")] == ["Is it open?", "Yes.", "No idea."]


def test_alpaca_input_follows_the_instruction(write: Write, collected: Collected) -> None:
    record = {"instruction": "Translate", "input": "Hund", "output": "dog", "system": "Be brief"}
    row = rows_of(collected(write("a.json", json.dumps([record] * 2))).data)[0]
    assert said(row["messages"])[:2] == [("system", "Be brief"), ("user", "Translate\nHund")]


def test_history_comes_before_the_question(write: Write, collected: Collected) -> None:
    record = {"query": "And now?", "response": "Closed.", "history": [["Open?", "Yes."]]}
    row = rows_of(collected(write("a.jsonl", jsonl(record, record))).data)[0]
    assert [content for _, content in said(row["messages"])] == ["Open?", "Yes.", "And now?", "Closed."]


def test_tool_calls_and_tools_are_kept(write: Write, collected: Collected) -> None:
    messages = [USER, {"role": "assistant", "content": None, "tool_calls": CALL},
                {"role": "tool", "tool_call_id": "c1", "content": "9-17"}, BOT]  # fmt: skip
    record = {"messages": messages, "tools": [{"type": "function", "function": {"name": "hours"}}]}
    row = rows_of(collected(write("a.jsonl", jsonl(record, record))).data)[0]
    assert json.loads(row["messages"][1]["tool_calls"]) == CALL
    assert json.loads(row["tools"]) == record["tools"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"messages": []}, "empty_messages"),
        ({"messages": [{"role": "boss", "content": "hi"}, BOT]}, "bad_role"),
        ({"messages": [USER]}, "no_answer"),
        ({"messages": [USER, {"role": "assistant", "content": " "}]}, "no_answer"),
        ({"messages": [{"role": "user", "content": ""}, BOT]}, "empty_text"),
        ({"messages": [USER, {"role": "assistant", "content": [{"type": "image_url"}]}]}, "bad_type"),
        ({"messages": "hello"}, "bad_type"),
        ({"messages": [{"role": "user", "content": "a\0b"}, BOT]}, "nul_byte"),
        ({"other": 1}, "empty_messages"),
    ],
)
def test_chats_that_do_not_fit_go_to_quarantine(
    write: Write, collected: Collected, record: dict[str, Any], reason: str
) -> None:
    good = [{"messages": [USER, BOT]}] * 9
    assert reasons_of(collected(write("a.jsonl", jsonl(*good, record))).quarantine) == [reason]


def test_equal_answers_are_no_preference(write: Write, collected: Collected) -> None:
    good = {"prompt": "a", "chosen": "b", "rejected": "c"}
    outputs = collected(write("a.jsonl", jsonl(*[good] * 5, good | {"rejected": "b"})))
    assert reasons_of(outputs.quarantine) == ["same_answers"]


def studio(text: str, *results: dict[str, Any], cancelled: bool = False) -> dict[str, Any]:
    return {"id": 1, "data": {"text": text}, "annotations": [{"was_cancelled": cancelled, "result": list(results)}]}


def choice(name: str) -> dict[str, Any]:
    return {"type": "choices", "from_name": "mood", "to_name": "text", "value": {"choices": [name]}}


def label(start: int, end: int, name: str) -> dict[str, Any]:
    return {
        "type": "labels",
        "from_name": "ner",
        "to_name": "text",
        "value": {"start": start, "end": end, "labels": [name]},
    }


def test_label_studio_choices(write: Write, collected: Collected) -> None:
    tasks = [
        studio("good", choice("up")),
        studio("bad", choice("down")),
        studio("skipped", choice("up"), cancelled=True),
    ]
    outputs = collected(write("a.json", json.dumps(tasks)))
    assert [(row["text"], row["label"]) for row in rows_of(outputs.data)] == [("good", "up"), ("bad", "down")]
    assert reasons_of(outputs.quarantine) == ["missing_label"]


def test_label_studio_spans_become_tags(write: Write, collected: Collected) -> None:
    tasks = [studio("Ann lives in Bonn.", label(0, 3, "PER"), label(13, 17, "LOC")), studio("Nobody.")]
    row = rows_of(collected(write("a.json", json.dumps(tasks))).data)[0]
    assert list(zip(row["tokens"], row["tags"], strict=True)) == [
        ("Ann", "B-PER"), ("lives", "O"), ("in", "O"), ("Bonn", "B-LOC"), (".", "O")]  # fmt: skip


def test_overlapping_spans_go_to_quarantine(write: Write, collected: Collected) -> None:
    good = {"text": "Ann here", "entities": [[0, 3, "PER"]]}
    outputs = collected(write("a.jsonl", jsonl(*[good] * 5, good | {"entities": [[0, 3, "PER"], [1, 5, "LOC"]]},
                                               good | {"entities": [[5, 99, "PER"]]})))  # fmt: skip
    assert reasons_of(outputs.quarantine) == ["overlapping_spans", "bad_span"]


def test_chinese_spans_are_tagged_by_character(write: Write, collected: Collected) -> None:
    record = {"text": "张三在北京ABC", "entities": [{"start": 3, "end": 5, "type": "LOC"}]}
    row = rows_of(collected(write("a.jsonl", jsonl(record, record))).data)[0]
    assert row["tokens"] == ["张", "三", "在", "北", "京", "ABC"]
    assert row["tags"] == ["O", "O", "O", "B-LOC", "I-LOC", "O"]


def test_conll_sentences(write: Write, collected: Collected) -> None:
    text = "-DOCSTART- -X- O O\n\nEU NNP B-ORG\nrejects VBZ O\n\n\nBonn NNP B-LOC\n. . O\nbroken\n\nOnly\n\nLast NN O\n"
    outputs = collected(write("a.conll", text))
    assert [row["tags"] for row in rows_of(outputs.data)] == [["B-ORG", "O"], ["O"]]
    assert reasons_of(outputs.quarantine) == ["bad_width", "bad_width"]


def test_tokens_and_tags_of_different_length(write: Write, collected: Collected) -> None:
    good = {"tokens": ["a", "b"], "tags": ["X", "O"]}
    outputs = collected(write("a.jsonl", jsonl(*[good] * 9, {"tokens": ["a"], "tags": ["O", "O"]})))
    assert reasons_of(outputs.quarantine) == ["tag_mismatch"]


def squad(*answers: tuple[str, int]) -> dict[str, Any]:
    return {
        "context": "Bonn was the capital. Bonn is on the Rhine.",
        "question": "Which city?",
        "answers": {"text": [text for text, _ in answers], "answer_start": [start for _, start in answers]},
    }


def test_squad_rows_and_their_faults(write: Write, collected: Collected) -> None:
    rows = [squad(("Bonn", 22), ("the Rhine", 33)), squad(("Bonn", 20)), squad(("Köln", 0)), squad((" ", 0))]
    outputs = collected(write("a.jsonl", jsonl(*rows)))
    first, second = rows_of(outputs.data)
    assert (first["answer"], first["answer_start"], first["answers"]) == ("Bonn", 22, ["Bonn", "the Rhine"])
    assert second["answer_start"] == 22
    assert reasons_of(outputs.quarantine) == ["bad_answer", "no_answer"]


def test_nested_squad_is_unfolded(write: Write, collected: Collected) -> None:
    question = {"question": "Which?", "id": "q", "answers": [{"text": "Bonn", "answer_start": 0}]}
    whole = {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "Bonn.", "qas": [question] * 3}]}]}
    data = collected(write("a.json", json.dumps(whole, indent=1))).data
    assert [row["answer"] for row in rows_of(data)] == ["Bonn"] * 3


def test_declared_task_and_columns(write: Write, collected: Collected) -> None:
    csv = "premise,hypothesis,gold\na b,c,yes\nd,e f,no\n,x,no\n"
    outputs = collected(write("a.csv", csv), task="text-pair-classification", text="premise", text_pair="hypothesis", label="gold")  # fmt: skip
    assert [(row["text"], row["text_pair"], row["label"]) for row in rows_of(outputs.data)] == [("a b", "c", "yes"), ("d", "e f", "no")]  # fmt: skip
    assert reasons_of(outputs.quarantine) == ["empty_text"]


def test_text_to_text(write: Write, collected: Collected) -> None:
    outputs = collected(write("a.tsv", "de\ten\nHund\tdog\nKatze\tcat\n"), task="text2text-generation", text="de", target="en")  # fmt: skip
    assert [(row["text"], row["target"]) for row in rows_of(outputs.data)] == [("Hund", "dog"), ("Katze", "cat")]


def test_table_has_typed_columns_and_keeps_what_is_missing(write: Write, collected: Collected) -> None:
    csv = "age,income,zip,city,label\n31,1.5,01234,Bonn,a\n,2e3,99999,,b\n40,NA,10000,Köln,a\n"
    data = collected(write("a.csv", csv), task="tabular-classification").data
    kinds = {name: str(kind) for name, kind in data.facts["columns"].items()}
    assert kinds == {"_row": "string", "age": "int64", "income": "double", "zip": "string", "city": "string", "label": "string"}  # fmt: skip
    assert [tuple(row.values())[1:] for row in rows_of(data)] == [
        (31, 1.5, "01234", "Bonn", "a"), (None, 2000.0, "99999", None, "b"), (40, None, "10000", "Köln", "a")]  # fmt: skip


def test_declared_types_win_and_what_is_no_number_is_quarantined(write: Write, collected: Collected) -> None:
    csv = "age,code,label\n31,1,1.5\nold,2,2\n40,3,many\n50,4,3\n"
    outputs = collected(write("a.csv", csv), task="tabular-regression", types={"age": "integer", "code": "text"})
    assert [(row["age"], row["code"], row["label"]) for row in rows_of(outputs.data)] == [
        (31, "1", 1.5),
        (50, "4", 3.0),
    ]
    assert reasons_of(outputs.quarantine) == ["bad_number", "bad_number"]


def test_missing_column_of_a_chat_is_named(write: Write, collected: Collected) -> None:
    with pytest.raises(DataError, match=r"missing column: 'talk' is not in a.jsonl; its columns are: 'messages'"):
        collected(write("a.jsonl", jsonl({"messages": [USER, BOT]})), task="chat", messages="talk")


def test_dialect_of_another_task_is_refused() -> None:
    with pytest.raises(ValueError, match="dialect alpaca is one of chat"):
        CollectSpec(source="a.jsonl", dialect="alpaca", task="preference")


def test_explicit_label_column_wins_over_a_dialect(write: Write, collected: Collected) -> None:
    records = [{"query": "a", "response": "b", "mood": "up"}, {"query": "c", "response": "d", "mood": "down"}]
    data = collected(write("a.jsonl", jsonl(*records)), text="query", label="mood").data
    assert data.facts["task"] == "text-classification"


@pytest.mark.parametrize("seed", range(20))
def test_no_dialect_raises_anything_but_a_reason(seed: int) -> None:
    draw = random.Random(seed)
    names = ["messages", "role", "content", "conversations", "from", "value", "prompt", "chosen", "rejected", "tokens",
             "tags", "text", "entities", "label", "start", "end", "type", "data", "annotations", "result", "answers",
             "question", "context", "instruction", "output", "history", "query", "response", "input", "tool_calls",
             "preferred_output", "non_preferred_output", "completion", "labels", "choices", "answer"]  # fmt: skip

    def value(depth: int) -> Any:
        plain = [None, draw.randrange(-3, 9), "user", "text with words", "a\0b", "\ud800", True, 1e400]
        kind = draw.randrange(len(plain) + (4 if depth else 0))
        if kind < len(plain):
            return plain[kind]
        if kind == len(plain):
            return [value(depth - 1) for _ in range(draw.randrange(3))]
        return {name: value(depth - 1) for name in draw.sample(names, draw.randrange(1, 6))}

    checks = Checks(max_cell_chars=1000, encoding="utf-8", names={})
    for _ in range(300):
        record = {name: value(3) for name in draw.sample(names, 8)}
        for dialect in DIALECTS:
            assert dialect.recognise is not None
            dialect.recognise(record)
            try:
                row = checks.row(dialect.task, dialect.convert(record))
            except BadRowError:
                continue
            pa.RecordBatch.from_pylist([row], schema=FORMS[dialect.task].columns)


def test_real_sets_are_recognised(shared: Path, collected: Collected) -> None:
    found = {name: collected(shared / name, max_rows=50).data.measured["provenance"]["dialect"]
             for name in ("gsm8k", "conll2003", "cluener", "snips")}  # fmt: skip
    assert found == {"gsm8k": "question-answer", "conll2003": "tokens", "cluener": "spans", "snips": "tokens"}


def test_real_squad_is_read_whole(shared: Path, collected: Collected) -> None:
    outputs = collected(shared / "squad_v11_dev" / "dev.jsonl.gz")
    assert outputs.data.num_rows == 10_570
    batch = next(tables.batches(outputs.data))
    first = batch.slice(0, 1).to_pylist()[0]
    assert first["context"][first["answer_start"] :].startswith(first["answer"])


def test_nothing_is_recognised_in_plain_columns() -> None:
    assert recognised([{"text": "a", "label": "b"}], None) is None
