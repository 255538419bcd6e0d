"""Preflight of every task's rows, with no training to look ahead to, and what its findings refuse."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import InputError
from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Report
from modelmint.data.preflight import PreflightInputs, PreflightSpec, preflight
from tests.tiny_base import write_base

Looked = Callable[..., Report]
SAYS = [{"role": "user", "content": "my card please"}, {"role": "assistant", "content": "the cash is here today"}]
EXAMPLES: dict[str, dict[str, Any]] = {
    "text-classification": {"text": "my card", "label": "x"},
    "text-pair-classification": {"text": "my card", "text_pair": "the cash", "label": "x"},
    "multi-label-classification": {"text": "my card", "labels": ["x", "y"]},
    "text-regression": {"text": "my card", "label": 1.5},
    "text-generation": {"text": "my card"},
    "text2text-generation": {"text": "my card", "target": "the cash"},
    "text-retrieval": {"query": "my card", "positive": "the cash", "negative": None},
    "token-classification": {"tokens": ["my", "card"], "tags": ["O", "B-X"]},
    "question-answering": {"question": "my card", "context": "the cash", "answer": "cash", "answer_start": 4},
    "chat": {"messages": SAYS},
    "preference": {"prompt": SAYS[:1], "chosen": SAYS[1:], "rejected": SAYS[1:]},
    "tabular-classification": {"age": 3, "city": "Rome", "label": "x"},
    "tabular-regression": {"age": 3, "city": "Rome", "label": 1.5},
    "image-classification": {"image": b"not looked into", "label": "x"},
    "audio-classification": {"audio": b"not looked into", "label": "x"},
    "recommendation": {"user": "u1", "item": "i1", "rating": 4.0, "time": 0.0},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_base(tmp_path_factory.mktemp("words")))


@pytest.fixture
def looked(desk: StagingDesk, context: StageContext) -> Looked:
    """``looked("chat", rows, licences=["MIT"], base=..., gates=...)``: preflight's report of rows of a task."""

    def run(
        task: str, rows: list[dict[str, Any]], *, licences: tuple[str, ...] = (), near: bool = False, **spec: Any
    ) -> Report:
        form = FORMS[task]
        numbered = [{"_row": f"r{at}", **row} for at, row in enumerate(rows)]
        names = {name for row in numbered for name in row}
        schema = None
        if not task.startswith("tabular"):
            fields = [pa.field("_row", pa.string()), *form.columns, pa.field("_split", pa.string())]
            schema = pa.schema([field for field in fields if field.name in names])
        data = desk.dataset(
            task, pa.Table.from_pylist(numbered, schema=schema), facts={"task": task}, licences=licences
        )
        return preflight(PreflightSpec(near=near, **spec), PreflightInputs(data=data), context).preflight

    return run


def page_of(report: Report) -> str:
    with report.files.open("report.html") as stream:
        return stream.read().decode()


@pytest.mark.parametrize("task", FORMS)
@pytest.mark.parametrize("with_base", [True, False])
def test_every_task_is_looked_at_and_has_a_page(looked: Looked, base: str, task: str, with_base: bool) -> None:
    report = looked(task, [EXAMPLES[task]] * 3, base=base if with_base else None)
    assert (report.facts["rows"], report.facts["task"], report.facts["duplicates"]) == (3, task, 2)
    assert "<h1>Preflight</h1>" in page_of(report)


@pytest.mark.parametrize("task", ["image-classification", "tabular-regression", "recommendation"])
def test_no_base_is_asked_for_where_rows_are_not_cut_into_tokens(looked: Looked, task: str) -> None:
    report = looked(task, [EXAMPLES[task]] * 3, gates={"truncated": 0})
    assert "set `base`" not in page_of(report)
    assert f"{task} is not cut into tokens" in str(report.facts["refused"])


@pytest.mark.parametrize("task", ["text-generation", "chat", "preference", "question-answering"])
def test_a_task_without_labels_is_not_refused_for_having_none(looked: Looked, base: str, task: str) -> None:
    facts = looked(task, [EXAMPLES[task]], base=base).facts
    assert (facts["labels"], facts["conflicts"], facts["refused"]) == ({}, {}, [])


