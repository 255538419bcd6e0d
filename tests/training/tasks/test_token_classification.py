"""Tags of words: what is learned, windows, mended tags, the folder, and what is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.tags import decode
from modelmint.evaluation.metrics.entities import measure
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainOutputs
from tests.tiny_base import write_base
from tests.tiny_spans import learner_of, sentences, without_padding

Learn = Callable[..., TrainOutputs]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("tiny"), num_spare_tokens=5)


@pytest.fixture
def learn(context: StageContext, desk: StagingDesk, base: Path) -> Learn:
    return learner_of(context, desk, "token-classification", base=str(base))


def _f1(made: TrainOutputs, rows: list[dict[str, list[str]]]) -> float:
    answers = open_model(made.model.files.folder()).predict({"tokens": [row["tokens"] for row in rows]})
    return measure({"tags": [row["tags"] for row in rows]}, answers, seed=1)["f1"]["value"]


def test_it_learns_what_the_tags_mean(learn: Learn) -> None:
    made = learn(sentences(240), sentences(60, seed=9), epochs=4)
    assert _f1(made, sentences(60, seed=7)) > 0.9


def test_it_answers_with_tags_and_the_entities_that_they_make(learn: Learn) -> None:
    made = learn(sentences(240), sentences(60, seed=9), epochs=4)
    (answer,) = open_model(made.model.files.folder()).predict({"tokens": [["my", "card", "chip", "is"]]})
    (entity,) = answer["entities"]
    assert answer["tags"] == ["O", "B-card", "I-card", "O"]
    assert (entity["type"], entity["start"], entity["end"], entity["text"]) == ("card", 1, 3, "card chip")


def test_two_runs_give_equal_artifacts(learn: Learn, context: StageContext) -> None:
    first = learn(sentences(40), sentences(20, seed=9))
    shutil.rmtree(context.checkpoints)
    second = learn(sentences(40), sentences(20, seed=9))
    assert (first.model.digest, first.training.digest) == (second.model.digest, second.training.digest)


def test_a_run_stopped_at_every_step_gives_equal_artifacts(learn: Learn, context: StageContext) -> None:
    whole = learn(sentences(30), sentences(20, seed=9))
    shutil.rmtree(context.checkpoints)
    num_stops, pieces = 0, None
    while pieces is None:
        try:
            late = {"deadline_s": 0.0} if num_stops < 4 else {}
            pieces = learn(sentences(30), sentences(20, seed=9), context_changes=late)
        except StageError:
            num_stops += 1
    assert (pieces.model.digest, pieces.training.digest) == (whole.model.digest, whole.training.digest)


def test_the_folder_is_one_that_transformers_opens_with_the_same_numbers(learn: Learn) -> None:
    from transformers import AutoModelForTokenClassification

    folder = learn(sentences(60), sentences(60, seed=9)).model.files.folder()
    model, said = AutoModelForTokenClassification.from_pretrained(folder, output_loading_info=True)
    tagger = open_model(folder)
    (window,) = tagger._windows.of([["my", "card"]])
    ids = torch.tensor([window.token_ids])
    mask = torch.ones_like(ids)
    with torch.no_grad():
        theirs, ours = model.train(False)(ids, mask).logits, tagger._model(input_ids=ids, attention_mask=mask)
    assert not said["missing_keys"]
    assert torch.allclose(theirs, ours, atol=1e-6)


def test_a_row_longer_than_the_base_reads_is_tagged_to_its_end(learn: Learn) -> None:
    rows = sentences(240, num_words=30)
    made = learn(rows, sentences(60, seed=9), epochs=4, max_tokens=12, options={"overlap": 4})
    long = [word for row in sentences(20, seed=5) for word in row["tokens"]]
    tags = [tag for row in sentences(20, seed=5) for tag in row["tags"]]
    assert made.training.facts["num_train_windows"] > len(rows)
    assert _f1(made, [{"tokens": long, "tags": tags}]) > 0.9


def test_broken_tags_are_mended_and_counted(learn: Learn) -> None:
    rows = sentences(40)
    at = rows[0]["tags"].index(next(tag for tag in rows[0]["tags"] if tag.startswith("B-")))
    rows[0]["tags"][at] = "O"
    facts = learn(rows, sentences(20, seed=9)).training.facts
    assert facts["num_train_tags_mended"] == 1


def test_tags_that_say_the_ends_of_entities_are_read_as_bio(learn: Learn) -> None:
    rows = [{**row, "tags": [tag.replace("I-", "E-") for tag in row["tags"]]} for row in sentences(40)]
    facts = learn(rows, sentences(20, seed=9)).model.facts
    assert facts["tags"] == ["O", *(f"{letter}-{name}" for name in ("card", "cash", "loan", "rate") for letter in "BI")]


def test_tags_that_are_no_entities_are_scored_word_by_word(learn: Learn) -> None:
    rows = [{**row, "tags": [tag[2:] or "filler" for tag in row["tags"]]} for row in sentences(120)]
    made = learn(rows, rows[:60], epochs=4)
    assert made.training.facts["history"][-1]["validation_accuracy"] > 0.9
    assert set(measure({"tags": [["a"]]}, [{"tags": ["a"]}], seed=1)) == {"accuracy", "row_accuracy"}


def test_decoding_never_answers_what_bio_does_not_allow() -> None:
    scores = np.log(np.array([[0.6, 0.1, 0.3], [0.3, 0.1, 0.6], [0.1, 0.1, 0.8]], np.float32))
    greedy, best = (decode(scores, ["O", "B-x", "I-x"], are_entities=one)[0] for one in (False, True))
    assert greedy == ["O", "I-x", "I-x"]
    assert best == ["O", "B-x", "I-x"]


def test_what_an_earlier_model_knows_of_a_tag_is_kept_when_tags_are_added(learn: Learn, context: StageContext) -> None:
    few = [row for row in sentences(400) if {"B-card", "B-loan"} & set(row["tags"])]
    first = learn(few, few[:60], epochs=4)
    shutil.rmtree(context.checkpoints)
    more = learn(sentences(16), sentences(60, seed=9), start=first.model, epochs=1, learning_rate=1e-7)
    assert more.model.facts["tags"][1:3] == ["B-card", "I-card"]
    assert _f1(more, [row for row in few if "B-card" in row["tags"]]) > 0.9


def test_words_that_the_tokenizer_drops_are_outside_and_counted(learn: Learn) -> None:
    rows = sentences(40)
    rows[0] = {"tokens": ["", "card", "chip"], "tags": ["O", "B-card", "I-card"]}
    made = learn(rows, sentences(20, seed=9))
    (answer,) = open_model(made.model.files.folder()).predict({"tokens": [["", "my"]]})
    assert made.training.facts["num_train_words_without_token"] == 1
    assert (len(answer["tags"]), answer["tags"][0]) == (2, "O")


def test_new_types_of_entities_in_validation_count_as_not_found(learn: Learn) -> None:
    validation = [{"tokens": ["my", "card"], "tags": ["O", "B-new"]}] * 60
    facts = learn(sentences(40), validation).training.facts
    assert facts["num_validation_words_of_new_tags"] == 60
    assert facts["history"][-1]["validation_f1"] == 0


def test_a_tokenizer_without_a_token_for_padding_will_do(learn: Learn, base: Path, tmp_path: Path) -> None:
    made = learn(sentences(240), sentences(60, seed=9), epochs=4, base=str(without_padding(base, tmp_path / "b")))
    assert _f1(made, sentences(60, seed=7)) > 0.9


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"tokens": ["my"], "tags": ["O"]}], "at least two different tags"),
        ([{"tokens": ["my"], "tags": []}], "a tag for each token"),
        ([{"tokens": ["", ""], "tags": ["O", "B-x"]}], "words that the base reads"),
    ],
)
def test_rows_that_teach_nothing_are_refused(learn: Learn, rows: list[dict[str, list[str]]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        learn(rows, rows)


def test_more_tokens_than_the_base_reads_are_refused(learn: Learn) -> None:
    with pytest.raises(InputError, match="max_tokens"):
        learn(sentences(10), sentences(10), max_tokens=64)


def test_chinese_characters_are_tokens_of_a_model_from_nothing(learn: Learn) -> None:
    rows = [{"tokens": list(f"{name}在{place}"), "tags": ["B-p", "I-p", "O", "B-l", "I-l"]}
            for name in ("张三", "李四") for place in ("上海", "北京")] * 30  # fmt: skip
    small = {"name": "transformer", "num_layers": 1, "width": 32, "num_heads": 2}
    made = learn(rows, rows[:60], base="none", tokenizer="characters", architecture=small, epochs=6)
    (answer,) = open_model(made.model.files.folder()).predict({"tokens": [list("李四在上海")]})
    assert [one["text"] for one in answer["entities"]] == ["李四", "上海"]
