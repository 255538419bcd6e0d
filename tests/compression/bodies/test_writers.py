"""Bodies of chat models: smaller folders that open like the trained one, and write what it writes."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from modelmint.compression.bodies import BodyInputs, BodyOptions, facts_of, make_body
from modelmint.compression.bodies.layers import keep_layers
from modelmint.compression.bodies.neurons import pairs_of
from modelmint.compression.bodies.prompts import prompts_of
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.training.causal import load_causal
from modelmint.training.encoders import load_encoder
from modelmint.training.tasks.chat_model import load_chat
from modelmint.training.tasks.table import read_about
from modelmint.training.train import TrainOutputs
from tests.tiny_causal import ANSWERS, chats, learner, rows_of, write_causal

COLOURS = [[{"role": "user", "content": colour}] for colour in ANSWERS]
TRAIN, HELD_OUT = chats(48), chats(12, seed=9)
Make = Callable[..., Path]
Learn = Callable[..., TrainOutputs]


class Ending(StageContext):
    """A context that ends the stage at its `ends_at`th check."""

    checks, ends_at = 0, 0

    def check(self) -> None:
        type(self).checks += 1
        if self.checks == self.ends_at:
            raise StageError("timeout_s: stopped", parameter="timeout_s")


@pytest.fixture(scope="session")
def trained_chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trained-chat") / "model"


@pytest.fixture
def learn(context: StageContext, tmp_path: Path) -> Learn:
    base = write_causal(tmp_path / "base")
    return learner(context, base, task="chat", validation=HELD_OUT, learning_rate=1e-2, epochs=14)


@pytest.fixture
def teacher(trained_chat: Path, learn: Learn) -> Path:
    """A model that answers all four colours rightly."""
    if not trained_chat.exists():
        shutil.copytree(learn(TRAIN).model.files.folder(), trained_chat)
    return trained_chat


@pytest.fixture
def make(teacher: Path, context: StageContext) -> Make:
    def run(
        name: str,
        *,
        folder: Path = teacher,
        rows: list[dict[str, Any]] = TRAIN,
        unlabelled: Dataset | None = None,
        given: StageContext = context,
        **options: Any,
    ) -> Path:
        shutil.rmtree(context.scratch)
        context.scratch.mkdir()
        inputs = BodyInputs(
            folder=folder,
            train=rows_of(context, "chat", "train", rows),
            validation=rows_of(context, "chat", "validation", HELD_OUT),
            unlabelled=unlabelled,
            options=BodyOptions(**{"epochs": 5, "learning_rate": 1e-2, "max_new_tokens": 12, **options}),
        )
        return make_body(name, inputs, dataclasses.replace(given, num_threads=1))

    return run


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["layers-1", "neurons-50", "neurons-50+layers-1"])
def test_a_body_writes_what_the_model_writes(make: Make, teacher: Path, name: str) -> None:
    folder = make(name)
    assert load_chat(folder).answer(COLOURS) == load_chat(teacher).answer(COLOURS)
    assert facts_of(folder)["parameters"]["after"] < facts_of(folder)["parameters"]["before"]


@pytest.mark.parametrize("name", ["layers-1", "base-transformer"])
def test_a_body_has_the_tokens_and_the_template_of_the_model(make: Make, teacher: Path, name: str) -> None:
    folder = make(name, epochs=1, rows=TRAIN[:16])
    alike = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "modelmint.json")
    assert {one: files_of(folder)[one] for one in alike} == {one: files_of(teacher)[one] for one in alike}


@pytest.mark.slow
def test_a_small_transformer_from_nothing_learns_what_the_model_writes(make: Make) -> None:
    told = facts_of(make("base-transformer", epochs=6, learning_rate=2e-3))["validation"]
    assert told["agreement"] > 0.8


def test_the_facts_tell_what_was_learned_and_how_near_it_came(make: Make) -> None:
    facts = facts_of(make("layers-1", epochs=1))
    num_prompts = sum(len(row["messages"]) // 2 for row in TRAIN)
    answers = {"given": len(TRAIN), "written": num_prompts, "prompts": num_prompts, "cut": 0, "empty": 0, "refused": 0}
    assert facts["steps"][0]["answers"] == answers
    assert set(facts["validation"]) == {"num_rows", "answer_loss", "perplexity", "agreement"}


def test_prompts_without_answers_are_answered_by_the_model(make: Make, dataset: Callable[..., Dataset]) -> None:
    more = dataset([{"text": colour} for colour in ANSWERS] * 5, "unlabelled")
    told = facts_of(make("layers-1", epochs=1, rows=TRAIN[:20], unlabelled=more))["steps"][0]["answers"]
    assert told["written"] == 20 + sum(len(row["messages"]) // 2 for row in TRAIN[:20])


def test_answers_that_come_to_no_end_are_left_out_and_counted(make: Make) -> None:
    told = facts_of(make("layers-1", epochs=1, max_new_tokens=2))["steps"][0]["answers"]
    assert (told["written"], told["cut"]) == (0, told["prompts"])


def test_where_nothing_is_left_to_learn_it_says_why(make: Make) -> None:
    asked = [{"messages": row["messages"][:1], "tools": None} for row in TRAIN]
    with pytest.raises(DataError, match="came to no end"):
        make("layers-1", rows=asked, max_new_tokens=2)


def test_equal_rows_and_seeds_give_equal_folders(make: Make) -> None:
    first = files_of(make("layers-1", epochs=1))
    assert files_of(make("layers-1", epochs=1)) == first


@pytest.mark.parametrize("ends_at", [3, 9], ids=["while the model writes", "in the training"])
def test_one_that_was_stopped_goes_on_to_an_equal_folder(make: Make, context: StageContext, ends_at: int) -> None:
    whole = files_of(make("layers-1", epochs=1))
    fields = {one.name: getattr(context, one.name) for one in dataclasses.fields(context)}
    again = context.checkpoints / "again"
    Ending.checks, Ending.ends_at = 0, ends_at
    with pytest.raises(StageError, match="stopped"):
        make("layers-1", epochs=1, given=Ending(**{**fields, "checkpoints": again}))
    assert list(again.rglob("*.jsonl"))
    assert files_of(make("layers-1", epochs=1, given=dataclasses.replace(context, checkpoints=again))) == whole


def test_what_was_written_is_not_written_again(make: Make, context: StageContext) -> None:
    make("layers-1", epochs=1)
    kept = next(context.checkpoints.rglob("*.jsonl"))
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join([json.dumps({"ids": [0], "end_id": None}) + "\n", *lines[1:-1], lines[-1][:4]]))
    told = facts_of(make("neurons-50", epochs=1))["steps"][0]["answers"]
    assert (told["cut"], told["written"]) == (1, len(lines) - 1)


def test_every_place_where_the_assistant_speaks_is_a_prompt() -> None:
    said = [{"role": role, "content": role} for role in ("system", "user", "assistant", "user", "assistant", "user")]
    assert [len(messages) for messages, _ in prompts_of([(said, None)])] == [2, 4, 6]
    assert [len(messages) for messages, _ in prompts_of([(said[:5], None)], last_only=True)] == [4]


@pytest.mark.parametrize(("name", "match"), [
    ("layers-2", "fewer layers"),
    ("static", "static"),
    ("vocabulary", "every token"),
    ("base-lstm", "base-transformer"),
])  # fmt: skip
def test_what_cannot_be_made_of_a_chat_model_is_refused(make: Make, name: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        make(name)


def test_layers_of_an_lstm_are_refused(make: Make, learn: Learn) -> None:
    lstm = learn(TRAIN[:16], base="none", architecture={"name": "lstm", "width": 16, "num_layers": 2}, epochs=1)
    with pytest.raises(InputError, match="LSTM"):
        make("layers-1", folder=lstm.model.files.folder())


def test_a_tuned_prompt_is_refused(make: Make, learn: Learn) -> None:
    tuned = learn(TRAIN[:16], method="prompt", epochs=1)
    with pytest.raises(InputError, match="tuning is in its weights"):
        make("layers-1", folder=tuned.model.files.folder())


def test_a_model_that_writes_no_chats_is_refused(make: Make, teacher: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(teacher, tmp_path / "texts")
    (folder / "modelmint.json").write_text(json.dumps({**read_about(teacher), "task": "text-generation"}))
    with pytest.raises(InputError, match="text-generation"):
        make("layers-1", folder=folder)


def test_layers_of_gpt2_are_cut_and_neurons_refused(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=40, n_embd=32, n_layer=3, n_head=2, n_positions=16)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "whole")
    keep_layers(tmp_path / "whole", [0, 2], tmp_path / "cut")
    whole, cut = (load_causal(tmp_path / name).state_dict() for name in ("whole", "cut"))
    theirs = {name.replace(".h.2.", ".h.1."): one for name, one in whole.items() if ".h.1." not in name}
    assert all(torch.equal(one, theirs[name]) for name, one in cut.items())
    with pytest.raises(InputError, match="feed-forward"):
        pairs_of(load_encoder(tmp_path / "whole"))
