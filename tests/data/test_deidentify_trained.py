"""deidentify with a model that `train` made of tagged rows: names it learned, told apart by their capitals too."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.stage import StageContext
from modelmint.core.tables import column
from modelmint.core.types import Dataset, Model
from modelmint.data.deidentify import DeidentifyInputs, DeidentifySpec, deidentify
from tests.tiny_base import FILLERS, write_base
from tests.tiny_spans import learner_of

NAMES = ("Card", "Cash", "Loan", "Rate")
"""Names in capitals alone: in small letters the same words are none."""


def _named(num_rows: int, seed: int) -> list[dict[str, Any]]:
    dice, rows = random.Random(seed), []
    for _ in range(num_rows):
        words = dice.choices([*FILLERS, *NAMES, *(name.lower() for name in NAMES)], k=dice.randint(3, 9))
        rows.append({"tokens": words, "tags": ["B-PER" if word in NAMES else "O" for word in words]})
    return rows


@pytest.fixture
def trained(context: StageContext, desk: StagingDesk, tmp_path: Path) -> Model:
    base = write_base(tmp_path / "base", num_spare_tokens=5)
    learn = learner_of(context, desk, "token-classification", base=str(base), epochs=6)
    return learn(_named(240, 0), _named(60, 9)).model


def test_a_trained_model_finds_the_names_that_it_learned(
    trained: Model, context: StageContext, dataset: Callable[..., Dataset]
) -> None:
    data = dataset([{"text": "my card is with Card, please (Loan) the loan"}])
    outputs = deidentify(DeidentifySpec(), DeidentifyInputs(data=data, recognizer=trained), context)
    assert column(outputs.data, "text") == ["my card is with [PERSON], please ([PERSON]) the loan"]


def test_its_folder_is_as_good(trained: Model, context: StageContext, dataset: Callable[..., Dataset]) -> None:
    spec = DeidentifySpec(ner=str(trained.files.folder()))
    outputs = deidentify(spec, DeidentifyInputs(data=dataset([{"text": "the Cash is my cash"}])), context)
    assert column(outputs.data, "text") == ["the [PERSON] is my cash"]
