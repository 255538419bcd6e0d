"""The real starter base on a few real rows."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from modelmint.training.tasks.text_classification import load_classifier
from modelmint.training.train import TrainOutputs

INTENTS = {"card_arrival", "exchange_rate", "lost_or_stolen_card", "top_up_failed"}


@pytest.mark.slow
def test_the_starter_tells_four_intents_apart(learn: Callable[..., TrainOutputs], shared: Path) -> None:
    train, test = (_rows(shared / "banking77" / f"{name}.csv") for name in ("train", "test"))
    made = learn(
        train[::2],
        [],
        base="starter",
        epochs=4,
        batch_size=32,
        learning_rate=2e-4,
        head_learning_rate=1e-3,
        max_tokens=64,
        precision="auto",
    )
    classifier = load_classifier(made.model.files.folder())
    answers = classifier.logits([row["text"] for row in test]).argmax(axis=1)
    right = [classifier.labels[at] == row["label"] for at, row in zip(answers, test, strict=True)]
    assert sum(right) / len(right) > 0.9


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return [
            {"text": row["text"], "label": row["label"]} for row in csv.DictReader(stream) if row["label"] in INTENTS
        ]
