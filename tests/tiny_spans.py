"""Rows of words with tags, and of questions with answers, that the tiny base (`tests.tiny_base`) can learn."""

import dataclasses
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.forms import FORMS
from modelmint.core.stage import StageContext
from modelmint.core.types import Model
from modelmint.training.train import TrainInputs, TrainOutputs, TrainSpec, train
from tests.tiny_base import FILLERS, TOPICS

Rows = list[dict[str, Any]]
_WEIGHT = pa.field("_weight", pa.float64())


def sentences(num_rows: int, *, seed: int = 0, num_words: int = 8) -> Rows:
    """Fillers among which two words of one topic stand together, the same first: an entity of that type."""
    dice, rows = random.Random(seed), []
    for _ in range(num_rows):
        topic = dice.choice(sorted(TOPICS))
        words = dice.choices(FILLERS, k=dice.randint(2, num_words))
        at = dice.randint(0, len(words))
        tags = ["O"] * at + [f"B-{topic}", f"I-{topic}"] + ["O"] * (len(words) - at)
        rows.append(
            {"tokens": [*words[:at], TOPICS[topic][0], dice.choice(TOPICS[topic][1:]), *words[at:]], "tags": tags}
        )
    return rows


def asked(num_rows: int, *, seed: int = 0, num_words: int = 8, none_every: int = 0) -> Rows:
    """Fillers among which one word of a topic stands: the answer to the topic's name. Every so many-th row has none."""
    dice, rows = random.Random(seed), []
    for at in range(num_rows):
        topic = dice.choice(sorted(TOPICS))
        answer, words = dice.choice(TOPICS[topic][1:]), dice.choices(FILLERS, k=dice.randint(2, num_words))
        has_answer = not none_every or at % none_every != 0
        words[dice.randrange(len(words))] = answer if has_answer else "bank"
        context = " ".join(words)
        rows.append(
            {
                "question": f"the {topic}",
                "context": context,
                "answer": answer if has_answer else None,
                "answer_start": f" {context} ".index(f" {answer} ") if has_answer else None,
            }
        )
    return rows


def learner_of(context: StageContext, desk: StagingDesk, task: str, **defaults: Any) -> Callable[..., TrainOutputs]:
    """``learn(rows, validation_rows, start=model, epochs=3, ...)`` for rows of that form."""
    schema = pa.schema([pa.field("_row", pa.string()), *FORMS[task].columns])

    def run(
        rows: Rows, validation: Rows, *, start: Model | None = None, context_changes: Any = None, **spec: Any
    ) -> TrainOutputs:
        shutil.rmtree(context.scratch)
        context.scratch.mkdir()
        sets = [
            desk.dataset(
                name,
                pa.Table.from_pylist(
                    [{"_row": f"{name}{at}", **row} for at, row in enumerate(given)],
                    schema=schema.append(_WEIGHT) if any("_weight" in row for row in given) else schema,
                ),
                facts={"task": task},
            )
            for name, given in (("train", rows), ("validation", validation))
        ]
        given = dataclasses.replace(context, **{"num_threads": 1, **(context_changes or {})})
        wanted = {
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 3e-3,
            "head_learning_rate": 1e-2,
            "max_tokens": 24,
            "min_steps": 0,
            "precision": "fp32",
            **defaults,
            **spec,
        }
        return train(TrainSpec(**wanted), TrainInputs(train=sets[0], validation=sets[1], start=start), given)

    return run


def without_padding(base: Path, folder: Path) -> Path:
    """A copy of a base whose tokenizer names no token for padding."""
    shutil.copytree(base, folder)
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"pad_token_id": 0', '"pad_token_id": null'))
    return folder