def test_entities_are_counted_by_kind(looked: Looked) -> None:
    rows = [
        {"tokens": list("abcd"), "tags": ["B-X", "I-X", "B-X", "O"]},
        {"tokens": list("ab"), "tags": ["I-Y", "I-Y"]},
    ]
    assert looked("token-classification", rows).facts["labels"]["counts"] == {"X": 2, "Y": 1}


def test_tags_that_are_all_outside_are_refused(looked: Looked) -> None:
    facts = looked("token-classification", [{"tokens": ["a"], "tags": ["O"]}]).facts
    assert facts["refused"] == ["at least 1 kind of entity is needed to train; every tag is O"]


def test_the_numbers_of_a_regression_are_described(looked: Looked) -> None:
    rows = [{"age": at, "label": float(at)} for at in (1, 2, 3)]
    numbers = looked("tabular-regression", rows).facts["labels"]["numbers"]
    assert numbers == {"min": 1.0, "max": 3.0, "mean": 2.0, "deviation": 0.816497}


def test_labels_are_counted_one_by_one_where_a_row_has_several(looked: Looked) -> None:
    rows = [{"text": f"card {at}", "labels": ["x", "y"][: at % 3]} for at in range(6)]
    assert looked("multi-label-classification", rows).facts["labels"]["counts"] == {"x": 4, "y": 2}


def test_rows_with_the_same_labels_in_another_order_are_in_no_conflict(looked: Looked) -> None:
    rows = [{"text": "card", "labels": names} for names in (["x", "y"], ["y", "x"])]
    assert looked("multi-label-classification", rows).facts["conflicts"]["rows"] == 0


def test_rows_of_one_text_with_other_labels_are_in_conflict(looked: Looked) -> None:
    rows = [{"text": "card", "labels": names} for names in (["x", "y"], ["y"])]
    conflicts = looked("multi-label-classification", rows).facts["conflicts"]
    assert (conflicts["rows"], conflicts["examples"][0]["labels"]) == (2, ["x | y", "y"])


def test_the_numbers_of_texts_are_described(looked: Looked) -> None:
    rows = [{"text": f"card {at}", "label": float(at)} for at in (1, 2, 3)]
    assert looked("text-regression", rows).facts["labels"]["numbers"]["mean"] == 2.0


def test_records_of_a_table_with_two_labels_are_in_conflict(looked: Looked) -> None:
    rows = [{"age": 3, "label": "x"}, {"age": 3, "label": "y"}, {"age": 4, "label": "x"}]
    assert looked("tabular-classification", rows).facts["conflicts"]["rows"] == 2


def test_leaks_are_found_in_chats(looked: Looked) -> None:
    rows = [{"messages": SAYS, "_split": "train"}, {"messages": SAYS, "_split": "test"}]
    assert looked("chat", rows, gates={"leaks": 0}).facts["refused"] == ["leaks: must be <= 0; it is 1 of 1"]


def test_near_leaks_are_found_beside_the_exact_ones(looked: Looked) -> None:
    text = "when will the new card that I ordered last week be sent to my address in town"
    rows = [
        {"text": text, "label": "x", "_split": "train"},
        {"text": f"{text}!", "label": "x", "_split": "test"},
        {"text": text.replace("week", "month"), "label": "x", "_split": "test"},
        {"text": "something else altogether about loans", "label": "y", "_split": "train"},
    ]
    near = looked("text-classification", rows, near=True).facts["near"]
    assert (near["leaks"], near["evaluation"], near["examples"][0]["training_row"]) == (2, 2, "r0")


def test_too_many_rows_for_near_copies_are_said_and_block_their_gate(looked: Looked) -> None:
    rows = [{"text": f"text {at}", "label": "xy"[at % 2]} for at in range(5)]
    facts = looked("text-classification", rows, near=True, max_rows_compared=4, gates={"near_leaks": 0}).facts
    assert "more than 4 rows" in facts["refused"][0]


def test_personal_data_is_counted_and_can_refuse(looked: Looked) -> None:
    rows = [{"text": "write to ann.lee@example.org", "label": "x"}, {"text": "hello there", "label": "y"}]
    facts = looked("text-classification", rows, gates={"personal_data": 0}).facts
    assert facts["personal"] == {"looked_at": 2, "rows": 1, "found": {"email": 1}}
    assert facts["refused"] == ["personal_data: must be <= 0; it is 1 of 2"]


