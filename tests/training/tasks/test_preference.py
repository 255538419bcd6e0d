"""Preferences: margins grow, the reference stays as it was and is asked once, and the losses are those of TRL."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.evaluation.metrics.preferences import measure
from modelmint.training.tasks.chat_model import load_chat
from modelmint.training.tasks.preference_model import load_preference
from modelmint.training.train import TrainOutputs
from tests.tiny_causal import ANSWERS, chats, learner, pairs, write_causal

Learn = Callable[..., TrainOutputs]
LOSSES = ["dpo", "kto", "orpo"]


@pytest.fixture(scope="session")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_causal(tmp_path_factory.mktemp("causal"))


@pytest.fixture
def learn(context: StageContext, causal: Path) -> Learn:
    return learner(context, causal, task="preference", validation=pairs(60, seed=9), learning_rate=3e-3, warmup=0.1)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_margin_of_rewards_grows(learn: Learn, loss: str) -> None:
    history = learn(pairs(48), epochs=4, options={"loss": loss}).training.facts["history"]
    margins = [row["validation_reward_margin"] for row in history]
    assert margins == sorted(margins)
    assert history[-1]["validation_reward_accuracy"] > 0.9


@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_stopped_and_gone_on_with_gives_equal_artifacts(learn: Learn, context: StageContext, loss: str) -> None:
    whole = learn(pairs(24), options={"loss": loss})
    shutil.rmtree(context.checkpoints)
    for _ in range(2):
        with pytest.raises(StageError):
            learn(pairs(24), options={"loss": loss}, context_changes={"deadline_s": 0.0})
    pieces = learn(pairs(24), options={"loss": loss})
    assert (pieces.model.digest, pieces.training.digest) == (whole.model.digest, whole.training.digest)


def test_the_reference_is_asked_once_and_kept(learn: Learn, context: StageContext) -> None:
    with pytest.raises(StageError):
        learn(pairs(24), context_changes={"deadline_s": 0.0})
    [file] = (context.checkpoints / "kept").glob("*.safetensors")
    before = file.stat().st_mtime_ns
    learn(pairs(24))
    assert [one.stat().st_mtime_ns for one in (context.checkpoints / "kept").glob("*.safetensors")] == [before]


def test_the_reference_is_the_base_as_it_was(learn: Learn, context: StageContext, causal: Path) -> None:
    files = {path.name: path.read_bytes() for path in causal.iterdir()}
    made = learn(pairs(24))
    [file] = (context.checkpoints / "kept").glob("*.safetensors")
    rows = {name: [row[name] for row in pairs(24)] for name in ("prompt", "chosen", "rejected")}
    answers = load_preference(made.model.files.folder(), causal).predict(rows)
    said = torch.tensor([answer["chosen"]["reference"] for answer in answers])
    torch.testing.assert_close(load_file(file)["train.chosen"], said, atol=1e-4, rtol=0)
    assert {path.name: path.read_bytes() for path in causal.iterdir()} == files


def test_the_model_tells_what_training_told(learn: Learn, causal: Path) -> None:
    made = learn(pairs(24), options={"beta": 0.2})
    rows = {name: [row[name] for row in pairs(60, seed=9)] for name in ("prompt", "chosen", "rejected")}
    figures = measure(rows, load_preference(made.model.files.folder(), causal).predict(rows), seed=1)
    last = made.training.facts["history"][-1]
    assert figures["reward_accuracy"]["value"] == pytest.approx(last["validation_reward_accuracy"])
    assert 0.2 * figures["reward_margin"]["value"] == pytest.approx(last["validation_reward_margin"], abs=1e-4)


def test_a_chat_model_is_gone_on_from(learn: Learn, context: StageContext, causal: Path) -> None:
    chat = learner(context, causal, task="chat", validation=[])(chats(100), epochs=6, learning_rate=1e-2)
    tuned = learn(pairs(24), start=chat.model, epochs=1, learning_rate=1e-4)
    asked = [[{"role": "user", "content": colour}] for colour in ANSWERS]
    said = [answer["content"] for answer in load_chat(tuned.model.files.folder()).answer(asked)]
    assert said == list(ANSWERS.values())


def test_pairs_that_teach_nothing_are_left_out_and_counted(learn: Learn) -> None:
    [row] = pairs(1)
    rows = [*pairs(24), {**row, "rejected": row["chosen"]}, {**row, "chosen": []}]
    facts = learn(rows).training.facts
    assert facts["num_rows"] == 24
    assert facts["left_out_or_cut"]["train"] == {"alike": 1, "nothing_to_learn": 1}


def test_a_long_prompt_loses_its_oldest_turns_and_a_long_answer_its_end(learn: Learn) -> None:
    [row] = pairs(1)
    turns = [{"role": "user", "content": "x" * 60}, {"role": "assistant", "content": "y"}]
    long_answer = {**row, "rejected": [{"role": "assistant", "content": "z" * 200}]}
    facts = learn([*pairs(8), {**row, "prompt": [*turns, *row["prompt"]]}, long_answer], max_tokens=60).training.facts
    counts = facts["left_out_or_cut"]["train"]
    assert (facts["num_rows"], counts["cut"]) == (10, 2)
    assert counts["tokens_cut"] > 200


def test_rows_without_a_pair_are_refused(learn: Learn) -> None:
    with pytest.raises(DataError, match="of 2 rows none has: 2 nothing_to_learn"):
        learn([{"prompt": [], "chosen": [], "rejected": []}] * 2)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"label_smoothing": 0.1, "options": {"loss": "kto"}}, "label_smoothing: must be 0 with kto"),
        ({"label_smoothing": 0.6}, "label_smoothing: must be below 0.5"),
        ({"options": {"desirable_weight": 2.0}}, "are of kto"),
        ({"options": {"loss": "ppo"}}, "options.loss"),
        ({"head_dropout": 0.1}, "head_dropout: must be left out"),
    ],
)
def test_what_does_not_fit_is_refused(learn: Learn, spec: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        learn(pairs(8), **spec)
