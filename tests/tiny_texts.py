"""Rows of pairs, of texts with several labels and of texts with a number that the tiny base (`tests.tiny_base`) learns."""

import random
from pathlib import Path
from typing import Any

from tests.tiny_base import FILLERS, TOPICS, questions

NUMBERS = {"card": 100.0, "cash": 140.0, "loan": 160.0, "rate": 300.0}


def pairs(num_rows: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Two texts of different topics, labelled with the first one's: the second must be told from the first."""
    dice, rows = random.Random(seed), []
    for _ in range(num_rows):
        topics = dice.sample(sorted(TOPICS), 2)
        texts = [" ".join([dice.choice(TOPICS[topic]), *dice.choices(FILLERS, k=2)]) for topic in topics]
        rows.append({"text": texts[0], "text_pair": texts[1], "label": topics[0]})
    return rows


def sets(num_rows: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Texts of none, one or two topics, labelled with them."""
    dice, rows = random.Random(seed), []
    for _ in range(num_rows):
        topics = dice.sample(sorted(TOPICS), dice.choice([0, 1, 2, 2]))
        words = [*(dice.choice(TOPICS[topic]) for topic in topics), *dice.choices(FILLERS, k=4)]
        dice.shuffle(words)
        rows.append({"text": " ".join(words), "labels": topics})
    return rows


def numbers(num_rows: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Texts whose topic says the number."""
    return [{"text": row["text"], "label": NUMBERS[row["label"]]} for row in questions(num_rows, seed=seed)]


def with_pair_template(folder: Path) -> Path:
    """Let a base's tokenizer put ``[SEP]`` between the texts of a pair."""
    from tokenizers import Tokenizer, processors

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
