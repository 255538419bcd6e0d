"""Answers cut from texts: what is learned, windows, rows without an answer, the folder, and what is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.windows import PassageWindows, cuts
from modelmint.evaluation.metrics.answers import measure
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainOutputs
from tests.tiny_base import write_base
from tests.tiny_spans import asked, learner_of, without_padding

Learn = Callable[..., TrainOutputs]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("tiny"), num_spare_tokens=5)


@pytest.fixture
def learn(context: StageContext, desk: StagingDesk, base: Path) -> Learn:
    return learner_of(context, desk, "question-answering", base=str(base))


def _exact(made: TrainOutputs, rows: list[dict[str, Any]]) -> float:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    answers = open_model(made.model.files.folder()).predict(columns)
    return measure(columns, answers, seed=1)["exact_match"]["value"]


def test_it_learns_where_answers_stand(learn: Learn) -> None:
    made = learn(asked(240), asked(60, seed=9), epochs=4)
    assert _exact(made, asked(60, seed=7)) > 0.9


def test_it_answers_with_a_piece_of_the_context_and_its_place(learn: Learn) -> None:
    made = learn(asked(240), asked(60, seed=9), epochs=4)
    rows = {"question": ["the card", "the card"], "context": ["My bank is plastic today", ""]}
    answer, nothing = open_model(made.model.files.folder()).predict(rows)
    assert (answer["answer"], answer["answer_start"]) == ("plastic", 11)
    assert (nothing["answer"], nothing["answer_start"]) == ("", None)


def test_two_runs_give_equal_artifacts(learn: Learn, context: StageContext) -> None:
    first = learn(asked(40), asked(20, seed=9))
    shutil.rmtree(context.checkpoints)
    second = learn(asked(40), asked(20, seed=9))
    assert (first.model.digest, first.training.digest) == (second.model.digest, second.training.digest)


def test_a_run_stopped_at_every_step_gives_equal_artifacts(learn: Learn, context: StageContext) -> None:
    whole = learn(asked(30), asked(20, seed=9))
    shutil.rmtree(context.checkpoints)
    num_stops, pieces = 0, None
    while pieces is None:
        try:
            pieces = learn(asked(30), asked(20, seed=9), context_changes={"deadline_s": 0.0} if num_stops < 4 else {})
        except StageError:
            num_stops += 1
    assert (pieces.model.digest, pieces.training.digest) == (whole.model.digest, whole.training.digest)


def test_the_folder_is_one_that_transformers_opens_with_the_same_numbers(learn: Learn) -> None:
    from transformers import AutoModelForQuestionAnswering

    folder = learn(asked(60), asked(60, seed=9)).model.files.folder()
    model, said = AutoModelForQuestionAnswering.from_pretrained(folder, output_loading_info=True)
    reader = open_model(folder)
    ids = torch.tensor([[2, 5, 3, 6, 7, 3]])
    mask = torch.ones_like(ids)
    with torch.no_grad():
        theirs = model.train(False)(ids, mask)
        ours = reader._model(input_ids=ids, attention_mask=mask)
    assert not said["missing_keys"]
    assert torch.allclose(torch.stack([theirs.start_logits, theirs.end_logits], dim=-1), ours, atol=1e-6)


def test_an_answer_far_behind_in_a_long_context_is_found(learn: Learn) -> None:
    made = learn(asked(240, num_words=40), asked(60, seed=9), epochs=4, max_tokens=16, options={"overlap": 4})
    rows = asked(40, seed=3, num_words=80)
    assert made.training.facts["num_train_windows"] > 300
    assert _exact(made, rows) > 0.9


def test_rows_without_an_answer_teach_to_say_so(learn: Learn) -> None:
    made = learn(asked(240, none_every=3), asked(60, seed=9, none_every=3), epochs=4)
    facts = made.training.facts
    assert facts["num_train_rows_without_answer"] == 80
    assert _exact(made, asked(60, seed=7, none_every=2)) > 0.9


def test_answers_that_do_not_stand_in_their_context_are_left_out_and_counted(learn: Learn) -> None:
    rows = asked(40)
    rows[0]["answer"] = "elsewhere"
    facts = learn(rows, asked(20, seed=9)).training.facts
    assert (facts["num_train_answers_not_in_context"], facts["num_rows"]) == (1, 39)


def test_an_answer_longer_than_the_overlap_may_be_cut_and_is_counted(learn: Learn) -> None:
    rows = asked(40)
    rows[0] = {"question": "the card", "context": "my the is bank " * 8, "answer": "my the is bank " * 8}
    facts = learn(rows, asked(20, seed=9), max_tokens=16, options={"overlap": 2}).training.facts
    assert facts["num_train_answers_cut_by_a_window"] == 1


def test_a_tokenizer_without_a_token_for_padding_will_do(learn: Learn, base: Path, tmp_path: Path) -> None:
    made = learn(asked(240), asked(60, seed=9), epochs=4, base=str(without_padding(base, tmp_path / "b")))
    assert _exact(made, asked(60, seed=7)) > 0.9


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"answer": "elsewhere"}, "answers that stand in their contexts"),
        ({"answer": None}, "answers that stand in their contexts"),
        ({"context": ""}, "a question and a context"),
    ],
)
def test_rows_that_teach_nothing_are_refused(learn: Learn, changes: dict[str, Any], says: str) -> None:
    rows = [{**row, **changes} for row in asked(10)]
    with pytest.raises(DataError, match=says):
        learn(rows, asked(10))


def test_a_knob_that_means_nothing_here_is_refused(learn: Learn) -> None:
    with pytest.raises(InputError, match="class_weights"):
        learn(asked(10), asked(10), class_weights="balanced")


@pytest.mark.parametrize(("num_tokens", "room", "overlap"), [(100, 10, 4), (11, 10, 9), (10, 10, 4), (25, 10, 0)])
def test_windows_judge_every_token_once(num_tokens: int, room: int, overlap: int) -> None:
    found = cuts(num_tokens, room, overlap)
    assert [at for cut in found for at in range(cut.first, cut.last)] == list(range(num_tokens))
    assert all(cut.start <= cut.first and cut.last <= cut.end <= cut.start + room for cut in found)


def test_the_answer_stands_in_the_window_where_it_is_said_to(base: Path) -> None:
    passages = PassageWindows(base, 12, overlap=3, max_question_tokens=4).of(["the card"], ["my the is bank plastic"])
    first, last = passages[-1].span(15, "plastic")
    assert passages[-1].offsets[first - passages[-1].place : last - passages[-1].place + 1] == [(15, 22)]
