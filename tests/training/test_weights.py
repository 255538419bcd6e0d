"""Row weights: what they change in training, and what is refused."""

import shutil
from collections.abc import Callable

import numpy as np
import pytest
from safetensors.numpy import load_file

from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.training.tasks.text_classification import load_classifier
from modelmint.training.train import TrainOutputs
from tests.tiny_base import questions

Learn = Callable[..., TrainOutputs]
HEAD = "2_Dense/model.safetensors"


def test_equal_weights_train_the_same_model(learn: Learn, context: StageContext) -> None:
    plain = learn(questions(40))
    shutil.rmtree(context.checkpoints)
    weighted = learn([{**row, "_weight": 2.5} for row in questions(40)])
    heads = [load_file(made.model.files.folder() / HEAD)["linear.weight"] for made in (plain, weighted)]
    np.testing.assert_allclose(heads[1], heads[0], atol=2e-5)


def test_rows_that_weigh_more_are_believed(learn: Learn) -> None:
    right = [{**row, "_weight": 1.9} for row in questions(120, topics=["card", "loan"])]
    wrong = [{**row, "label": {"card": "loan", "loan": "card"}[row["label"]], "_weight": 0.1} for row in right]
    made = learn([*right, *wrong], questions(60, seed=5, topics=["card", "loan"]), epochs=4)
    assert made.training.facts["history"][-1]["validation_accuracy"] > 0.9


def test_rows_that_weigh_less_are_not_believed(learn: Learn) -> None:
    right = [{**row, "_weight": 0.1} for row in questions(120, topics=["card", "loan"])]
    wrong = [{**row, "label": {"card": "loan", "loan": "card"}[row["label"]], "_weight": 1.9} for row in right]
    made = learn([*right, *wrong], epochs=4)
    classifier = load_classifier(made.model.files.folder())
    rows = questions(60, seed=5, topics=["card", "loan"])
    answers = [classifier.labels[at] for at in classifier.logits([row["text"] for row in rows]).argmax(axis=1)]
    assert np.mean([one == row["label"] for one, row in zip(answers, rows, strict=True)]) < 0.1


def test_weights_as_the_inverse_of_the_labels_counts_are_balanced_class_weights(
    learn: Learn, context: StageContext
) -> None:
    rows = questions(60, topics=["card", "card", "card", "loan"])
    counts = {name: sum(row["label"] == name for row in rows) for name in ("card", "loan")}
    balanced = learn(rows, class_weights="balanced", label_smoothing=0.0)
    shutil.rmtree(context.checkpoints)
    weighted = learn([{**row, "_weight": 30 / counts[row["label"]]} for row in rows], label_smoothing=0.0)
    heads = [load_file(made.model.files.folder() / HEAD)["linear.weight"] for made in (balanced, weighted)]
    np.testing.assert_allclose(heads[1], heads[0], atol=2e-5)


def test_the_report_says_that_rows_were_weighted(learn: Learn) -> None:
    rows = [{**row, "_weight": 0.5 + at % 2} for at, row in enumerate(questions(30))]
    assert learn(rows).training.facts["row_weights"] == {"min": 0.5, "max": 1.5}


def test_without_weights_the_report_does_not_speak_of_them(learn: Learn) -> None:
    assert "row_weights" not in learn(questions(30)).training.facts


@pytest.mark.parametrize("weight", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_number_above_zero_is_refused(learn: Learn, weight: float | None) -> None:
    rows = [{**row, "_weight": 1.0} for row in questions(20)]
    rows[3]["_weight"] = weight
    with pytest.raises(DataError, match=r"_weight: must be a finite number above 0 .* in row r3"):
        learn(rows)
