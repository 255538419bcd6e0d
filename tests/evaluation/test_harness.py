"""harness: a tiny real model of texts and one of chats are asked tasks with their own rows; strangers' code never runs."""

import dataclasses
import json
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelmint.core.errors import StageError
from modelmint.core.stage import StageContext
from modelmint.core.tables import read
from modelmint.core.types import Model
from modelmint.evaluation.harness import HarnessInputs, HarnessOutputs, HarnessSpec, fingerprint, harness
from modelmint.training.tasks.language_model import load_language_model
from tests.tiny_causal import ANSWERS, chats, learner, write_causal

pytest.importorskip("lm_eval")

from modelmint.evaluation.harnessed.asked import AskedModel  # needs lm-eval

Ask = Callable[..., HarnessOutputs]
NUM_ROWS = 24


@dataclasses.dataclass
class Request:
    """What lm-eval hands to a model."""

    args: tuple[Any, ...]


SILENT: Any = SimpleNamespace(check=lambda: None, say=lambda *_: None, seed=17)
CHOICES = """
task: colours
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{colour}}:"
doc_to_target: "{{choices.index(answer)}}"
doc_to_choice: "{{choices}}"
target_delimiter: " "
metric_list:
- {metric: acc, aggregation: mean, higher_is_better: true}
- {metric: acc_norm, aggregation: mean, higher_is_better: true}
"""
TEXTS = """
task: texts
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list:
- {metric: bits_per_byte}
- {metric: word_perplexity}
"""
WRITTEN = """
task: written
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{colour}}:"
doc_to_target: " {{answer}}"
generation_kwargs: {until: [";"], max_gen_toks: 24}
metric_list:
- {metric: exact_match, aggregation: mean, higher_is_better: true}
- {metric: bleu, aggregation: bleu, higher_is_better: true}
"""


