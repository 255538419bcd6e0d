"""The forms of rows: what a row's content is, and changing its texts wherever they stand."""

from typing import Any

import pyarrow as pa
import pytest

from modelmint.core.forms import FORMS, MESSAGES, TASKS, contents, labels, map_texts, names_in, text_paths

CHAT = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": None, "tool_calls": "[]"},
    {"role": "assistant", "content": "bye"},
]


def batch_of(task: str, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=FORMS[task].columns)


def upper(texts: list[str | None]) -> list[str | None]:
    return [None if text is None else text.upper() for text in texts]


def test_every_task_has_a_form() -> None:
    assert set(FORMS) == set(TASKS)


@pytest.mark.parametrize(
    ("task", "row", "content"),
    [
        ("text-classification", {"text": "a", "label": "x"}, "a"),
        ("text-pair-classification", {"text": "a", "text_pair": "b", "label": "x"}, "a\nb"),
        ("multi-label-classification", {"text": "a", "labels": ["x"]}, "a"),
        ("text-regression", {"text": "a", "label": 1.0}, "a"),
        ("text2text-generation", {"text": "a", "target": None}, "a\n"),
        ("text-retrieval", {"query": "a", "positive": "b", "negative": None}, "a\nb\n"),
        ("token-classification", {"tokens": ["a", "b"], "tags": ["O", "O"]}, "a b"),
        ("question-answering", {"question": "q", "context": "c", "answer": "c", "answer_start": 0}, "q\nc"),
        ("chat", {"messages": CHAT, "tools": None}, "hi\n\nbye"),
        ("chat", {"messages": None, "tools": None}, ""),
        ("preference", {"prompt": CHAT[:1], "chosen": CHAT[2:], "rejected": []}, "hi\nbye\n"),
    ],
)
def test_the_content_of_a_row_is_its_texts_without_the_label(task: str, row: dict[str, Any], content: str) -> None:
    assert contents(batch_of(task, [row]), FORMS[task]) == [content]


def test_the_content_of_a_table_is_its_cells_by_name_without_label_and_our_columns() -> None:
    batch = pa.RecordBatch.from_pylist([{"_row": "r", "age": 3, "city": "Bonn", "label": "x"}])
    assert contents(batch, FORMS["tabular-classification"]) == ["age=3\x1fcity=Bonn"]


def test_images_with_equal_bytes_have_equal_content() -> None:
    rows = [{"image": b"a", "label": "x"}, {"image": b"a", "label": "y"}, {"image": b"b", "label": "x"}]
    found = contents(batch_of("image-classification", rows), FORMS["image-classification"])
    assert (found[0] == found[1], found[0] == found[2]) == (True, False)


def test_the_label_of_a_sentence_is_its_kinds_of_tags() -> None:
    batch = batch_of("token-classification", [{"tokens": ["a"] * 3, "tags": ["O", "B-PER", "B-LOC"]}])
    assert labels(batch, FORMS["token-classification"]) == ["B-LOC B-PER"]


def test_several_labels_are_joined_in_one_order_and_come_apart() -> None:
    form = FORMS["multi-label-classification"]
    batch = batch_of(form.task, [{"text": "a", "labels": names} for names in (["y", "x", "y"], [], None)])
    assert [names_in(label) for label in labels(batch, form)] == [["x", "y"], [], []]


def test_texts_are_changed_inside_messages_and_nothing_else() -> None:
    batch = pa.RecordBatch.from_pylist(
        [{"messages": CHAT}, {"messages": None}, {"messages": []}, {"messages": CHAT[:1]}],
        schema=pa.schema([("messages", MESSAGES)]),
    ).slice(1)  # a slice has offsets that do not begin at zero
    changed = map_texts(batch, ["messages.content"], upper).to_pylist()
    assert [row["messages"] and [each["content"] for each in row["messages"]] for row in changed] == [None, [], ["HI"]]


def test_a_column_without_strings_is_left_alone() -> None:
    batch = pa.RecordBatch.from_pylist([{"age": 3}])
    assert map_texts(batch, ["age"], upper).to_pylist() == [{"age": 3}]


def test_the_texts_of_a_table_are_its_own_columns() -> None:
    assert text_paths(FORMS["tabular-regression"], ["_row", "city", "label"]) == ("city",)


def test_pairs_of_user_and_item_are_told_apart_by_capitals_and_counted_once() -> None:
    rows = [
        {"user": "a", "item": "x", "time": 1.0},
        {"user": "A", "item": "x"},
        {"user": "a", "item": "x", "time": 2.0},
    ]
    found = contents(batch_of("recommendation", rows), FORMS["recommendation"])
    assert (found[0].casefold() == found[1].casefold(), found[0] == found[2]) == (False, True)
