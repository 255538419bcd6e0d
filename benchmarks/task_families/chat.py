"""Chats and preferences on GSM8K, from nothing: the loss of the answers, and rewards of right answers over wrong ones.

No base that writes is at hand without a network, and a model of a few million weights learns the form of the solutions,
not to count (published: small models score near zero on the final number). So the figures are the loss of a token of
the answers on the published test beside that of a model that knows how often each token occurs in answers (the floor
is to be below it), and, for preference tuning from that chat model, how often the reward of the solution is above that
of another question's solution (the floor is chance, 0.5).
"""

import gzip
import json
import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
from stage_context import NUM_THREADS, busy_s, stage_context

from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.evaluation.metrics import chat, preferences
from modelmint.training.tasks.chat_model import load_chat
from modelmint.training.tasks.chat_rows import ChatTokens, TaughtRow
from modelmint.training.tasks.preference_model import load_preference
from modelmint.training.train import TrainInputs, TrainSpec, train

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 17
NUM_VALIDATION, NUM_PAIRS, NUM_TEST_PAIRS, NUM_WRITTEN = 400, 2_000, 400, 40
Rows = list[dict[str, Any]]

CHAT: dict[str, Any] = {
    "base": "none",
    "architecture": {"name": "transformer", "num_layers": 4, "width": 256, "num_heads": 8},
    "tokenizer": {"name": "bpe", "vocabulary_size": 4_000},
    "max_tokens": 512,
    "epochs": 6,
}
PREFERENCE: dict[str, Any] = {"task": "preference", "learning_rate": 5e-5, "max_tokens": 512}
QUICK = {
    "architecture": {"name": "transformer", "num_layers": 2, "width": 64, "num_heads": 4},
    "max_steps": 20,
    "max_tokens": 256,
}