def texts(num: int, seed: int = 0) -> list[str]:
    dice = random.Random(seed)
    colours = [dice.choices(sorted(ANSWERS), k=3) for _ in range(num)]
    return ["".join(f"{one}: {ANSWERS[one]};" for one in three) for three in colours]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three tasks over the same rows."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    dice, rows = random.Random(1), []
    for text in texts(NUM_ROWS, seed=5):
        colour = dice.choice(sorted(ANSWERS))
        rows.append({"colour": colour, "answer": ANSWERS[colour], "choices": sorted(ANSWERS.values()), "text": text})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, text in (("colours", CHOICES), ("texts", TEXTS), ("written", WRITTEN)):
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of what was trained by a test before, so that each is trained once."""
    return {}


@pytest.fixture
def writer(context: StageContext, tmp_path: Path, trained: dict[str, Path], tmp_path_factory: Any) -> Model:
    """Knows what is said of each colour."""
    if "writer" not in trained:
        learn = learner(
            context,
            write_causal(tmp_path / "base"),
            task="text-generation",
            validation=[{"text": text} for text in texts(8, seed=9)],
            max_tokens=64,
            learning_rate=1e-2,
        )
        model = learn([{"text": text} for text in texts(160)], epochs=6, options={"packing": "rows"}).model
        trained["writer"] = tmp_path_factory.mktemp("kept") / "writer"
        shutil.copytree(model.files.folder(), trained["writer"])
    return context.desk.model("writer", trained["writer"], facts={"task": "text-generation"})


@pytest.fixture
def talker(context: StageContext, tmp_path: Path, trained: dict[str, Path], tmp_path_factory: Any) -> Model:
    """Was taught to answer a colour, a little."""
    if "talker" not in trained:
        base = write_causal(tmp_path / "chat base")
        learn = learner(context, base, task="chat", validation=chats(8, seed=9), max_tokens=150, learning_rate=1e-2)
        trained["talker"] = tmp_path_factory.mktemp("kept") / "talker"
        shutil.copytree(learn(chats(120), epochs=4).model.files.folder(), trained["talker"])
    return context.desk.model("talker", trained["talker"], facts={"task": "chat"})


@pytest.fixture
def ask(context: StageContext, folder: Path, writer: Model) -> Ask:
    def run(*tasks: str, model: Model = writer, **spec: Any) -> HarnessOutputs:
        return harness(
            HarnessSpec(tasks=tasks, **{"include": str(folder), **spec}), HarnessInputs(model=model), context
        )

    return run


def test_what_the_model_knows_it_chooses_and_writes(ask: Ask) -> None:
    metrics = ask("colours", "written").harness.facts["metrics"]
    assert metrics["colours/acc"]["value"] == metrics["written/exact_match"]["value"] == 1.0
    assert (metrics["colours/acc"]["n"], metrics["colours/acc"]["low"] < 0.9) == (NUM_ROWS, True)


def test_figures_have_standard_errors_and_intervals_that_hold_them(ask: Ask) -> None:
    one = ask("texts").harness.facts["metrics"]["texts/bits_per_byte"]
    assert one["low"] < one["value"] < one["high"]
    assert 0 < one["stderr"] < (one["high"] - one["low"])


def test_bits_per_byte_are_those_of_the_model_s_own_score(ask: Ask, writer: Model, folder: Path) -> None:
    rows = [json.loads(line)["text"] for line in (folder / "rows.jsonl").read_text().splitlines()]
    model = load_language_model(writer.files.folder())
    by_tokens = model.by_tokens()
    ends = by_tokens.likely([([*by_tokens.start, *by_tokens.encode(row)], model.stop_ids) for row in rows])
    assert max(len(by_tokens.encode(row)) for row in rows) <= model.max_tokens  # each is one window
    told = sum(loss for loss, _ in model.score(rows)) + sum(one.log_probability for one in ends)
    found = ask("texts").harness.facts["metrics"]["texts/bits_per_byte"]["value"]
    assert found == pytest.approx(told / math.log(2) / sum(len(row.encode()) for row in rows), abs=2e-6)


def test_a_text_longer_than_the_model_reads_is_told_of_whole(writer: Model) -> None:
    model = load_language_model(writer.files.folder())
    asked = model.by_tokens().reading(32)
    (long,) = texts(1, seed=3)
    lm = AskedModel(asked, SILENT, templated=False)
    (found,) = lm.loglikelihood_rolling([Request((long * 4,))])
    ids, alone = asked.encode(long * 4), [*asked.start]
    windows = [(alone, ids[:32])] + [
        (ids[max(0, at - (32 - len(ids[at : at + 32])) - 1) : at], ids[at : at + 32]) for at in range(32, len(ids), 32)
    ]
    assert found == pytest.approx(sum(one.log_probability for one in asked.likely(windows)), abs=1e-4)


def test_choices_are_as_likely_as_the_model_finds_them_one_by_one(writer: Model) -> None:
    import torch

    asked = load_language_model(writer.files.folder()).by_tokens()
    pairs = [("red:", " stop"), ("red:", " go"), ("amber: ", "wait"), ("", "blue")]
    found = AskedModel(asked, SILENT, templated=False).loglikelihood([Request(pair) for pair in pairs])
    for (context, told), (value, greedy) in zip(pairs, found, strict=True):
        ids = [*asked.start, *asked.encode(context + told)]
        with torch.no_grad():
            logits = asked.model(input_ids=torch.tensor([ids]))[0, :-1].log_softmax(dim=-1)
        num = len(asked.encode(context + told)) - len(asked.encode(context.rstrip()))  # blanks at its end go on
        alone = [float(logits[at - 1, ids[at]]) for at in range(len(ids) - num, len(ids))]
        best = [int(logits[at - 1].argmax()) == ids[at] for at in range(len(ids) - num, len(ids))]
        assert (value, greedy) == (pytest.approx(sum(alone), abs=1e-4), all(best))


def test_a_chat_model_is_asked_by_its_template(ask: Ask, talker: Model) -> None:
    made = ask("written", model=talker, num_fewshot=1)
    asked = read(made.answers, ["asked"]).column("asked").to_pylist()[0]
    assert made.harness.facts["chat_template"] is True
    assert (asked.count("<|im_start|>user"), asked.endswith("<|im_start|>assistant\n")) == (2, True)


def test_a_chat_model_is_asked_plainly_where_that_is_wanted(ask: Ask, talker: Model) -> None:
    made = ask("written", model=talker, chat_template=False)
    assert read(made.answers, ["asked"]).column("asked").to_pylist()[0].endswith(":")


def test_answers_stop_at_the_task_s_mark(ask: Ask) -> None:
    said = read(ask("written").answers, ["answer"]).column("answer").to_pylist()
    assert not any(";" in one for one in said)


def test_examples_and_a_limit_are_as_asked(ask: Ask) -> None:
    made = ask("colours", num_fewshot=2, limit=7, max_tokens=100)
    asked = read(made.answers, ["asked"]).column("asked").to_pylist()
    assert (len(asked), asked[0].count("\n\n")) == (7, 2)


def test_the_likeliest_choice_is_kept_with_the_others(ask: Ask) -> None:
    row = read(ask("colours", limit=1).answers).to_pylist()[0]
    answer = json.loads(row["answer"])
    assert (answer["likeliest"].strip(), len(answer["log_probabilities"])) == (ANSWERS[row["asked"][:-1]], 4)


def test_questions_that_are_cut_are_told_of(ask: Ask) -> None:
    facts = ask("colours", num_fewshot=9).harness.facts
    assert facts["num_cut"] == facts["num_asked"] == NUM_ROWS * len(ANSWERS)
    assert "cut" in [one["name"] for one in facts["warnings"]]


def test_equal_runs_give_equal_digests(ask: Ask) -> None:
    first, second = (ask("colours", "written", num_fewshot=1) for _ in range(2))
    assert (first.harness.digest, first.answers.digest) == (second.harness.digest, second.answers.digest)


def test_a_gate_refuses_and_one_without_a_figure_blocks(ask: Ask) -> None:
    gates = {"colours/acc": ">= 0.99", "colours/acc_norm": "< 0.5", "colours/f1": ">= 0.1"}
    refused = ask("colours", gates=gates).harness.facts["refused"]
    assert [one.partition(":")[0] for one in refused] == ["colours/acc_norm", "colours/f1"]
    assert "cannot be computed blocks" in refused[1]


@pytest.mark.parametrize("gates", [{"other/acc": ">= 0.5"}, {"acc": ">= 0.5"}, {"colours/acc": "good"}])
def test_a_gate_that_cannot_be_read_is_refused_at_once(gates: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"gates\."):
        HarnessSpec(tasks=("colours",), gates=gates)


def test_the_page_shows_figures_gates_and_what_was_asked(ask: Ask) -> None:
    made = ask("colours", gates={"colours/acc": ">= 0.5"})
    with made.harness.files.open("report.html") as stream:
        page = stream.read().decode()
    assert [word for word in ("Gates", "passed", "standard error", "red:", "acc_norm") if word not in page] == []


def test_the_deadline_ends_it(ask: Ask, context: StageContext, folder: Path, writer: Model) -> None:
    late = dataclasses.replace(context, deadline_s=0.0)
    with pytest.raises(StageError, match="deadline"):
        harness(HarnessSpec(tasks=("colours",), include=str(folder)), HarnessInputs(model=writer), late)


def test_a_changed_row_changes_the_stage_s_identity(folder: Path) -> None:
    spec = HarnessSpec(tasks=("colours",), include=str(folder))
    before = fingerprint(spec)
    (folder / "rows.jsonl").write_text('{"text": "other"}\n')
    assert fingerprint(spec) != before
