"""Chats: what is taught, packing, shortening, what is kept of a base, and answers."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.sampling import Sampling
from modelmint.core.stage import StageContext
from modelmint.training.causal import CausalModel, grow, load_causal
from modelmint.training.tasks import open_model
from modelmint.training.tasks.causal_learner import laid_out, losses_of
from modelmint.training.tasks.chat_model import ChatModel, load_chat
from modelmint.training.tasks.chat_rows import ChatTokens, TaughtRow
from modelmint.training.train import TrainOutputs
from tests.tiny_causal import ANSWERS, chats, learner, write_causal

Learn = Callable[..., TrainOutputs]
COLOURS = [[{"role": "user", "content": colour}] for colour in ANSWERS]
TOOLS = json.dumps([{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}])
CALL = json.dumps([{"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}])
CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "one and two?"},
    {"role": "assistant", "content": None, "tool_calls": CALL},
    {"role": "tool", "content": "3"},
    {"role": "assistant", "content": "three"},
    {"role": "user", "content": "and four?"},
    {"role": "assistant", "content": "seven"},
]
CALLED = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call><|im_end|>\n'
PLAIN = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"


@pytest.fixture(scope="session")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_causal(tmp_path_factory.mktemp("causal"))


@pytest.fixture
def learn(context: StageContext, causal: Path) -> Learn:
    return learner(context, causal, task="chat", validation=chats(60, seed=9), learning_rate=1e-2)


@pytest.fixture(scope="session")
def answers(tmp_path_factory: pytest.TempPathFactory, causal: Path) -> ChatModel:
    """A base that was taught nothing: its answers are noise, and long."""
    folder = shutil.copytree(causal, tmp_path_factory.mktemp("untaught") / "model")
    torch.set_num_threads(1)
    tokens, model = ChatTokens(folder), CausalModel(load_causal(folder))
    grow(model.encoder, tokens.num_tokens, like=tokens.base_ends)
    return ChatModel(model, tokens, 100, 0, "answers")


def row_of(folder: Path, chat: Sequence[Any] = CHAT, tools: str | None = TOOLS, loss_on: Any = "answers") -> TaughtRow:
    row = ChatTokens(folder).taught([(chat, tools)], loss_on)[0]
    assert isinstance(row, TaughtRow)
    return row


def said(folder: Path, row: TaughtRow) -> str:
    ids = [token_id for token_id, taught in zip(row.ids, row.taught, strict=True) if taught]
    return str(ChatTokens(folder).tokenizer.decode(ids, skip_special_tokens=False))


def test_it_learns_what_the_assistant_says(learn: Learn) -> None:
    made = learn(chats(200), epochs=6)
    found = open_model(made.model.files.folder()).predict({"messages": COLOURS})
    assert [one["content"] for one in found] == list(ANSWERS.values())
    assert made.training.facts["history"][-1]["validation_answer_loss"] < 0.1


def test_two_runs_give_equal_artifacts(learn: Learn, context: StageContext) -> None:
    first = learn(chats(24))
    shutil.rmtree(context.checkpoints)
    second = learn(chats(24))
    assert (first.model.digest, first.training.digest) == (second.model.digest, second.training.digest)


def test_a_run_stopped_at_every_step_gives_equal_artifacts(learn: Learn, context: StageContext, tmp_path: Path) -> None:
    tied = str(write_causal(tmp_path / "tied", tied=True))
    whole = learn(chats(24), base=tied)
    shutil.rmtree(context.checkpoints)
    for _ in range(2):
        with pytest.raises(StageError):
            learn(chats(24), base=tied, context_changes={"deadline_s": 0.0})
    pieces = learn(chats(24), base=tied)
    assert (pieces.model.digest, pieces.training.digest) == (whole.model.digest, whole.training.digest)


@pytest.mark.parametrize(
    ("loss_on", "expected"),
    [("answers", CALLED + "three<|im_end|>\nseven<|im_end|>\n"), ("last-answer", "seven<|im_end|>\n")],
)
def test_the_loss_counts_what_the_assistant_says(causal: Path, loss_on: str, expected: str) -> None:
    assert said(causal, row_of(causal, loss_on=loss_on)) == expected


def test_everything_can_be_counted(causal: Path) -> None:
    row = row_of(causal, loss_on="everything")
    assert row.num_taught == len(row.ids) - 1


def test_tools_are_read_and_never_taught(causal: Path) -> None:
    row = row_of(causal)
    text = ChatTokens(causal).tokenizer.decode(row.ids, skip_special_tokens=False)
    assert '"function": {"name": "add"' in text
    assert "# Tools" not in said(causal, row)


def test_the_masked_loss_is_that_of_transformers(causal: Path) -> None:
    rows = [row_of(causal, chat["messages"], None) for chat in chats(3)]
    model = CausalModel(load_causal(causal))
    model.encoder.resize_token_embeddings(ChatTokens(causal).num_tokens)
    theirs = [_their_loss(model, row) for row in rows]
    torch.testing.assert_close(torch.tensor(losses_of(model, rows, 0)), torch.tensor(theirs))


def test_tokens_that_are_not_taught_have_no_part_in_the_loss(causal: Path) -> None:
    row = row_of(causal, chats(1)[0]["messages"], None)
    laid = laid_out([row], 0, torch.device("cpu"))
    logits_btv = torch.randn(1, len(row.ids), ChatTokens(causal).num_tokens, requires_grad=True)
    laid.losses(logits_btv).sum().backward()
    moved = logits_btv.grad.abs().sum(dim=2)[0] > 0
    assert moved.tolist() == [*row.taught[1:], False]


def test_packing_changes_nothing_but_rounding(learn: Learn, context: StageContext) -> None:
    packed = learn(chats(30), batch_size=30, max_tokens=150)
    shutil.rmtree(context.checkpoints)
    apart = learn(chats(30), batch_size=30, max_tokens=150, options={"packing": False})
    assert (packed.training.facts["packed"], apart.training.facts["packed"]) == (True, False)
    assert packed.training.facts["curve"][0]["loss"] == pytest.approx(
        apart.training.facts["curve"][0]["loss"], rel=1e-5
    )
    assert packed.training.measured["padding"] < apart.training.measured["padding"]


def test_a_long_chat_loses_its_oldest_turns_and_keeps_the_system(causal: Path) -> None:
    tokens, row = ChatTokens(causal), row_of(causal, CHAT, None)
    short = tokens.shortened(row, CHAT, None, limit=80, loss_on="answers", how="turns")
    text = tokens.tokenizer.decode(short.ids, skip_special_tokens=True)
    assert "Be brief." in text
    assert "one and two?" not in text
    assert (said(causal, short), short.turns, short.lost) == ("seven<|im_end|>\n", 4, len(row.ids) - len(short.ids))


@pytest.mark.parametrize(("how", "kept"), [("left", "n<|im_end|>\n"), ("turns", "se")])
def test_what_is_too_long_in_one_exchange_is_cut(causal: Path, how: Any, kept: str) -> None:
    tokens, chat = ChatTokens(causal), CHAT[-2:]
    row = row_of(causal, chat, None)
    limit = {"left": 3, "turns": len(row.ids) - 5}[how]
    short = tokens.shortened(row, chat, None, limit=limit, loss_on="answers", how=how)
    assert (len(short.ids), said(causal, short), short.lost_taught > 0) == (limit, kept, True)


def test_what_is_cut_is_told(learn: Learn) -> None:
    facts = learn([*chats(8), {"messages": CHAT, "tools": None}], max_tokens=90).training.facts
    assert facts["left_out_or_cut"]["train"]["cut_by_turns"] == 1
    assert facts["left_out_or_cut"]["train"]["tokens_cut"] > 20


def test_chats_without_an_answer_are_left_out_and_counted(learn: Learn) -> None:
    rows = [*chats(8), {"messages": COLOURS[0], "tools": None}, {"messages": [], "tools": None}]
    facts = learn(rows).training.facts
    assert (facts["num_rows"], facts["left_out_or_cut"]["train"]) == (8, {"nothing_to_learn": 2})


def test_rows_of_which_none_teaches_are_refused(learn: Learn) -> None:
    with pytest.raises(DataError, match="of 3 rows none has"):
        learn([{"messages": [], "tools": None}] * 3)


def test_a_base_without_a_template_keeps_chatml_and_gets_its_marks(learn: Learn, causal: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = learn(chats(8)).model.files.folder()
    theirs = AutoTokenizer.from_pretrained(folder)
    given = [{**one, "tool_calls": json.loads(one["tool_calls"])} if "tool_calls" in one else one for one in CHAT]
    text = theirs.apply_chat_template(given, tools=json.loads(TOOLS), tokenize=False)
    assert theirs(text)["input_ids"] == row_of(folder).ids == row_of(causal).ids
    assert len(AutoModelForCausalLM.from_pretrained(folder).get_input_embeddings().weight) == len(theirs)


def test_a_template_without_an_end_gets_that_of_the_base(learn: Learn, tmp_path: Path) -> None:
    base = write_causal(tmp_path / "plain", template=PLAIN)
    assert (
        said(base, row_of(base, COLOURS[0] + [{"role": "assistant", "content": "stop"}], None)) == "stop\n<|endoftext|>"
    )
    made = learn(chats(8), base=str(base))
    assert made.training.facts["template"] == "own"
    assert (made.model.files.folder() / "chat_template.jinja").read_text() == PLAIN


def test_chats_that_the_template_refuses_are_left_out_and_counted(learn: Learn, tmp_path: Path) -> None:
    picky = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + PLAIN
    base = write_causal(tmp_path / "picky", template=picky)
    facts = learn([*chats(8), {"messages": CHAT, "tools": None}], base=str(base)).training.facts
    assert facts["left_out_or_cut"]["train"] == {"refused": 1}


@pytest.mark.parametrize("architecture", ["transformer", "lstm"])
def test_a_model_from_nothing_reads_no_base(learn: Learn, architecture: str) -> None:
    sizes = {"name": architecture, "num_layers": 1, "width": 16} | ({"num_heads": 2} if architecture != "lstm" else {})
    made = learn(chats(24), base="none", architecture=sizes, tokenizer="characters", max_tokens=160)
    model = load_chat(made.model.files.folder())
    assert made.training.facts["packed"] is (architecture == "transformer")
    assert len(model.answer(COLOURS[:1], sampling=Sampling(max_new_tokens=3))) == 1


def test_lora_is_merged_into_a_plain_folder(learn: Learn) -> None:
    made = learn(chats(24), method="lora", learning_rate=1e-3)
    folder = made.model.files.folder()
    assert not any("lora" in name for name in load_file(folder / "model.safetensors"))
    assert made.training.facts["trained_parameters"] < made.training.facts["parameters"]


def test_answers_of_a_tuned_prompt_in_a_batch_are_those_of_each_alone(learn: Learn) -> None:
    model = load_chat(learn(chats(8), method="prompt").model.files.folder())
    sampling = Sampling(max_new_tokens=4)
    assert model.answer(COLOURS, sampling=sampling) == [model.answer([one], sampling=sampling)[0] for one in COLOURS]


@pytest.mark.parametrize("method", ["lora", "prefix"])
def test_a_tuned_model_tells_the_loss_that_training_told(learn: Learn, method: str) -> None:
    made = learn(chats(8), method=method)
    told = [row["messages"] for row in chats(60, seed=9)]
    sums, counts = zip(*load_chat(made.model.files.folder()).losses(told, [None] * 60), strict=True)
    last = made.training.facts["history"][-1]
    assert sum(sums) / sum(counts) == pytest.approx(last["validation_answer_loss"], abs=1e-5)
    assert made.training.facts["packed"] is (method == "lora")


def test_a_prompt_leaves_room_for_the_answer(answers: ChatModel) -> None:
    long = [{"role": "user", "content": "x" * 300}]
    assert len(answers.answer([long], sampling=Sampling(max_new_tokens=200))) == 1


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_answers_in_a_batch_are_those_of_each_alone(answers: ChatModel, temperature: float) -> None:
    sampling = Sampling(max_new_tokens=12, temperature=temperature, top_p=0.9, seed=3)
    asked = [chat["messages"][:1] for chat in chats(2)] + [CHAT[:2]]
    alone = [answers.answer([chat], sampling=sampling)[0] for chat in asked]
    assert answers.answer(asked, sampling=sampling, batch_size=8) == alone


def test_another_seed_draws_another_answer(answers: ChatModel) -> None:
    first, second = (
        answers.answer(COLOURS[:1], sampling=Sampling(max_new_tokens=12, temperature=1.0, seed=seed)) for seed in (1, 2)
    )
    assert first[0]["content"] != second[0]["content"]


def test_the_predictor_tells_the_loss_that_training_told(learn: Learn) -> None:
    made = learn(chats(24))
    rows = {"messages": [row["messages"] for row in chats(60, seed=9)]}
    model = load_chat(made.model.files.folder())
    sums, counts = zip(*model.losses(rows["messages"], [None] * 60), strict=True)
    assert sum(sums) / sum(counts) == pytest.approx(
        made.training.facts["history"][-1]["validation_answer_loss"], abs=2e-6
    )
    assert model.predict({"messages": rows["messages"][:1]})[0]["loss"] == pytest.approx(sums[0], rel=1e-5)


def test_more_tokens_than_the_base_reads_are_refused(learn: Learn) -> None:
    with pytest.raises(InputError, match="at most 160"):
        learn(chats(8), max_tokens=161)


def test_a_base_that_only_reads_is_refused(learn: Learn, base: Path) -> None:
    with pytest.raises(InputError, match="bert reads texts and does not write them"):
        learn(chats(8), base=str(base))


def test_options_of_another_task_are_refused(learn: Learn) -> None:
    with pytest.raises(InputError, match=r"options.beta"):
        learn(chats(8), options={"beta": 1})


def _their_loss(model: CausalModel, row: TaughtRow) -> float:
    labels = [token_id if taught else -100 for token_id, taught in zip(row.ids, row.taught, strict=True)]
    with torch.no_grad():
        found = model.encoder(input_ids=torch.tensor([row.ids]), labels=torch.tensor([labels]))
    return float(found.loss) * row.num_taught
