"""train: what it learns, that it repeats itself exactly, and what it refuses."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.training.knobs import Knobs
from modelmint.training.tasks.text_classification import load_classifier
from modelmint.training.train import TrainOutputs, num_epochs
from tests.tiny_base import questions

Learn = Callable[..., TrainOutputs]
EMBEDDING = "embeddings.word_embeddings.weight"


def test_it_learns_what_the_labels_mean(learn: Learn) -> None:
    made = learn(questions(240), epochs=4)
    rows = questions(60, seed=7)
    classifier = load_classifier(made.model.files.folder())
    answers = [classifier.labels[at] for at in classifier.logits([row["text"] for row in rows]).argmax(axis=1)]
    assert np.mean([one == row["label"] for one, row in zip(answers, rows, strict=True)]) > 0.9
    assert made.training.facts["history"][-1]["validation_accuracy"] > 0.9


def test_two_runs_give_equal_artifacts(learn: Learn, context: StageContext) -> None:
    first = learn(questions(40))
    shutil.rmtree(context.checkpoints)
    second = learn(questions(40))
    assert (first.model.digest, first.training.digest) == (second.model.digest, second.training.digest)


def test_a_run_stopped_at_every_step_gives_equal_artifacts(learn: Learn, context: StageContext) -> None:
    whole = learn(questions(30))
    shutil.rmtree(context.checkpoints)
    num_stops, pieces = 0, None
    while pieces is None:
        try:
            pieces = learn(questions(30), context_changes={"deadline_s": 0.0} if num_stops < 6 else {})
        except StageError:
            num_stops += 1
    assert num_stops == 6
    assert (pieces.model.digest, pieces.training.digest) == (whole.model.digest, whole.training.digest)


def test_a_run_killed_between_checkpoints_gives_equal_artifacts(learn: Learn, context: StageContext) -> None:
    whole = learn(questions(40))
    shutil.rmtree(context.checkpoints)

    class KilledError(Exception):
        """Stands for the end of the process."""

    def die(done: int, _total: int, _message: str) -> None:
        if done == 8:  # three steps into the second epoch: its checkpoint is that of the first's end
            raise KilledError

    with pytest.raises(KilledError):
        learn(questions(40), context_changes={"say": die})
    assert learn(questions(40)).model.digest == whole.model.digest


def test_a_checkpoint_of_another_run_is_not_gone_on_from(learn: Learn, context: StageContext) -> None:
    other = learn(questions(30), context_changes={"seed": 4})
    mine = learn(questions(30))
    shutil.rmtree(context.checkpoints)
    assert learn(questions(30)).model.digest == mine.model.digest != other.model.digest


def test_a_warm_start_goes_on_from_what_was_learned(learn: Learn, context: StageContext) -> None:
    start = learn(questions(240), epochs=4)
    warm = learn(questions(16, seed=3), start=start.model, epochs=1, learning_rate=1e-5, head_learning_rate=1e-5)
    assert warm.training.facts["history"][0]["validation_accuracy"] > 0.9
    assert warm.model.facts["base"] == start.model.facts["base"]


def test_a_warm_start_with_a_new_label_keeps_the_rows_of_the_old_ones(learn: Learn) -> None:
    start = learn(questions(40, topics=["card", "loan"]))
    warm = learn(questions(40), start=start.model, epochs=1, learning_rate=1e-9, head_learning_rate=1e-9)
    old, new = (
        load_file(made.model.files.folder() / "2_Dense" / "model.safetensors")["linear.weight"]
        for made in (start, warm)
    )
    np.testing.assert_allclose(new[[0, 2]], old, atol=1e-6)
    assert warm.training.facts["new_labels"] == ["cash", "rate"]


def test_rows_of_the_vocabulary_that_no_text_uses_stay_as_they_were(learn: Learn, base: Path) -> None:
    made = load_file(learn(questions(30)).model.files.folder() / "model.safetensors")[EMBEDDING]
    before = load_file(base / "model.safetensors")[EMBEDDING]
    moved = np.abs(made - before).max(axis=1) > 0
    assert moved[5:].sum() > 10
    assert not moved[-5:].any()


def test_frozen_embeddings_stay_as_they_were(learn: Learn, base: Path) -> None:
    made = learn(questions(30), freeze_embeddings=True)
    np.testing.assert_array_equal(
        load_file(made.model.files.folder() / "model.safetensors")[EMBEDDING],
        load_file(base / "model.safetensors")[EMBEDDING],
    )


def test_balanced_classes_make_another_model(learn: Learn, context: StageContext) -> None:
    rows = questions(60, topics=["card", "card", "card", "loan"])
    plain = learn(rows)
    shutil.rmtree(context.checkpoints)
    assert learn(rows, class_weights="balanced").model.digest != plain.model.digest


def test_without_validation_rows_the_last_epoch_is_kept(learn: Learn) -> None:
    facts = learn(questions(30), [], patience=1, epochs=3).training.facts
    assert (facts["best_epoch"], facts["history"][0]["validation_loss"]) == (3, None)


def test_validation_rows_of_a_label_that_is_not_trained_are_counted(learn: Learn) -> None:
    held_out = [*questions(5), {"text": "the moon", "label": "astronomy"}]
    facts = learn(questions(30), held_out).training.facts
    assert (facts["num_validation_rows"], facts["num_validation_rows_without_class"]) == (5, 1)


def test_it_stops_early_when_the_score_falls(learn: Learn, context: StageContext) -> None:
    good = learn(questions(200), epochs=6).model
    shutil.rmtree(context.checkpoints)
    topics = sorted({row["label"] for row in questions(50)})
    wrong = [{**row, "label": topics[topics.index(row["label"]) - 1]} for row in questions(64)]
    facts = learn(wrong, questions(60, seed=5), start=good, epochs=10, warmup=0.95, patience=1).training.facts
    assert facts["stopped_early"]
    assert facts["best_epoch"] < len(facts["history"]) < 10


def test_of_epochs_that_are_alike_the_last_is_kept(learn: Learn) -> None:
    facts = learn(questions(24), epochs=4, patience=1, learning_rate=1e-9, head_learning_rate=1e-9).training.facts
    assert (facts["best_epoch"], facts["stopped_early"]) == (4, False)


def test_the_tokenizer_travels_with_the_model(learn: Learn, base: Path) -> None:
    folder = learn(questions(20)).model.files.folder()
    assert (folder / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()


def test_one_label_only_is_refused(learn: Learn) -> None:
    with pytest.raises(DataError, match="all 20 rows have the label 'card'"):
        learn(questions(20, topics=["card"]))


def test_a_row_without_a_label_is_refused(learn: Learn) -> None:
    with pytest.raises(DataError, match="1 cells without one"):
        learn([*questions(20), {"text": "no label", "label": None}])


def test_more_tokens_than_the_base_reads_are_refused(learn: Learn) -> None:
    with pytest.raises(InputError, match="at most 40"):
        learn(questions(20), max_tokens=64)


def test_a_base_whose_weights_are_no_numbers_is_named(learn: Learn, base: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(base, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights[EMBEDDING][:] = np.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(StageError, match=r"base: its weights must be finite numbers; those of .* at step 1 is nan"):
        learn(questions(20), base=str(broken))


def test_a_loss_that_runs_away_names_its_step_and_leaves_the_last_checkpoint(
    learn: Learn, context: StageContext
) -> None:
    wild = {"optimizer": "sgd", "learning_rate": 10, "head_learning_rate": 10, "max_grad_norm": 1e30, "momentum": 0.99}
    with pytest.raises(
        StageError, match=r"must stay a finite number; at step \d+ it is .* a learning rate that is too"
    ):
        learn(questions(80), epochs=200, warmup=0.5, schedule="constant", **wild)
    weights = load_file(max(context.checkpoints.glob("step-*")) / "model.safetensors")
    assert all(np.isfinite(weight).all() for weight in weights.values())


@pytest.mark.parametrize(("num_rows", "warm", "expected"), [(10_000, False, 4), (320, False, 30), (320, True, 4)])
def test_few_rows_are_seen_more_often(num_rows: int, warm: bool, expected: int) -> None:
    assert num_epochs(Knobs(epochs=4, min_steps=300, batch_size=32), math.ceil(num_rows / 32), warm=warm) == expected