def test_a_language_that_the_base_does_not_know_is_counted(looked: Looked, base: str) -> None:
    german = "Wann wird die neue Karte, die ich letzte Woche bestellt habe, an meine Adresse geschickt?"
    english = "When will the new card that I ordered last week be sent to my address?"
    rows = [{"text": german, "label": "x"}, {"text": english, "label": "y"}]
    facts = looked("text-classification", rows, base=base, gates={"language_unknown": "<= 10%"}).facts
    assert (facts["languages"]["share"], facts["languages"]["foreign"]) == (0.5, ["de"])
    assert facts["refused"] == ["language_unknown: must be <= 10%; it is 50.00% (1 of 2)"]


@pytest.mark.parametrize(
    ("licences", "verdict"), [(["CC-BY-NC-4.0"], "no"), (["CC-BY-4.0"], "conditions"), ([], "unknown")]
)
def test_the_licence_of_the_data_is_judged(looked: Looked, base: str, licences: list[str], verdict: str) -> None:
    rows = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
    facts = looked(
        "text-classification", rows, licences=tuple(licences), base=base, gates={"licence": "sellable"}
    ).facts
    assert (facts["licences"]["may_be_sold"], bool(facts["refused"])) == (verdict, verdict != "conditions")


def test_the_licence_of_the_base_is_judged(looked: Looked, tmp_path: Path) -> None:
    folder = write_base(tmp_path / "base")
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-sa-4.0\n---\n")
    facts = looked("text-generation", [{"text": "card"}], licences=("CC0-1.0",), base=str(folder)).facts
    assert facts["licences"]["why"].startswith("the base's licence (CC-BY-NC-SA-4.0)")


def test_a_gate_on_lost_targets_refuses(looked: Looked, base: str) -> None:
    facts = looked(
        "text-generation", [{"text": "card " * 20}], base=base, max_tokens=12, gates={"targets_lost": "<= 5%"}
    ).facts
    assert facts["refused"] == ["targets_lost: must be <= 5%; it is 50.00% (10 of 20)"]


@pytest.mark.parametrize("name", ["truncated", "targets_lost", "suspects", "estimate_cost"])
def test_what_cannot_be_computed_blocks(looked: Looked, name: str) -> None:
    condition = "<= 1 USD" if name == "estimate_cost" else 0
    (refused,) = looked("text-generation", [{"text": "card"}], gates={name: condition}).facts["refused"]
    assert refused.endswith("and a gate that cannot be computed blocks")


def test_a_gate_of_an_unknown_name_is_refused_when_the_recipe_is_read() -> None:
    with pytest.raises(ValueError, match="Did you mean 'truncated'"):
        PreflightSpec(gates={"trunkated": 0})


def test_an_unknown_base_is_refused(looked: Looked) -> None:
    with pytest.raises(InputError, match="base"):
        looked("text-generation", [{"text": "card"}], base="no-such-base")


def test_what_is_measured_stays_out_of_the_facts(looked: Looked, base: str) -> None:
    from modelmint.training.spec import TrainSpec

    rows = [{"text": f"my card {at}", "label": "xy"[at % 2]} for at in range(8)]
    train = TrainSpec(base=base, max_tokens=16, batch_size=4, min_steps=0)
    report = looked("text-classification", rows, train=train, suspects=False, gates={"estimate_seconds": "<= 3600"})
    (gate,) = report.facts["gates"]
    assert (gate["passed"], gate["value"]) == (True, None)
    assert report.measured["gates"]["estimate_seconds"] == report.measured["estimate"]["seconds"]


def test_the_page_shows_gates_lengths_and_escapes_what_rows_say(looked: Looked, base: str) -> None:
    rows = [
        {"messages": [{"role": "user", "content": "<script>card</script>"}, {"role": "assistant", "content": "cash"}]}
    ]
    page = page_of(looked("chat", rows, base=base, gates={"leaks": 0}))
    assert "<script>" not in page
    assert all(word in page for word in ("Gates", "Tokens a row", "<mark>", "ChatML stands in", "no legal advice"))


def test_facts_are_the_same_a_second_time(looked: Looked, base: str) -> None:
    rows = [EXAMPLES["chat"]] * 3
    first, second = looked("chat", rows, base=base), looked("chat", rows, base=base)
    assert json.dumps(first.facts) == json.dumps(second.facts)
