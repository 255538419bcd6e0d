"""Bodies of models that read pairs, give several labels, or give a number: they answer as the trained model does."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.bodies import BodyInputs, BodyOptions, facts_of, make_body
from modelmint.core.errors import InputError
from modelmint.core.stage import StageContext
from modelmint.core.types import Dataset
from modelmint.training.tasks.table import open_model, read_about
from tests.tiny_base import write_base
from tests.tiny_spans import learner_of, sentences
from tests.tiny_texts import numbers, pairs, sets, with_pair_template

Rows = list[dict[str, Any]]
Make = Callable[..., Path]


@pytest.fixture
def made(context: StageContext, desk: StagingDesk, dataset: Callable[..., Dataset], tmp_path: Path) -> Make:
    def run(task: str, name: str, rows: Callable[..., Rows], **options: Any) -> Path:
        base = with_pair_template(write_base(tmp_path / "base"))
        learn = learner_of(context, desk, task, base=str(base), epochs=4)
        given = BodyInputs(
            folder=learn(rows(160), rows(60, seed=9)).model.files.folder(),
            train=dataset(rows(160), "train"),
            validation=dataset(rows(60, seed=9), "validation"),
            options=BodyOptions(**{"epochs": 12, "learning_rate": 3e-3, **options}),
        )
        return make_body(name, given, dataclasses.replace(context, num_threads=1))

    return run


@pytest.mark.parametrize(
    ("task", "rows"),
    [
        ("text-pair-classification", pairs),
        ("multi-label-classification", sets),
        ("text-regression", numbers),
    ],
)
def test_fewer_layers_answer_as_the_model_does(made: Make, task: str, rows: Callable[..., Rows]) -> None:
    folder = made(task, "layers-1", rows)
    assert facts_of(folder)["validation"]["agreement"] >= 0.8
    assert read_about(folder)["task"] == task


def test_a_static_body_gives_several_labels(made: Make) -> None:
    folder = made("multi-label-classification", "static", sets, epochs=80, learning_rate=2e-2)
    assert facts_of(folder)["validation"]["agreement"] >= 0.6


def test_a_tagger_keeps_its_answers_with_fewer_tokens(made: Make) -> None:
    folder = made("token-classification", "vocabulary", sentences)
    assert len(open_model(folder).predict({"tokens": [["card", "chip"]]})) == 1


def test_a_tagger_with_fewer_layers_is_refused(made: Make) -> None:
    with pytest.raises(InputError, match="token-classification"):
        made("token-classification", "layers-1", sentences)


def test_a_static_body_of_pairs_is_refused(made: Make) -> None:
    with pytest.raises(InputError, match="pairs"):
        made("text-pair-classification", "static", pairs)
