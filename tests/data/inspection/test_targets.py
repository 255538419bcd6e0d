"""How long rows of each task are, and how much of what they teach lies beyond the limit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modelmint.core.forms import FORMS
from modelmint.data.inspection.lengths import Lengths
from tests.tiny_base import write_base

Measured = Callable[..., Lengths]
PICKY = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{{ m.role + ' ' + m.content + ' ' }}{% endfor %}"
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base whose tokens are whole words, [CLS] and [SEP] about them; its words are those of `tiny_base`."""
    return write_base(tmp_path_factory.mktemp("words"))


@pytest.fixture
def measured(base: Path) -> Measured:
    """``measured("chat", rows, max_tokens=8)``: lengths of rows, two at a time."""

    def run(
        task: str, rows: list[dict[str, Any]], *, max_tokens: int = 8, folder: Path = base, stride: int = 1
    ) -> Lengths:
        form = FORMS[task]
        lengths = Lengths(base=str(folder), max_tokens=max_tokens, form=form, stride=stride)
        for start in range(0, len(rows), 2):
            part = [{name: row.get(name) for name in form.columns.names} for row in rows[start : start + 2]]
            lengths.see(pa.RecordBatch.from_pylist(part, schema=form.columns))
        return lengths

    return run


def words(num: int) -> str:
    return " ".join(["card"] * num)


