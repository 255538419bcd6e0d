"""Hugging Face folders: the lines in their README, with nothing of ours imported, give the answers of the model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelmint.core.errors import InputError
from modelmint.core.types import Model
from modelmint.training.tasks import open_model
from tests.compression.exports.conftest import Trained, Walk, run_readme
from tests.tiny_base import questions
from tests.tiny_causal import chats, write_causal
from tests.tiny_spans import asked, sentences
from tests.tiny_texts import numbers, pairs, sets

WORDS = ["the", "plastic", "card"]


@pytest.mark.parametrize(
    ("form", "rows", "given", "named"),
    [
        ("text-classification", questions(48), {"text": ["the plastic card", "cash notes"]}, "label"),
        ("text-pair-classification", pairs(48), {"text": ["one text"], "text_pair": ["another"]}, "label"),
        ("multi-label-classification", sets(48), {"text": ["the plastic card", "cash notes"]}, "labels"),
        ("token-classification", sentences(48), {"tokens": [WORDS]}, "tags"),
        (
            "question-answering",
            asked(48),
            {"question": ["which card"], "context": ["the plastic card will please"]},
            "answer",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_lines_of_the_readme_answer_as_the_model_does(
    form: str,
    rows: list[dict[str, Any]],
    given: dict[str, list[Any]],
    named: str,
    trained: Trained,
    walk: Walk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = trained(form, rows, epochs=2, learning_rate=3e-3).model
    walk(model, tmp_path / "out", "hf")
    ours = [answer[named] for answer in open_model(model.files.folder()).predict(given)]
    theirs = run_readme(tmp_path / "out", monkeypatch)
    assert theirs == (ours if named in ("label", "labels") else ours[0])


def test_a_number_comes_in_the_unit_of_the_rows(
    trained: Trained, walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained("text-regression", numbers(48)).model
    walk(model, tmp_path / "out", "hf")
    ours = open_model(model.files.folder()).predict({"text": ["the plastic card", "cash notes"]})
    assert np.allclose(run_readme(tmp_path / "out", monkeypatch), [one["value"] for one in ours], rtol=1e-4)


def test_an_embedding_is_opened_by_sentence_transformers(
    trained: Trained, walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained("text-classification", questions(48), task="text-embedding").model
    walk(model, tmp_path / "out", "hf")
    ours = open_model(model.files.folder()).predict({"text": ["a text", "another text"]})
    assert np.allclose(run_readme(tmp_path / "out", monkeypatch), [one["embedding"] for one in ours], atol=1e-5)


def test_a_writer_is_opened_with_its_template_and_goes_on_alike(
    trained: Trained, walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained(
        "chat", chats(32), base=write_causal(tmp_path / "causal"), learning_rate=1e-2, epochs=3, max_tokens=128
    ).model
    walk(model, tmp_path / "out", "hf")
    row = {
        "messages": [[{"role": "user", "content": "red"}, {"role": "assistant", "content": "stop"}]],
        "tools": [None],
    }
    (ours,) = open_model(model.files.folder()).predict(row)
    assert run_readme(tmp_path / "out", monkeypatch).strip()[:4] == ours["content"].strip()[:4]


def test_a_reranker_gives_the_scores_of_the_model(
    trained: Trained, walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{**row, "label": "right" if at % 2 else "wrong"} for at, row in enumerate(pairs(48))]
    model = trained("text-pair-classification", rows, task="text-reranking").model
    walk(model, tmp_path / "out", "hf")
    ours = open_model(model.files.folder()).scores(["my card"] * 2, ["the plastic card", "cash notes"])  # type: ignore[attr-defined]
    assert np.allclose(run_readme(tmp_path / "out", monkeypatch), ours, atol=1e-4)


@pytest.mark.slow
def test_a_translator_writes_what_the_model_writes(
    trained: Trained, walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"text": row["text"], "target": row["label"]} for row in questions(64)]
    small = {"architecture": {"name": "transformer", "num_layers": 1, "width": 32, "num_heads": 2}, "base": "none"}
    model = trained("text2text-generation", rows, tokenizer="words", epochs=3, **small).model
    walk(model, tmp_path / "out", "hf")
    (ours,) = open_model(model.files.folder()).predict({"text": ["a text"]})
    assert run_readme(tmp_path / "out", monkeypatch) == [ours["text"]]


@pytest.mark.slow
def test_a_model_of_hidden_words_and_one_that_writes_are_opened(
    trained: Trained, walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"text": row["text"]} for row in questions(64)]
    small = {"architecture": {"name": "transformer", "num_layers": 1, "width": 32, "num_heads": 2}, "base": "none"}
    for task, tokenizer in (("masked-language-model", "words"), ("text-generation", "characters")):
        model = trained("text-generation", rows, task=task, tokenizer=tokenizer, **small).model
        walk(model, tmp_path / task, "hf")
        found = run_readme(tmp_path / task, monkeypatch)
        assert len(found) == 5 if task == "masked-language-model" else found


def test_the_folder_says_how_long_a_text_may_be(trained: Trained, walk: Walk, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = trained("text-classification", questions(48), max_tokens=12).model
    walk(model, tmp_path / "out", "hf")
    long = "card notes " * 30
    theirs = SentenceTransformer(str(tmp_path / "out"), device="cpu").encode([long])
    assert np.allclose(theirs, open_model(model.files.folder()).logits([long]), atol=1e-4)  # type: ignore[attr-defined]


def test_a_model_whose_parts_cannot_be_merged_is_refused(trained: Trained, walk: Walk, tmp_path: Path) -> None:
    model = trained("text-classification", questions(32), method={"name": "prompt", "num_tokens": 4}).model
    with pytest.raises(InputError, match="must be adapter for a model tuned by prompt"):
        walk(model, tmp_path / "out", "hf")


def test_a_network_that_transformers_does_not_know_is_refused(trained: Trained, walk: Walk, tmp_path: Path) -> None:
    model = trained("text-classification", questions(32), base="none", architecture="text-cnn").model
    with pytest.raises(InputError, match="hf needs a family that transformers knows"):
        walk(model, tmp_path / "out", "hf")


def test_merged_says_whether_there_was_something_to_merge(classifier: Model, walk: Walk, tmp_path: Path) -> None:
    told = walk(classifier, tmp_path / "out", "merged")
    assert "no adapter to merge" in " ".join(told["notes"])


def test_the_card_has_front_matter_figures_and_licences(trained: Trained, walk: Walk, tmp_path: Path) -> None:
    import yaml

    walk(trained("text-classification", questions(32)).model, tmp_path / "out", "hf")
    text = (tmp_path / "out" / "README.md").read_text()
    front = yaml.safe_load(text.partition("---\n")[2].partition("---\n")[0])
    assert (front["license"], front["pipeline_tag"]) == ("mit", "text-classification")
    assert "CC-BY-4.0" in (tmp_path / "out" / "LICENCES.md").read_text()


def test_the_mark_holds_no_path_of_this_machine(classifier: Model, walk: Walk, tmp_path: Path) -> None:
    walk(classifier, tmp_path / "out", "hf")
    told = [
        path.read_text(errors="replace") for path in (tmp_path / "out").rglob("*") if path.suffix in (".json", ".md")
    ]
    assert not any(str(tmp_path) in text for text in told)
    assert json.loads((tmp_path / "out" / "export.json").read_text())["format"] == "hf"