def run(quick: bool) -> dict[str, Any]:
    """Name -> figure with its interval and, where there is one, the floor; quick: a few steps each, to see them work."""
    rows, test = _rows("train"), _rows("test")
    if quick:
        rows, test = rows[:560], test[:60]
    validation, rows = rows[: NUM_VALIDATION // (4 if quick else 1)], rows[NUM_VALIDATION:]
    few = {"max_tokens": 256} if quick else {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        model, figures = _chat(
            CHAT | (QUICK if quick else {}),
            _chats(rows),
            _chats(validation),
            _chats(test),
            home,
            num_written=2 if quick else NUM_WRITTEN,
        )
        for loss in ("dpo", "kto", "orpo"):
            spec = PREFERENCE | few | {"options": {"loss": loss}}
            figures |= _preference(
                loss, spec, model, _pairs(rows[: 40 if quick else NUM_PAIRS]), _pairs(test[:NUM_TEST_PAIRS]), home
            )
    return figures


def _chat(
    spec: dict[str, Any], rows: Rows, validation: Rows, test: Rows, home: Path, *, num_written: int
) -> tuple[Model, dict[str, Any]]:
    context = stage_context(home / "chat", seed=SEED, num_threads=NUM_THREADS)
    began_s = busy_s()
    inputs = TrainInputs(
        train=_dataset(context, "train", "chat", rows), validation=_dataset(context, "validation", "chat", validation)
    )
    made = train(TrainSpec(**spec), inputs, context)
    seconds = busy_s() - began_s
    folder, told = made.model.files.folder(), made.training.facts
    model = load_chat(folder)
    losses = model.losses([row["messages"] for row in test], [None] * len(test))
    written = model.answer([row["messages"][:1] for row in test[:num_written]])
    answers = [{"content": "", "finish": "", "loss": loss, "tokens": num} for loss, num in losses]
    figures = chat.measure({"messages": [row["messages"] for row in test]}, answers, seed=SEED)
    tokens = told["tokens"]
    return made.model, {
        "gsm8k: loss a token of the answers, test": {**figures["answer_loss"], "most": _unigram(folder, rows, test)},
        "gsm8k: perplexity of the answers, test": figures["perplexity"],
        "gsm8k: validation loss by epoch": [row["validation_answer_loss"] for row in told["history"]],
        "gsm8k: training loss, first and last steps": [told["curve"][0]["loss"], told["curve"][-1]["loss"]],
        "gsm8k: share of tokens that the loss counts": round(told["taught_tokens"] / tokens, 4),
        "gsm8k: answers that end themselves": sum(one["finish"] == "stop" for one in written) / len(written),
        "gsm8k: packed": told["packed"],
        "gsm8k: tokens/s": round(tokens * len(told["history"]) / seconds),
        "gsm8k: seconds": round(seconds),
    }


def _preference(loss: str, spec: dict[str, Any], start: Model, rows: Rows, test: Rows, home: Path) -> dict[str, Any]:
    context = stage_context(home / loss, seed=SEED, num_threads=NUM_THREADS)
    began_s = busy_s()
    inputs = TrainInputs(
        train=_dataset(context, "train", "preference", rows),
        validation=_dataset(context, "validation", "preference", test[: len(test) // 2]),
        start=start,
    )
    made = train(TrainSpec(**spec), inputs, context)
    seconds = busy_s() - began_s
    held_out = test[len(test) // 2 :]
    columns = {name: [row[name] for row in held_out] for name in ("prompt", "chosen", "rejected")}
    model = load_preference(made.model.files.folder(), start.files.folder())
    figures = preferences.measure(columns, model.predict(columns), seed=SEED)
    return {
        f"gsm8k pairs, {loss}: reward accuracy": {**figures["reward_accuracy"], "floor": 0.5},
        f"gsm8k pairs, {loss}: reward margin": {**figures["reward_margin"], "floor": 0.0},
        f"gsm8k pairs, {loss}: accuracy by token": figures["accuracy"],
        f"gsm8k pairs, {loss}: validation margin by epoch": [
            row["validation_reward_margin"] for row in made.training.facts["history"]
        ],
        f"gsm8k pairs, {loss}: seconds": round(seconds),
    }


def _unigram(folder: Path, rows: Rows, test: Rows) -> float:
    """The loss of a model that knows nothing but how often each token occurs in the answers (add-one)."""
    tokens = ChatTokens(folder)
    learned, asked = (
        [
            row
            for row in tokens.taught([(one["messages"], None) for one in part], "answers")
            if isinstance(row, TaughtRow)
        ]
        for part in (rows, test)
    )
    counts = Counter(_answer_ids(learned))
    num = sum(counts.values()) + tokens.num_tokens
    told = _answer_ids(asked)
    return round(-sum(math.log((counts[token_id] + 1) / num) for token_id in told) / len(told), 4)


def _answer_ids(rows: list[TaughtRow]) -> list[int]:
    return [token_id for row in rows for token_id, taught in zip(row.ids, row.taught, strict=True) if taught]


def _rows(part: str) -> Rows:
    with gzip.open(SHARED / "gsm8k" / f"{part}.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def _chats(rows: Rows) -> Rows:
    return [
        {"messages": [*_said("user", row["question"]), *_said("assistant", row["answer"])], "tools": None}
        for row in rows
    ]


def _pairs(rows: Rows) -> Rows:
    """The solution, and that of the next question."""
    return [
        {
            "prompt": _said("user", row["question"]),
            "chosen": _said("assistant", row["answer"]),
            "rejected": _said("assistant", other["answer"]),
        }
        for row, other in zip(rows, [*rows[1:], rows[0]], strict=True)
    ]


def _said(role: str, content: str) -> list[dict[str, Any]]:
    return [{"role": role, "content": content}]


def _dataset(context: StageContext, name: str, task: str, rows: Rows) -> Dataset:
    schema = pa.schema([pa.field("_row", pa.string()), *FORMS[task].columns])
    numbered = [{"_row": f"{name}{at}", **row} for at, row in enumerate(rows)]
    return context.desk.dataset(name, pa.Table.from_pylist(numbered, schema=schema), facts={"task": task})
