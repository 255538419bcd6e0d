"""Answers that no model gave, of rows with a source, a language and a gender: right as often as is asked."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from modelmint.core.forms import FORMS
from modelmint.evaluation.answers import Answered, best_of, measured
from modelmint.evaluation.predict import Predictions

LABELS = ("card", "cash", "loan")
Rate = Callable[[Mapping[str, Any]], float]


def rows(num_rows: int, *, seed: int = 0) -> list[dict[str, Any]]:
    dice = random.Random(seed)
    return [
        {
            "_row": f"r{at}",
            "text": " ".join(dice.choices(["the", "bank", "my", "please", "today"], k=dice.randint(2, 20))),
            "label": dice.choice(LABELS),
            "source": dice.choice(["app", "phone call"]),
            "gender": dice.choice("FM"),
            "age": str(dice.randint(18, 80)),
        }
        for at in range(num_rows)
    ]


def classified(given: list[dict[str, Any]], rate: Rate | float = 0.9, *, seed: int = 1, sure: float = 0.8) -> Answered:
    """Answers of a classifier that is right at a rate, by the row or for all."""
    dice = random.Random(seed)
    chances = np.full((len(given), len(LABELS)), (1 - sure) / (len(LABELS) - 1), np.float32)
    for at, row in enumerate(given):
        right = LABELS.index(row["label"]) if row["label"] in LABELS else 0
        hit = dice.random() < (rate(row) if callable(rate) else rate)
        chances[at, right if hit else (right + 1) % len(LABELS)] = sure
    return measured(
        "text-classification",
        FORMS["text-classification"],
        columns(given),
        best_of(LABELS, chances),
        Predictions(labels=LABELS, probabilities=chances),
        seconds=1.0,
        seed=3,
    )


def columns(given: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in given] for name in given[0]}
