"""Names by a model: what its labels mean, where its finds stand, and which folders are refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modelmint.core.errors import InputError
from modelmint.data.personal.ner import TokenClassifier, folder_digest, meant
from tests.tiny_tagger import LABELS, edit_config, write_tagger


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tagger(tmp_path_factory.mktemp("tagger"))


@pytest.fixture(scope="module")
def find(folder: Path) -> Callable[[str], list[tuple[str, str]]]:
    tagger = TokenClassifier(folder)
    return lambda text: [(span.kind, text[span.start : span.end]) for span in tagger.find([text])[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My name is Ann Lee in Paris.", [("person", "Ann Lee"), ("place", "Paris")]),
        ("我是张三在上海", [("person", "张三"), ("place", "上海")]),
        ("at Acme Acme", [("organisation", "Acme"), ("organisation", "Acme")]),
        ("Smiths", [("person", "Smiths")]),  # a word is found whole, whatever its pieces
        ("nobody", []),
        ("", []),
    ],
)
def test_finds_stand_where_the_words_do(
    find: Callable[[str], list[tuple[str, str]]], text: str, expected: list[tuple[str, str]]
) -> None:
    assert find(text) == expected


def test_a_text_longer_than_the_window_is_read_to_its_end(find: Callable[[str], list[tuple[str, str]]]) -> None:
    text = " ".join(f"{'is ' * at}Ann Lee" for at in range(30))
    assert find(text) == [("person", "Ann Lee")] * 30


def test_many_texts_at_once_are_found_as_one_by_one(folder: Path) -> None:
    tagger, texts = TokenClassifier(folder), ["in Paris", "", "is " * 50 + "Lee", "nobody", "Acme is in 上海"]
    assert tagger.find(texts) == [tagger.find([text])[0] for text in texts]


def test_meanings_can_be_given_and_labels_ignored() -> None:
    assert meant(["O", "B-X", "I-Y"], {"X": "person", "Y": "ignore"}) == [None, "person", None]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (LABELS, {"person", "place", "organisation"}),
        (["O", "B-name", "I-company", "B-government", "B-address", "I-scene"], {"person", "organisation", "address", "place"}),
        (["O", "GPE", "PERSON"], {"place", "person"}),
        (["O", "S-nr", "E-ns"], {"person", "place"}),
    ],
)  # fmt: skip
def test_labels_of_well_known_models_are_understood(labels: list[str], expected: set[str]) -> None:
    assert {kind for kind in meant(labels, {}) if kind} == expected


@pytest.mark.parametrize(
    ("meanings", "message"),
    [
        ({}, "none of the model's labels is known: LABEL_0, LABEL_1"),
        ({"LABEL_1": "hero"}, "must give each label one of"),
        ({"LABEL_9": "person"}, "must name labels of the model"),
    ],
)
def test_labels_without_a_meaning_are_refused(meanings: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        meant(["LABEL_0", "LABEL_1"], meanings)


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    folder = write_tagger(tmp_path / "tagger")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"ner: must be a folder with .* has no model\.safetensors"):
        TokenClassifier(folder)


def test_a_model_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    folder = write_tagger(tmp_path / "tagger")
    edit_config(folder, auto_map={"AutoModelForTokenClassification": "evil.Model"})
    with pytest.raises(InputError, match="brings no code of its own"):
        TokenClassifier(folder)


def test_a_base_that_has_not_learnt_to_tag_is_refused(tmp_path: Path) -> None:
    from transformers import BertModel

    folder = write_tagger(tmp_path / "tagger")
    config = (folder / "config.json").read_text()
    BertModel.from_pretrained(folder).save_pretrained(folder)
    (folder / "config.json").write_text(config)
    with pytest.raises(InputError, match="has no weights classifier"):
        TokenClassifier(folder)


def test_the_digest_changes_with_the_model(folder: Path, tmp_path: Path) -> None:
    other = write_tagger(tmp_path / "other", num_positions=20)
    assert folder_digest(folder) != folder_digest(other)
    assert folder_digest(folder) == folder_digest(folder)
