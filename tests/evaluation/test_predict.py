from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelmint.core.errors import InputError, IntegrityError
from modelmint.core.stage import StageContext
from modelmint.core.types import Model
from modelmint.evaluation.predict import predict

from .conftest import TOPICS, questions


def test_a_trained_folder_answers_in_the_order_of_the_texts(
    context: StageContext, model: Callable[..., Model], trained_folder: Path
) -> None:
    rows = questions(150, seed=4)
    found = predict(model(trained_folder), [row["text"] for row in rows], context)
    assert np.mean([one == row["label"] for one, row in zip(found.predicted, rows, strict=True)]) > 0.95
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(150), abs=1e-5)


def test_an_onnx_folder_answers_in_the_order_of_the_texts(
    context: StageContext, model: Callable[..., Model], served_folder: Path
) -> None:
    rows = questions(150, seed=4)
    served = model(served_folder, engine="onnx", variant="onnx-fp32")
    assert predict(served, [row["text"] for row in rows], context).predicted == [row["label"] for row in rows]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"engine": "pickle"}, "torch or onnx"),
        ({"labels": []}, "names of its labels"),
        ({"labels": sorted(TOPICS)[::-1]}, "not those of its manifest"),
    ],
)
def test_a_model_that_cannot_be_run_says_what_is_missing(
    context: StageContext, trained_folder: Path, facts: dict[str, object], said: str
) -> None:
    laid = context.desk.model("odd", trained_folder, facts={"engine": "torch", "labels": sorted(TOPICS), **facts})
    with pytest.raises((InputError, IntegrityError), match=said):
        predict(laid, ["card"], context)