def chat(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def lost(lengths: Lengths) -> tuple[Any, ...]:
    targets = lengths.targets()
    return targets["unit"], targets["total"], targets["lost"], targets["rows_untrainable"]


def test_a_pair_is_as_long_as_both_and_the_special_tokens(measured: Measured) -> None:
    lengths = measured("text-pair-classification", [{"text": words(2), "text_pair": words(3)}], max_tokens=6)
    assert (lengths.tokens()["max"], lengths.truncated()["rows"]) == (2 + 3 + 2, 1)


def test_of_a_classification_no_target_is_lost(measured: Measured) -> None:
    assert lost_of_labels(measured("text-classification", [{"text": words(50), "label": "x"}])) == ("", 0)


def lost_of_labels(lengths: Lengths) -> tuple[str, int]:
    return lengths.targets()["unit"], lengths.targets()["rows_untrainable"]


def test_tokens_beyond_the_limit_are_lost_to_a_language_model(measured: Measured) -> None:
    assert lost(measured("text-generation", [{"text": words(10)}, {"text": words(3)}])) == ("tokens", 13, 4, 0)


def test_target_tokens_beyond_the_limit_are_lost(measured: Measured) -> None:
    rows = [{"text": words(2), "target": words(9)}, {"text": words(20), "target": words(2)}]
    lengths = measured("text2text-generation", rows)
    assert (lost(lengths), lengths.truncated()["rows"]) == (("target tokens", 11, 3, 0), 1)


def test_tags_beyond_the_limit_are_lost(measured: Measured) -> None:
    tags = ["B-X", "I-X", "O", "O", "O", "B-Y", "B-Z", "O"]
    assert lost(measured("token-classification", [{"tokens": ["card"] * 8, "tags": tags}])) == ("entity tags", 4, 1, 0)


def test_a_word_that_is_cut_in_its_middle_keeps_its_tag(measured: Measured) -> None:
    row = {"tokens": ["card"] * 5 + ["cards", "card"], "tags": ["O"] * 5 + ["B-X", "B-Y"]}
    assert lost(measured("token-classification", [row])) == ("entity tags", 2, 1, 0)


def test_answers_outside_the_window_are_lost(measured: Measured) -> None:
    context = f"{words(4)} cash {words(4)} loan"
    rows = [
        {"question": words(1), "context": context, "answer": "cash", "answer_start": context.index("cash")},
        {"question": words(1), "context": context, "answer": "loan", "answer_start": context.index("loan")},
        {"question": words(1), "context": context, "answer": None, "answer_start": None},
        {"question": words(1), "context": context, "answer": "", "answer_start": -1},
    ]
    assert lost(measured("question-answering", rows)) == ("answers", 2, 1, 1)


def test_what_the_assistant_says_beyond_the_limit_is_lost(measured: Measured, tmp_path: Path) -> None:
    folder = with_template(tmp_path, "{% for m in messages %}{{ m.content + ' ' }}{% endfor %}")
    rows = [
        chat(("user", words(3)), ("assistant", words(4))),
        chat(("user", words(6)), ("assistant", words(4))),
        chat(("user", words(9)), ("assistant", words(2))),
        chat(("user", words(2))),
    ]
    assert lost(measured("chat", rows, folder=folder)) == ("assistant tokens", 10, 4, 2)


def test_both_answers_of_a_preference_are_taught(measured: Measured, tmp_path: Path) -> None:
    folder = with_template(tmp_path, "{% for m in messages %}{{ m.content + ' ' }}{% endfor %}")
    says = [{"role": "assistant", "content": words(3)}]
    longer = [{"role": "assistant", "content": words(8)}]
    row = {"prompt": [{"role": "user", "content": words(2)}], "chosen": says, "rejected": longer}
    lengths = measured("preference", [row], folder=folder)
    assert (lost(lengths), lengths.tokens()["max"]) == (("answer tokens", 11, 2, 0), 10)


def test_the_template_is_shown_at_work_on_two_rows(measured: Measured, tmp_path: Path) -> None:
    folder = with_template(tmp_path, "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")
    rows = [chat(("user", "card"), ("assistant", "cash"))] * 3
    template = measured("chat", rows, folder=folder).template()
    assert (template["own"], len(template["shown"])) == (True, 2)
    assert template["shown"][0] == {"text": "<user>card<assistant>cash", "taught": [[10, 25]]}


def test_a_base_without_a_template_is_said(measured: Measured) -> None:
    template = measured("chat", [chat(("user", "card"), ("assistant", "cash"))]).template()
    assert (template["own"], template["shown"][0]["text"][:16]) == (False, "<|im_start|>user")


def test_chats_that_the_template_refuses_are_counted_and_not_measured(measured: Measured, tmp_path: Path) -> None:
    rows = [chat(("system", "card"), ("assistant", "cash")), chat(("user", "card"), ("assistant", "cash"))]
    lengths = measured("chat", rows, folder=with_template(tmp_path, PICKY))
    template = lengths.template()
    assert (template["refused"], "no system role" in template["says"]) == (1, True)
    assert (lengths.tokens()["rows_measured"], lengths.targets()["rows_untrainable"]) == (1, 1)


def test_rows_that_hold_no_token_of_the_base_cannot_be_learned(measured: Measured) -> None:
    lengths = measured("text-generation", [{"text": "ᚠᚢᚦ"}, {"text": ""}, {"text": "card"}])
    assert (lengths.targets()["rows_untrainable"], lengths.tokens()["rows_without_token"]) == (2, 2)


def test_what_is_measured_on_a_part_is_scaled_up(measured: Measured) -> None:
    rows = [{"text": words(10) if at % 2 else words(1)} for at in range(40)]
    lengths = measured("text-generation", rows, stride=5)
    assert (lengths.tokens()["rows_measured"], lengths.truncated()["rows"]) == (8, 20)


@pytest.mark.parametrize(
    "task", ["tabular-classification", "tabular-regression", "image-classification", "audio-classification"]
)
def test_rows_without_text_are_not_measured(measured: Measured, task: str) -> None:
    row = {"label": 1.0 if task == "tabular-regression" else "x", "image": b"", "audio": b""}
    lengths = measured(task, [row])
    assert (lengths.tokens(), lengths.truncated(), lengths.targets(), lengths.template()) == ({}, {}, {}, {})


def with_template(tmp_path: Path, template: str) -> Path:
    folder = write_base(tmp_path / "base")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    return folder
