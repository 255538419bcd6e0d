"""A tiny real base that writes: a random Llama of 2 layers and 32 numbers whose tokens are bytes, and chats to learn."""

import dataclasses
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset, Model
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train

END = "<|endoftext|>"
ANSWERS = {"red": "stop", "green": "go", "amber": "wait", "blue": "help"}


def chats(num_rows: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of two questions about colours with their answers."""
    dice, rows = random.Random(seed), []
    for _ in range(num_rows):
        messages = []
        for colour in dice.choices(sorted(ANSWERS), k=dice.randint(1, 2)):
            messages += [{"role": "user", "content": colour}, {"role": "assistant", "content": ANSWERS[colour]}]
        rows.append({"messages": messages, "tools": None})
    return rows


def pairs(num_rows: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of one question, its answer, and that of another colour, shouted."""
    dice, rows = random.Random(seed), []
    for _ in range(num_rows):
        colour, other = dice.sample(sorted(ANSWERS), k=2)
        rows.append(
            {
                "prompt": [{"role": "user", "content": colour}],
                "chosen": [{"role": "assistant", "content": ANSWERS[colour]}],
                "rejected": [{"role": "assistant", "content": ANSWERS[other].upper()}],
            }
        )
    return rows


def write_causal(
    folder: Path,
    *,
    template: str | None = None,
    tied: bool = False,
    max_positions: int = 160,
    end: bool = True,
    width: int = 32,
) -> Path:
    """A Hugging Face folder of a language model that has learnt nothing; its tokenizer has no padding token."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    num_tokens = _write_tokenizer(folder / "tokenizer.json", end=end)
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=num_tokens,
            hidden_size=width,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=2 * width,
            initializer_range=0.1,
            max_position_embeddings=max_positions,
            tie_word_embeddings=tied,
            bos_token_id=None,
            eos_token_id=num_tokens - 1 if end else None,
            pad_token_id=None,
        )
    ).save_pretrained(folder)
    config: dict[str, Any] = {"eos_token": END} if end else {}
    if template is not None:
        config["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage:\n- en\n---\n# tiny\n")
    return folder


def _write_tokenizer(path: Path, *, end: bool) -> int:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {letter: at for at, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    if end:
        tokenizer.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    tokenizer.save(str(path))
    return int(tokenizer.get_vocab_size(with_added_tokens=True))


def learner(
    context: StageContext, base: Path, *, task: str, validation: list[dict[str, Any]], **defaults: Any
) -> Callable[..., TrainOutputs]:
    """``learn(rows, validation, start=model, epochs=3)``: train on the tiny base, one thread."""

    def run(
        rows: list[dict[str, Any]],
        held_out: list[dict[str, Any]] | None = None,
        *,
        start: Model | None = None,
        context_changes: Any = None,
        **spec: Any,
    ) -> TrainOutputs:
        wanted = {"base": str(base), "epochs": 1, "batch_size": 8, "precision": "fp32", **defaults, **spec}
        shutil.rmtree(context.scratch)
        context.scratch.mkdir()
        inputs = TrainInputs(
            train=rows_of(context, task, "train", rows),
            validation=rows_of(context, task, "validation", validation if held_out is None else held_out),
            start=start,
        )
        given = dataclasses.replace(context, **{"num_threads": 1, **(context_changes or {})})
        return train(TrainSpec(**wanted), inputs, given)

    return run


def rows_of(context: StageContext, task: str, name: str, rows: list[dict[str, Any]]) -> Dataset:
    schema = pa.schema([pa.field("_row", pa.string()), *FORMS[task].columns])
    numbered = [{"_row": f"{name}{at}", **row} for at, row in enumerate(rows)]
    return context.desk.dataset(name, pa.Table.from_pylist(numbered, schema=schema), facts={"task": task})
