"""Personal data in rows of every form: replaced, and the row stays whole."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.tables import read
from modelmint.data.deidentify import DeidentifyInputs, DeidentifyOutputs, DeidentifySpec, deidentify
from tests.tiny_tagger import write_tagger

Run = Callable[..., DeidentifyOutputs]


@pytest.fixture
def run(desk: StagingDesk, context: StageContext) -> Run:
    """``run("chat", [row], action=...)``: rows of that form, with its columns, through the stage."""

    def deidentified(task: str, rows: list[dict[str, Any]], **spec: Any) -> DeidentifyOutputs:
        numbered = [{"_row": f"r{at}", **row} for at, row in enumerate(rows)]
        columns = FORMS[task].columns if not task.startswith("tabular") else []
        kept = {name: pa.array([row.get(name) for row in numbered]).type for name in numbered[0]}
        schema = pa.schema({**kept, **{column.name: column.type for column in columns}})
        data = desk.dataset("data", pa.Table.from_pylist(numbered, schema=schema), facts={"task": task})
        ctx = replace(context, tenant_secret=b"the key of this tenant")
        return deidentify(DeidentifySpec(**spec), DeidentifyInputs(data=data), ctx)

    return deidentified


def row_of(outputs: DeidentifyOutputs, at: int = 0) -> dict[str, Any]:
    row: dict[str, Any] = read(outputs.data).to_pylist()[at]
    return row


def message(content: str | None, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, "name": None, "tool_calls": None, "tool_call_id": None, **more}


def test_every_text_of_a_pair_is_looked_at(run: Run) -> None:
    row = row_of(run("text-pair-classification", [{"text": "a@b.org", "text_pair": "电话13812345678", "label": "x"}]))
    assert (row["text"], row["text_pair"]) == ("[EMAIL]", "电话[PHONE]")


def test_messages_of_a_chat_are_masked_and_empty_ones_left(run: Run) -> None:
    row = row_of(run("chat", [{"messages": [message("I am joe@x.com"), message(None), message("")], "tools": None}]))
    assert [each["content"] for each in row["messages"]] == ["I am [EMAIL]", None, ""]


def test_tool_calls_stay_json_down_to_their_arguments(run: Run) -> None:
    arguments = json.dumps({"to": "joe@x.com", "phone": 4155552671, "quote": 'say "hi"', "num": 3})
    calls = json.dumps([{"id": "call_1", "function": {"name": "send", "arguments": arguments}}])
    row = row_of(run("chat", [{"messages": [message("x", tool_calls=calls)], "tools": None}]))
    made = json.loads(row["messages"][0]["tool_calls"])
    assert json.loads(made[0]["function"]["arguments"]) == {
        "to": "[EMAIL]",
        "phone": "[PHONE]",
        "quote": 'say "hi"',
        "num": 3,
    }


def test_tool_calls_nested_too_deep_are_read_as_text(run: Run) -> None:
    calls = "[" * 100_000 + '"joe@x.com"'
    row = row_of(run("chat", [{"messages": [message("x", tool_calls=calls)], "tools": None}]))
    assert row["messages"][0]["tool_calls"].endswith('"[EMAIL]"')


def test_all_three_parts_of_a_preference_are_masked(run: Run) -> None:
    parts = {name: [message("joe@x.com")] for name in ("prompt", "chosen", "rejected")}
    row = row_of(run("preference", [parts]))
    assert {row[name][0]["content"] for name in parts} == {"[EMAIL]"}


def test_tokens_keep_their_number_and_tags(run: Run) -> None:
    tokens = ["call", "(415)", "555-2671", "or", "joe@x.com", "!"]
    row = row_of(run("token-classification", [{"tokens": tokens, "tags": ["O", "B", "I", "O", "O", "O"]}]))
    assert row["tokens"] == ["call", "[PHONE]", "[PHONE]", "or", "[EMAIL]", "!"]
    assert row["tags"] == ["O", "B", "I", "O", "O", "O"]


def test_a_stand_in_is_dealt_out_over_single_chinese_letters(run: Run) -> None:
    tokens = list("电话13812345678好")
    row = row_of(run("token-classification", [{"tokens": tokens, "tags": ["O"] * len(tokens)}], action="pseudonym"))
    assert "".join(row["tokens"])[2:5] == "154"
    assert [len(token) for token in row["tokens"]] == [1] * len(tokens)


@pytest.mark.parametrize("action", ["mask", "pseudonym", "hash"])
@pytest.mark.parametrize("answer", ["joe@x.com", "Paris", "Joe (joe@x.com)", "call", "x.com or"])
def test_an_answer_stays_a_piece_of_its_context(run: Run, action: str, answer: str) -> None:
    context = "Joe (joe@x.com) or ann@y.org; call (415) 555-2671 in Paris, or joe@x.com or no one."
    row = {"question": "who is joe@x.com?", "context": context, "answer": answer, "answer_start": context.index(answer)}
    made = row_of(run("question-answering", [row], action=action))
    assert made["context"][made["answer_start"] :].startswith(made["answer"])
    assert "joe@x.com" not in made["context"] + made["question"] + made["answer"]
    assert (made["answer"] == answer) == (answer in {"Paris", "call"})


def test_a_question_without_an_answer_is_masked_too(run: Run) -> None:
    row = {"question": "who?", "context": "joe@x.com", "answer": None, "answer_start": None}
    assert row_of(run("question-answering", [row]))["context"] == "[EMAIL]"


def test_a_table_is_looked_at_cell_by_cell_with_the_names_of_its_columns(run: Run) -> None:
    row = {"phone": "4155552671", "order": "4155552671", "label": "joe@x.com", "age": 3}
    made = row_of(run("tabular-classification", [row]))
    assert made | {"_row": ""} == row | {"phone": "[PHONE]", "_row": ""}


def test_numbers_that_look_personal_are_told_and_left(run: Run) -> None:
    outputs = run("tabular-classification", [{"phone": 4155552671, "note": "x", "label": "a"}])
    assert row_of(outputs)["phone"] == 4155552671
    assert outputs.deidentification.facts["numbers_left"] == {"phone": 1}


def test_pictures_are_left_and_the_report_says_so(run: Run) -> None:
    facts = run("image-classification", [{"image": b"joe@x.com", "label": "a"}]).deidentification.facts
    assert facts["columns_left"]["image"] == "pictures and recordings are not looked into"


@pytest.mark.parametrize("task", ["chat", "text-generation"])
def test_rows_are_dropped_by_what_their_own_texts_hold(run: Run, task: str) -> None:
    texts = ["fine", "joe@x.com", "fine too"]
    rows: list[dict[str, Any]] = [{"text": text} for text in texts]
    if task == "chat":
        rows = [{"messages": [message("hello"), message(text)], "tools": None} for text in texts]
    outputs = run(task, rows, action="drop")
    assert [row["_row"] for row in read(outputs.data).to_pylist()] == ["r0", "r2"]
    assert "joe@x.com" not in json.dumps(read(outputs.quarantine).to_pylist())


def test_names_are_found_in_every_form_by_a_model(run: Run, tmp_path: Path) -> None:
    folder = str(write_tagger(tmp_path / "tagger"))
    row = row_of(run("chat", [{"messages": [message("I am Ann Lee, ann@x.org")], "tools": None}], ner=folder))
    assert row["messages"][0]["content"] == "I am [PERSON], [EMAIL]"


def test_the_same_person_keeps_the_stand_in_from_row_to_row(run: Run, tmp_path: Path) -> None:
    rows = [{"text": "Ann Lee in Paris"}, {"text": "at Acme is Ann Lee"}]
    spec = {"ner": str(write_tagger(tmp_path / "tagger")), "action": "pseudonym", "actions": {"organisation": "mask"}}
    first, second = (each["text"] for each in read(run("text-generation", rows, **spec).data).to_pylist())
    assert first.split(" in ")[0] == second.split(" is ")[1]
    assert second.startswith("at [ORGANISATION] is ")
    assert "Paris" not in first
