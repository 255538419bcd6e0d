"""Splits of every form of rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.forms import FORMS, TASKS
from modelmint.core.stage import StageContext
from modelmint.core.tables import column
from modelmint.data.split import SplitInputs, SplitOutputs, SplitSpec, split

SETS = ("train", "validation", "test")
NUM_ROWS = 120


@pytest.fixture
def divided(desk: StagingDesk, context: StageContext) -> Callable[..., SplitOutputs]:
    def run(task: str, rows: list[dict[str, Any]], **spec: Any) -> SplitOutputs:
        schema = FORMS[task].columns
        given = [{"_row": f"r{number}", **row} for number, row in enumerate(rows)]
        others = pa.Table.from_pylist(
            [{name: cell for name, cell in row.items() if name not in schema.names} for row in given]
        )
        table = pa.Table.from_pylist(given, schema=pa.schema([*others.schema, *schema]))
        return split(SplitSpec(**spec), SplitInputs(data=desk.dataset("data", table, facts={"task": task})), context)

    return run


Divided = Callable[..., SplitOutputs]


def row_of(task: str, number: int) -> dict[str, Any]:
    """A row of that form with a content of its own."""
    text, label = f"content {number}", "ab"[number % 2]
    chat = [{"role": "user", "content": text}, {"role": "assistant", "content": "yes"}]
    return {
        "text-classification": {"text": text, "label": label},
        "text-pair-classification": {"text": text, "text_pair": "other", "label": label},
        "multi-label-classification": {"text": text, "labels": ["a", "b"][: number % 3]},
        "text-regression": {"text": text, "label": float(number)},
        "text-generation": {"text": text},
        "text2text-generation": {"text": text, "target": "x"},
        "text-retrieval": {"query": text, "positive": "other", "negative": None},
        "token-classification": {"tokens": text.split(), "tags": ["O", "B-PER" if number % 3 else "O"]},
        "question-answering": {"question": "who?", "context": text, "answer": "c", "answer_start": 0},
        "chat": {"messages": chat},
        "preference": {"prompt": chat[:1], "chosen": chat[1:], "rejected": chat[1:]},
        "tabular-classification": {"age": number, "town": "x", "label": label},
        "tabular-regression": {"age": number, "label": float(number)},
        "image-classification": {"image": text.encode(), "label": label},
        "audio-classification": {"audio": text.encode(), "label": label},
        "recommendation": {"user": f"u{number % 7}", "item": f"i{number}", "rating": None, "time": float(number)},
    }[task]


@pytest.mark.parametrize("task", TASKS)
def test_every_form_is_split_without_losing_or_parting_rows(divided: Divided, task: str) -> None:
    rows = [row_of(task, number // 2) for number in range(NUM_ROWS)]  # every row twice
    outputs = divided(task, rows)
    places = {name: side for side in SETS for name in column(getattr(outputs, side), "_row")}
    assert len(places) == NUM_ROWS
    assert all(places[f"r{number}"] == places[f"r{number + 1}"] for number in range(0, NUM_ROWS, 2))


def test_a_regression_is_stratified_by_its_target(divided: Divided) -> None:
    random = np.random.default_rng(0)
    rows = [{"age": number, "label": float(random.lognormal(0, 2))} for number in range(1000)]
    targets = np.array([row["label"] for row in rows])
    test = np.array(column(divided("tabular-regression", rows, test=0.1).test, "label"))
    shares = [np.mean(test <= np.quantile(targets, level)) for level in (0.1, 0.5, 0.9)]
    assert shares == pytest.approx([0.1, 0.5, 0.9], abs=0.02)


def test_rows_of_several_labels_are_stratified_by_their_rarest(divided: Divided) -> None:
    labels = {0: ["common", "rare"], 1: ["common"]}
    rows = [{"text": f"text {number}", "labels": labels[min(number % 20, 1)]} for number in range(400)]
    assert divided("multi-label-classification", rows, test=0.1).test.facts["labels"] == {"common": 40, "rare": 2}


def test_texts_with_numbers_are_stratified_by_the_number(divided: Divided) -> None:
    rows = [{"text": f"text {number}", "label": float(number)} for number in range(400)]
    test = column(divided("text-regression", rows, test=0.1).test, "label")
    assert np.mean(np.array(test) < 200) == 0.5


def test_sentences_are_stratified_by_the_kinds_of_their_entities(divided: Divided) -> None:
    tags = {0: ["B-PER", "I-PER"], 1: ["B-LOC", "O"]}
    rows = [{"tokens": ["word", str(number)], "tags": tags.get(number % 20, ["O", "O"])} for number in range(400)]
    assert divided("token-classification", rows).test.facts["labels"] == {"LOC": 3, "PER": 3}


def test_questions_of_one_context_can_be_kept_together(divided: Divided) -> None:
    rows = [row_of("question-answering", number // 8) | {"question": f"q{number}"} for number in range(400)]
    outputs = divided("question-answering", rows, together=["context"])
    contexts = [set(column(getattr(outputs, side), "context")) for side in SETS]
    assert sum(map(len, contexts)) == 50


def test_folds_of_chats_partition_them(divided: Divided) -> None:
    rows = [row_of("chat", number) for number in range(NUM_ROWS)]
    tests = [column(divided("chat", rows, folds=4, fold=fold).test, "_row") for fold in range(4)]
    assert [len(one) for one in tests] == [30] * 4


def behaviour(user: str, times: list[float]) -> list[dict[str, Any]]:
    return [{"user": user, "item": f"{user}-{time:g}", "rating": None, "time": time} for time in times]


def test_the_last_of_each_user_is_test_and_the_one_before_it_validation(divided: Divided) -> None:
    rows = [*behaviour("ann", [5, 1, 9, 7]), *behaviour("Ann", [3, 2, 1]), *behaviour("bob", [2, 1])]
    outputs = divided("recommendation", rows, time="time", each="user")
    assert set(column(outputs.test, "item")) == {"ann-9", "Ann-3"}
    assert set(column(outputs.validation, "item")) == {"ann-7", "Ann-2"}


def test_the_last_of_each_user_does_not_depend_on_the_order_of_the_rows(divided: Divided) -> None:
    rows = [row for user in "abc" for row in behaviour(user, [1, 2, 2, 2]) + behaviour(user * 2, [1, 1, 1])]
    rows = [row | {"item": f"{row['item']}-{at}"} for at, row in enumerate(rows)]
    found = [
        sorted(column(divided("recommendation", one, time="time", each="user").test, "item"))
        for one in (rows, rows[::-1])
    ]
    assert found[0] == found[1]


def test_each_without_time_is_refused() -> None:
    with pytest.raises(ValueError, match="each: needs time"):
        SplitSpec(each="user")
