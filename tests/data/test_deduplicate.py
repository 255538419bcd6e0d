"""Near-copies: what is found, what becomes of it, in every form, against what is known, and what the report says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.data.deduplicate import DeduplicateInputs, DeduplicateOutputs, DeduplicateSpec, deduplicate

from .conftest import reasons_of, rows_of

QUESTION = "How do I activate the new card that came in the post this morning?"
COPY = "how do i activate the new card, that came in the post this mornin"
OTHER = "The exchange rate on my statement is not the one that I was shown."
Rows = list[dict[str, Any]]


@pytest.fixture
def made(desk: StagingDesk) -> Callable[..., Dataset]:
    """``made(rows, task)``: a dataset of that form; `_row` and `label` are added where they are missing."""

    def make(rows: Rows, task: str = "text-classification", prefix: str = "r") -> Dataset:
        filled = [{"_row": f"{prefix}{index}", **row} for index, row in enumerate(rows)]
        if FORMS[task].label == "label" and "label" not in rows[0]:
            filled = [{"label": "a", **row} for row in filled]
        schema = [(name, FORMS[task].columns.field(name).type) for name in FORMS[task].columns.names]
        named = {name for name, _ in schema}
        others = [name for name in filled[0] if name not in named]
        import pyarrow as pa

        table = pa.table(
            {name: pa.array([row.get(name) for row in filled], kind) for name, kind in schema}
            | {name: [row.get(name) for row in filled] for name in others}
        )
        return desk.dataset("data", table, facts={"task": task})

    return make


@pytest.fixture
def done(made: Callable[..., Dataset], context: StageContext) -> Callable[..., DeduplicateOutputs]:
    """``done(rows, task, similarity=...)``: what deduplicate makes of rows; `known` are rows too."""

    def run(
        rows: Rows, task: str = "text-classification", known: Rows | None = None, **spec: Any
    ) -> DeduplicateOutputs:
        inputs = DeduplicateInputs(data=made(rows, task), known=made(known, task, "k") if known else None)
        return deduplicate(DeduplicateSpec(**spec), inputs, context)

    return run


Done = Callable[..., DeduplicateOutputs]


def kept(outputs: DeduplicateOutputs) -> list[str]:
    return tables.column(outputs.data, "_row")


def texts(*given: str) -> Rows:
    return [{"text": text} for text in given]


def test_a_near_copy_is_dropped_and_the_first_is_kept(done: Done) -> None:
    outputs = done(texts(QUESTION, OTHER, COPY))
    assert kept(outputs) == ["r0", "r1"]
    assert reasons_of(outputs.quarantine) == ["near_duplicate"]


def test_quarantine_has_the_whole_row_and_names_the_row_that_is_kept(done: Done) -> None:
    (row,) = rows_of(done(texts(QUESTION, OTHER, COPY)).quarantine)
    assert "r0" in row["detail"]
    assert COPY in row["cells"]


def test_texts_that_are_not_alike_stay(done: Done) -> None:
    assert kept(done(texts(QUESTION, OTHER))) == ["r0", "r1"]


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("我想查询一下我的信用卡账单什么时候到期", "我想查询一下我的信用卡账单什么时候会到期", True),
        ("我想查询一下我的信用卡账单什么时候到期", "请问今天北京的天气怎么样需要带伞吗", False),
        ("ฉันต้องการยกเลิกบัตรเครดิตของฉันวันนี้", "ฉันต้องการยกเลิกบัตรเครดิตของฉันวันนี้ค่ะ", True),
        ("クレジットカードの請求書はいつ届きますか", "クレジットカードの請求書はいつ届きますか?", True),
        ("ok", "no", False),
        ("?!", "...", False),
        ("", " ", False),
    ],
)
def test_scripts_without_spaces_and_very_short_texts(done: Done, one: str, other: str, near: bool) -> None:
    assert (len(kept(done(texts(one, other)))) == 1) is near


def test_long_texts_are_found_by_their_words(done: Done) -> None:
    words = [f"word{number * number % 977}" for number in range(400)]
    edited = [*words[:50], "another", *words[51:300], *words[305:]]
    assert kept(done(texts(" ".join(words), OTHER, " ".join(edited)))) == ["r0", "r1"]


def test_the_longest_copy_is_kept_where_asked_for(done: Done) -> None:
    assert kept(done(texts(COPY, QUESTION), keep="longest")) == ["r1"]


def test_mark_keeps_all_rows_and_gives_copies_one_cluster(done: Done) -> None:
    outputs = done(texts(QUESTION, OTHER, COPY), action="mark")
    assert tables.column(outputs.data, "_cluster") == ["r0", None, "r0"]


def test_a_training_row_near_an_evaluation_row_is_dropped_as_a_leak(done: Done) -> None:
    rows = [{"text": QUESTION, "_split": "train"}, {"text": COPY, "_split": "test"}, {"text": OTHER, "_split": "train"}]
    outputs = done(rows)
    assert kept(outputs) == ["r1", "r2"]
    assert reasons_of(outputs.quarantine) == ["near_leak"]


def test_evaluation_rows_stay_and_a_validation_row_near_a_test_row_is_reported(done: Done) -> None:
    rows = [
        {"text": QUESTION, "_split": "validation"},
        {"text": COPY, "_split": "test"},
        {"text": COPY + "g", "_split": "test"},
        {"text": OTHER, "_split": "train"},
    ]
    outputs = done(rows)
    assert kept(outputs) == ["r0", "r1", "r2", "r3"]
    assert outputs.deduplication.facts["leaks"]["validation_near_test"] == 1


def test_more_leaks_than_allowed_block(done: Done) -> None:
    rows = [{"text": QUESTION, "_split": "train"}, {"text": COPY, "_split": "test"}, {"text": OTHER, "_split": "train"}]
    assert "1 training near evaluation" in done(rows, max_leaks=0).deduplication.facts["refused"][0]


def test_as_many_leaks_as_allowed_do_not_block(done: Done, tmp_path: Path) -> None:
    rows = [{"text": QUESTION, "_split": "train"}, {"text": COPY, "_split": "test"}, {"text": OTHER, "_split": "train"}]
    assert done(rows, max_leaks=1).deduplication.facts["refused"] == []


def test_rows_near_what_is_known_are_dropped(done: Done) -> None:
    outputs = done(texts(OTHER, QUESTION), known=texts(COPY))
    assert kept(outputs) == ["r0"]
    assert "k0" in rows_of(outputs.quarantine)[0]["detail"]


def test_an_evaluation_row_near_what_is_known_stays_and_is_counted(done: Done) -> None:
    rows = [{"text": QUESTION, "_split": "test"}, {"text": OTHER, "_split": "train"}]
    outputs = done(rows, known=texts(COPY))
    assert kept(outputs) == ["r0", "r1"]
    assert outputs.deduplication.facts["leaks"]["evaluation_near_known"] == 1


def test_a_training_row_near_a_known_evaluation_row_is_a_leak(done: Done) -> None:
    known = [{"text": COPY, "_split": "test"}, {"text": OTHER, "_split": "train"}]
    outputs = done(texts(QUESTION, OTHER, "Nothing like either."), known=known, max_leaks=0)
    assert reasons_of(outputs.quarantine) == ["near_leak", "near_known"]
    assert "1 training near evaluation" in outputs.deduplication.facts["refused"][0]


def test_a_known_test_set_that_split_made_counts_as_one(made: Callable[..., Dataset], context: StageContext) -> None:
    test = replace(made(texts(COPY), prefix="k"), name="test")
    inputs = DeduplicateInputs(data=made(texts(QUESTION, OTHER)), known=test)
    outputs = deduplicate(DeduplicateSpec(max_leaks=0), inputs, context)
    assert outputs.deduplication.facts["leaks"]["training_near_evaluation"] == 1


def test_a_test_row_near_a_known_one_is_counted_once(done: Done) -> None:
    rows = [{"text": QUESTION, "_split": "validation"}, {"text": OTHER, "_split": "train"}]
    outputs = done(rows, known=[{"text": COPY, "_split": "test"}], max_leaks=0)
    assert outputs.deduplication.facts["refused"] == [
        "max_leaks: at most 0 rows may leak; there are 1 (1 evaluation near known)"]  # fmt: skip


def test_known_of_another_form_is_refused(made: Callable[..., Dataset], context: StageContext) -> None:
    inputs = DeduplicateInputs(
        data=made(texts(QUESTION)), known=made([{"question": "a", "context": "b"}], "question-answering")
    )
    with pytest.raises(DataError, match="known: must be of the form text-classification"):
        deduplicate(DeduplicateSpec(), inputs, context)


def test_nothing_left_is_refused(done: Done) -> None:
    with pytest.raises(DataError, match="no row is left"):
        done(texts(QUESTION), known=texts(COPY))


def test_copies_with_different_labels_stay_and_are_reported(done: Done) -> None:
    rows = [{"text": QUESTION, "label": "activate"}, {"text": COPY, "label": "lost"}, {"text": COPY, "label": "lost"}]
    outputs = done(rows)
    assert kept(outputs) == ["r0", "r1"]
    assert outputs.deduplication.facts["conflicts"] == {"rows": 3, "clusters": 1}


def test_copies_with_different_labels_go_where_asked_for(done: Done) -> None:
    rows = [{"text": QUESTION, "label": "a"}, {"text": COPY, "label": "b"}, {"text": OTHER, "label": "a"}]
    outputs = done(rows, conflicts="drop")
    assert reasons_of(outputs.quarantine) == ["label_conflict", "label_conflict"]
    assert "r1" in rows_of(outputs.quarantine)[0]["detail"]


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


CONTEXT = "The tower was built in 1889 and was for long the highest building that people had ever made."
SYSTEM = message("system", "You are the assistant of a bank. Be short, be kind, and never promise anything to anyone.")
FORMS_AND_ROWS: list[tuple[str, Rows, list[str]]] = [
    (
        "question-answering",  # two questions about one paragraph are no copies
        [
            {"question": "When was the tower built?", "context": CONTEXT},
            {"question": "How high is it today?", "context": CONTEXT},
            {"question": "when was the tower built", "context": CONTEXT + "!"},
        ],
        ["r0", "r1"],
    ),
    (
        "text-pair-classification",
        [
            {"text": QUESTION, "text_pair": OTHER},
            {"text": QUESTION, "text_pair": CONTEXT},
            {"text": COPY, "text_pair": OTHER},
        ],
        ["r0", "r1"],
    ),
    ("text2text-generation", [{"text": QUESTION, "target": OTHER}, {"text": COPY, "target": OTHER}], ["r0"]),
    ("text-generation", texts(QUESTION, COPY), ["r0"]),
    ("token-classification", [{"tokens": QUESTION.split()}, {"tokens": COPY.split()}], ["r0"]),
    (
        "chat",  # one system message says nothing about the chats
        [
            {"messages": [SYSTEM, message("user", QUESTION), message("assistant", OTHER)]},
            {"messages": [SYSTEM, message("user", "Hello"), message("assistant", "Good morning")]},
            {"messages": [SYSTEM, message("user", COPY), message("assistant", OTHER)]},
        ],
        ["r0", "r1"],
    ),
    (
        "preference",
        [
            {"prompt": [message("user", QUESTION)], "chosen": [message("assistant", OTHER)], "rejected": [message("assistant", "No.")]},
            {"prompt": [message("user", COPY)], "chosen": [message("assistant", OTHER)], "rejected": [message("assistant", "No.")]},
            {"prompt": [message("user", COPY)], "chosen": [message("assistant", CONTEXT)], "rejected": [message("assistant", "No.")]},
        ],
        ["r0", "r2"],
    ),
    ("image-classification", [{"image": b"one"}, {"image": b"two"}, {"image": b"one"}], ["r0", "r1"]),
    ("audio-classification", [{"audio": b"one"}, {"audio": b"two"}, {"audio": b"one"}], ["r0", "r1"]),
]  # fmt: skip


@pytest.mark.parametrize(("task", "rows", "left"), FORMS_AND_ROWS, ids=[task for task, *_ in FORMS_AND_ROWS])
def test_every_form_is_compared_part_by_part(done: Done, task: str, rows: Rows, left: list[str]) -> None:
    assert kept(done(rows, task)) == left


def test_the_page_shows_both_texts_escaped(done: Done) -> None:
    outputs = done(texts("<b>" + QUESTION, OTHER, COPY))
    with outputs.deduplication.files.open("report.html") as stream:
        page = stream.read().decode()
    assert "&lt;b&gt;How do I activate" in page
    assert COPY in page


def test_the_same_rows_in_other_batches_give_the_same_digest(
    made: Callable[..., Dataset], context: StageContext, tmp_path: Path
) -> None:
    data = made(texts(*(f"{word} {QUESTION}" for word in ("a", "b", "c")), OTHER))
    (tmp_path / "again").mkdir()
    first = deduplicate(DeduplicateSpec(), DeduplicateInputs(data=data), context)
    again = deduplicate(DeduplicateSpec(), DeduplicateInputs(data=data), replace(context, scratch=tmp_path / "again"))
    assert (first.data.digest, first.deduplication.digest) == (again.data.digest, again.deduplication.digest)


def test_a_dataset_without_rows_is_refused(desk: StagingDesk, context: StageContext) -> None:
    import pyarrow as pa

    schema = pa.schema([("_row", pa.string()), ("text", pa.string()), ("label", pa.string())])
    empty = desk.dataset("data", [], schema=schema, facts={"task": "text-classification"})
    with pytest.raises(DataError, match="no rows"):
        deduplicate(DeduplicateSpec(), DeduplicateInputs(data=empty), context)


def test_a_large_set_has_the_planted_copies_and_no_others(done: Done) -> None:
    rows = texts(*(f"{number * 7919 % 100003} parcels left depot {number * 104729 % 99991} bound for {number}" for number in range(2000)))  # fmt: skip
    planted = [{"text": row["text"].upper() + "!"} for row in rows[::10]]
    outputs = done(rows + planted)
    assert outputs.quarantine.num_rows == 200
