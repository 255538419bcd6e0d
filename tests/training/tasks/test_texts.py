"""Pairs, several labels and numbers: what is learned, that it repeats itself, the folder, and what is refused."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from modelmint.catalog.drafts import StagingDesk
from modelmint.compression.export import export_onnx
from modelmint.compression.variants import Workshop
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.evaluation.metrics import classification, labels, regression
from modelmint.serving.engines import answers, open_engine
from modelmint.training.tasks import open_model
from modelmint.training.train import TrainOutputs
from tests.tiny_base import write_base
from tests.tiny_spans import learner_of, without_padding
from tests.tiny_texts import numbers, pairs, sets, with_pair_template

Learn = Callable[..., TrainOutputs]
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """A task of this family: its rows, its metrics, and how good the first of them gets."""

    task: str
    rows: Callable[..., Rows]
    measure: Callable[..., Any]
    learned: Callable[[float], bool]


KINDS = (
    Kind("text-pair-classification", pairs, classification.measure_answers, lambda accuracy: accuracy > 0.9),
    Kind("multi-label-classification", sets, labels.measure, lambda micro_f1: micro_f1 > 0.9),
    Kind("text-regression", numbers, regression.measure, lambda rmse: rmse < 35),
)
PAIRS, SETS, NUMBERS = KINDS


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_pair_template(write_base(tmp_path_factory.mktemp("tiny"), num_spare_tokens=5))


@pytest.fixture
def learner(context: StageContext, desk: StagingDesk, base: Path) -> Callable[[Kind], Learn]:
    return lambda kind: learner_of(context, desk, kind.task, base=str(base))


Learner = Callable[[Kind], Learn]
each = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.task)


def columns(rows: Rows) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


@each
def test_it_learns_what_is_predicted(learner: Learner, kind: Kind) -> None:
    made = learner(kind)(kind.rows(320), kind.rows(60, seed=9), epochs=6)
    given = columns(kind.rows(60, seed=7))
    found = kind.measure(given, open_model(made.model.files.folder()).predict(given), seed=1)
    assert kind.learned(next(iter(found.values()))["value"])


@each
def test_two_runs_give_equal_artifacts(learner: Learner, context: StageContext, kind: Kind) -> None:
    first = learner(kind)(kind.rows(40), kind.rows(60, seed=9))
    shutil.rmtree(context.checkpoints)
    second = learner(kind)(kind.rows(40), kind.rows(60, seed=9))
    assert (first.model.digest, first.training.digest) == (second.model.digest, second.training.digest)


@each
def test_a_run_stopped_at_every_step_gives_equal_artifacts(learner: Learner, context: StageContext, kind: Kind) -> None:
    learn = learner(kind)
    whole = learn(kind.rows(30), kind.rows(60, seed=9))
    shutil.rmtree(context.checkpoints)
    num_stops, pieces = 0, None
    while pieces is None:
        try:
            late = {"deadline_s": 0.0} if num_stops < 4 else {}
            pieces = learn(kind.rows(30), kind.rows(60, seed=9), context_changes=late)
        except StageError:
            num_stops += 1
    assert num_stops == 4
    assert (pieces.model.digest, pieces.training.digest) == (whole.model.digest, whole.training.digest)


@each
def test_the_export_opens_in_the_engine_and_answers_as_the_model_did(
    learner: Learner, context: StageContext, kind: Kind
) -> None:
    model = learner(kind)(kind.rows(60), kind.rows(60, seed=9)).model
    workshop = Workshop(model, context)
    folder = workshop.make("onnx-fp32")
    rows = kind.rows(20, seed=5)
    texts = [{"text": row["text"], "text_pair": row["text_pair"]} if kind is PAIRS else row["text"] for row in rows]
    engine = open_engine(workshop.lay_down("onnx-fp32", folder).files.folder(), 1)
    served = answers(engine.predict(texts), engine.labels, how=engine.how)
    asked = open_model(model.files.folder()).predict(columns(rows))
    for one, other in zip(served, asked, strict=True):
        assert _numbers(one) == pytest.approx(_numbers(other), rel=1e-3, abs=1e-3)
        assert (one.get("label"), one.get("labels")) == (other.get("label"), other.get("labels"))


def _numbers(answer: dict[str, Any]) -> list[float]:
    found = answer.get("value", answer.get("score", answer.get("label_scores", answer.get("scores"))))
    return found if isinstance(found, list) else [found]


@each
def test_rows_that_weigh_more_make_another_model(learner: Learner, context: StageContext, kind: Kind) -> None:
    plain = learner(kind)(kind.rows(40), kind.rows(60, seed=9))
    shutil.rmtree(context.checkpoints)
    weighted = [{**row, "_weight": 0.5 + at % 2} for at, row in enumerate(kind.rows(40))]
    made = learner(kind)(weighted, kind.rows(60, seed=9))
    assert made.model.digest != plain.model.digest
    assert made.training.facts["row_weights"] == {"min": 0.5, "max": 1.5}


@pytest.mark.parametrize("kind", [PAIRS, SETS], ids=lambda kind: kind.task)
def test_balanced_labels_make_another_model(learner: Learner, context: StageContext, kind: Kind) -> None:
    rows = [row for at, row in enumerate(kind.rows(60)) if at % 3 or "card" not in str(row)]
    plain = learner(kind)(rows, [])
    shutil.rmtree(context.checkpoints)
    assert learner(kind)(rows, [], class_weights="balanced").model.digest != plain.model.digest


@each
def test_a_warm_start_keeps_what_was_learned_of_the_labels_that_stay(learner: Learner, kind: Kind) -> None:
    start = learner(kind)(kind.rows(60), []).model
    few = [row for row in kind.rows(60) if kind is NUMBERS or "loan" not in row.get("labels", row.get("label", ""))]
    slow = {"epochs": 1, "learning_rate": 1e-9, "head_learning_rate": 1e-9}
    warm = learner(kind)(few, [], start=start, **slow).model
    given = columns(kind.rows(10, seed=7))
    before, after = (open_model(one.files.folder()) for one in (start, warm))
    stay = [before.labels.index(label) for label in after.labels]
    old, new = (one.logits(given["text"], pairs=given.get("text_pair")) for one in (before, after))
    assert len(stay) == (1 if kind is NUMBERS else 3)
    np.testing.assert_allclose(new, old[:, stay], atol=1e-5)


@each
def test_texts_that_are_all_empty_are_refused(learner: Learner, kind: Kind) -> None:
    with pytest.raises(DataError, match="all 20 cells of text are empty"):
        learner(kind)([{**row, "text": " "} for row in kind.rows(20)], [])


@each
def test_one_empty_text_among_others_is_answered(learner: Learner, kind: Kind) -> None:
    made = learner(kind)([{**kind.rows(1)[0], "text": ""}, *kind.rows(20)], [])
    empty = {name: [""] for name in ("text", "text_pair")[: 2 if kind is PAIRS else 1]}
    assert len(open_model(made.model.files.folder()).predict(empty)) == 1


@each
def test_a_row_without_a_target_is_refused(learner: Learner, kind: Kind) -> None:
    target = "labels" if kind is SETS else "label"
    with pytest.raises(DataError, match="1 cells without one"):
        learner(kind)([*kind.rows(20), {**kind.rows(1)[0], target: None}], [])


@each
def test_more_tokens_than_the_base_reads_are_refused(learner: Learner, kind: Kind) -> None:
    with pytest.raises(InputError, match="at most 40"):
        learner(kind)(kind.rows(20), [], max_tokens=64)


@each
def test_a_base_without_a_padding_token_is_trained_and_answers_alike_in_any_batch(
    learner: Learner, base: Path, tmp_path: Path, kind: Kind
) -> None:
    made = learner(kind)(kind.rows(20), [], base=str(without_padding(base, tmp_path / "bare")))
    model, rows = open_model(made.model.files.folder()), kind.rows(6, seed=4)
    alone = [_numbers(model.predict(columns([row]))[0]) for row in rows]
    for one, other in zip(model.predict(columns(rows)), alone, strict=True):
        assert _numbers(one) == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "cell", "message"),
    [
        (PAIRS, {"label": "x"}, "all 20 rows have the label 'x'"),
        (SETS, {"labels": []}, "no label at all"),
        (SETS, {"labels": ["x", "y"]}, "every one of 20 rows has all of x, y"),
        (NUMBERS, {"label": 3.0}, "all 20 rows have 3"),
        (NUMBERS, {"label": float("nan")}, "a finite number as label"),
    ],
)
def test_targets_that_teach_nothing_are_refused(
    learner: Learner, kind: Kind, cell: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        learner(kind)([{**row, **cell} for row in kind.rows(20)], [])


@pytest.mark.parametrize("name", ["label_smoothing", "class_weights"])
def test_what_a_number_has_no_use_for_is_refused(learner: Learner, name: str) -> None:
    value = {"label_smoothing": 0.1, "class_weights": "balanced"}[name]
    with pytest.raises(InputError, match=f"{name}: must be left out"):
        learner(NUMBERS)(numbers(20), [], **{name: value})


def test_the_second_text_of_a_pair_is_told_from_the_first(learner: Learner) -> None:
    made = learner(PAIRS)(pairs(20), [])
    model, rows = open_model(made.model.files.folder()), pairs(8)
    there = model.predict(columns(rows))
    back = model.predict({"text": [row["text_pair"] for row in rows], "text_pair": [row["text"] for row in rows]})
    assert all(abs(one["score"] - other["score"]) > 1e-7 for one, other in zip(there, back, strict=True))


def test_a_base_that_cannot_tell_two_texts_apart_is_refused(learner: Learner, tmp_path: Path) -> None:
    folder = write_base(tmp_path / "base")
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    name = "embeddings.token_type_embeddings.weight"
    from safetensors.numpy import save_file

    save_file({**weights, name: weights[name][:1]}, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**config, "type_vocab_size": 1}))
    with pytest.raises(InputError, match="must put a token between the texts of a pair"):
        learner(PAIRS)(pairs(20), [], base=str(folder))


def test_an_engine_of_pairs_refuses_single_texts(learner: Learner, context: StageContext) -> None:
    model = learner(PAIRS)(pairs(20), []).model
    folder = Workshop(model, context).make("onnx-fp32")
    with pytest.raises(InputError, match="must be two texts: `text` and `text_pair`"):
        open_engine(folder, 1).encode(["one text"])


def test_the_export_of_pairs_takes_the_types_of_tokens(learner: Learner, tmp_path: Path) -> None:
    import onnx

    export_onnx(learner(PAIRS)(pairs(20), []).model.files.folder(), tmp_path / "model.onnx")
    names = [one.name for one in onnx.load(tmp_path / "model.onnx").graph.input]
    assert names == ["input_ids", "attention_mask", "token_type_ids"]


def test_a_validation_label_that_is_not_trained_is_counted(learner: Learner) -> None:
    held_out = [*sets(60, seed=9), {"text": "the moon", "labels": ["astronomy", "card"]}]
    facts = learner(SETS)(sets(40), held_out).training.facts
    assert (facts["num_validation_rows"], facts["num_validation_rows_with_unknown_labels"]) == (61, 1)


@pytest.mark.parametrize(
    ("num_held_out", "options", "num_thresholds", "is_half"),
    [(60, {}, 1, False), (20, {}, 1, True), (60, {"thresholds": "per-label"}, 4, False)],
)
def test_thresholds_come_from_the_validation_rows_where_there_are_enough(
    learner: Learner, num_held_out: int, options: dict[str, Any], num_thresholds: int, is_half: bool
) -> None:
    made = learner(SETS)(sets(160), sets(num_held_out, seed=9), epochs=3, options=options)
    found = made.model.facts["answers"]["thresholds"]
    assert (len(found), len(set(found)), found[0] == 0.5) == (4, num_thresholds, is_half)


def test_a_threshold_can_be_given(learner: Learner) -> None:
    made = learner(SETS)(sets(40), sets(60, seed=9), options={"thresholds": 0.9})
    assert made.model.facts["answers"] == {"by": "sigmoid", "thresholds": [0.9] * 4}


def test_the_threshold_is_the_best_one_for_the_validation_rows(learner: Learner) -> None:
    held_out = sets(60, seed=9)
    made = learner(SETS)(sets(160), held_out, epochs=3)
    best = labels.measure(columns(held_out), open_model(made.model.files.folder()).predict(columns(held_out)), seed=1)
    assert best["micro_f1"]["value"] == pytest.approx(
        made.training.facts["history"][-1]["validation_micro_f1"], abs=1e-3
    )


def test_the_mean_and_the_scale_are_kept_and_a_warm_start_keeps_them(learner: Learner) -> None:
    rows = numbers(40)
    start = learner(NUMBERS)(rows, [])
    warm = learner(NUMBERS)([{**row, "label": row["label"] + 7} for row in rows], [], start=start.model)
    given = np.array([row["label"] for row in rows])
    how = start.model.facts["answers"]
    assert (how["mean"], how["scale"]) == pytest.approx((given.mean(), given.std()))
    assert warm.model.facts["answers"] == how


def test_numbers_far_from_zero_are_learned_as_well(learner: Learner, context: StageContext) -> None:
    near = learner(NUMBERS)(numbers(60), numbers(60)).training.facts["history"][-1]
    shutil.rmtree(context.checkpoints)
    rows = [{**row, "label": 1e7 + row["label"] / 1e3} for row in numbers(60)]
    far = learner(NUMBERS)(rows, rows).training.facts["history"][-1]
    assert far["validation_rmse"] * 1e3 == pytest.approx(near["validation_rmse"], rel=1e-3)


def test_the_folder_is_one_that_sentence_transformers_opens_with_the_same_numbers(learner: Learner) -> None:
    from sentence_transformers import SentenceTransformer

    folder = learner(SETS)(sets(20), []).model.files.folder()
    texts = [row["text"] for row in sets(5)]
    model: Any = open_model(folder)
    theirs = SentenceTransformer(str(folder), device="cpu").encode(texts)
    np.testing.assert_allclose(theirs, model.logits(texts), atol=1e-5)
