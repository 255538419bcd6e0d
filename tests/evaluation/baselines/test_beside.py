"""The cheap way of every task stands beside a model, with the task's own figures, and what it costs."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelmint.core.errors import DataError, InputError
from modelmint.evaluation.baselines.beside import WAYS, Costs, beside, says
from modelmint.evaluation.baselines.cheap import Asked
from modelmint.evaluation.baselines.choices import CHOICES, WHY_NONE
from modelmint.evaluation.significance import Figure
from modelmint.training.tasks import TASKS
from tests.evaluation.conftest import questions

Make = Callable[..., Asked]


def test_every_task_has_ways_or_says_why_not() -> None:
    assert set(CHOICES) == set(TASKS)
    assert {task for task, ways in CHOICES.items() if not ways} == set(WHY_NONE)
    assert {task for task, ways in CHOICES.items() if ways} == set(WAYS)


def test_a_way_of_another_task_is_refused(asked: Make) -> None:
    rows = questions(20, seed=1)
    with pytest.raises(InputError, match="baseline: must be auto, tfidf, embeddings, majority, none for text-class"):
        beside("ngram", asked("text-classification", rows, rows, [{"label": "card", "score": 1.0}] * 20))


def test_none_is_none(asked: Make) -> None:
    rows = questions(20, seed=1)
    found = beside("none", asked("text-classification", rows, rows, [{"label": "card", "score": 1.0}] * 20))
    assert (found.facts, found.answered, found.warnings) == (None, None, [])


def test_no_training_rows_are_told_so(asked: Make) -> None:
    rows = [{"text": "a", "label": 1.0}, {"text": "b", "label": 2.0}]
    empty = [{"text": "a", "label": None}, {"text": "b", "label": None}]
    with pytest.raises(DataError, match="train: must hold rows with text, label, for the baseline"):
        beside("auto", asked("text-regression", empty, rows, [{"value": 1.0}] * 2))


def test_topics_are_told_by_words_with_the_difference_and_the_cost(asked: Make) -> None:
    train, test = questions(300, seed=1), questions(200, seed=2)
    perfect = [{"label": row["label"], "score": 1.0} for row in test]
    found = beside("auto", asked("text-classification", train, test, perfect))
    assert found.facts
    assert found.measured
    assert found.facts["metrics"]["accuracy"]["value"] > 0.9
    assert found.facts["difference"]["accuracy"]["value"] == 1 - found.facts["metrics"]["accuracy"]["value"]
    assert found.measured["says"].startswith("accuracy: the model is ")
    assert found.answered
    assert {"auc", "log_loss", "ece"} <= found.answered.figures.keys()


def test_a_model_that_is_no_better_is_warned_of(asked: Make) -> None:
    train, test = questions(300, seed=1), questions(200, seed=2)
    found = beside("tfidf", asked("text-classification", train, test, [{"label": "card", "score": 1.0}] * 200))
    assert [warning["name"] for warning in found.warnings] == ["baseline_not_beaten"]
    assert found.measured
    assert " points worse than tfidf" in found.measured["says"]


def test_what_it_says_is_read_as_more_is_better() -> None:
    """By hand: figures of the model and of the baseline, their difference, and costs."""
    costs = _costs(model_s=60.0, baseline_s=5.0)
    share = _facts("accuracy", 0.90, {"value": 0.04, "low": 0.03, "high": 0.05, "n": 9})
    assert says(share, {"accuracy": _figure(0.94)}, costs) == (
        "accuracy: the model is 4.0 points better than TF-IDF (95 %: 3.0 to 5.0); it costs 12 times as much a million "
        "answers, 1.67 USD and not 0.14 USD: 0.38 USD a point"
    )
    error = _facts("rmse", 2.0, {"value": -0.5, "low": -0.7, "high": -0.3, "n": 9})
    assert says(error, {"rmse": _figure(1.5)}, costs).startswith("rmse: the model is 0.5 better than TF-IDF (95 %: 0.3 to 0.7);")  # fmt: skip
    worse = _facts("rmse", 2.0, {"value": 0.5, "low": -0.1, "high": 0.7, "n": 9})
    assert "is 0.5 worse than TF-IDF (95 %: -0.1 to 0.7, so the difference may be chance)" in says(worse, {"rmse": _figure(2.5)}, costs)  # fmt: skip
    same = _facts("accuracy", 0.90, {"value": 0.0, "low": -0.01, "high": 0.01, "n": 9})
    assert "is no better than TF-IDF (95 %: -1.0 to 1.0, so" in says(same, {"accuracy": _figure(0.9)}, costs)


def test_the_same_seed_gives_the_same_facts(asked: Make) -> None:
    train, test = questions(300, seed=1, wrong=0.2), questions(100, seed=2, wrong=0.2)
    one = asked("text-classification", train, test, [{"label": "card", "score": 1.0}] * 100)
    assert beside("auto", one).facts == beside("auto", one).facts


def test_pairs_are_told_by_what_they_share(asked: Make) -> None:
    rows = [_pair(at) for at in range(400)]
    answers = [{"label": "same", "score": 1.0}] * 100
    found = beside("auto", asked("text-pair-classification", rows[:300], rows[300:], answers))
    assert found.facts
    assert found.facts["metrics"]["accuracy"]["value"] > 0.9


def test_label_sets_are_told_label_by_label(asked: Make) -> None:
    rows = [_set_of_labels(at) for at in range(400)]
    answers: list[Any] = [{"labels": [], "scores": []}] * 100
    train, test = rows[:300], rows[300:]
    found = beside("auto", asked("multi-label-classification", train, test, answers))
    assert found.facts
    assert found.facts["metrics"]["micro_f1"]["value"] > 0.95
    plain = beside("majority", asked("multi-label-classification", train, test, answers))
    assert plain.facts
    assert plain.facts["name"] == "most frequent set of labels"


def test_numbers_are_told_by_words(asked: Make) -> None:
    rows = [{"text": f"costs {word} today", "label": float(worth)} for word, worth in _words(200)]
    found = beside("auto", asked("text-regression", rows, rows[:50], [{"value": 0.0}] * 50))
    plain = beside("mean", asked("text-regression", rows, rows[:50], [{"value": 0.0}] * 50))
    assert found.facts
    assert plain.facts
    assert found.facts["metrics"]["rmse"]["value"] < plain.facts["metrics"]["rmse"]["value"] / 3


def test_a_word_has_the_tag_that_it_has_most_often(asked: Make) -> None:
    train = [{"tokens": ["Anna", "lives", "in", "Rome"], "tags": ["B-PER", "O", "O", "B-LOC"]}] * 3
    test = [{"tokens": ["anna", "in", "Rome", "unseen"], "tags": ["B-PER", "O", "B-LOC", "O"]}]
    found = beside("auto", asked("token-classification", train, test, [{"tags": ["O"] * 4}]))
    assert found.facts
    assert found.facts["metrics"]["f1"]["value"] == 1


def test_a_question_is_answered_by_a_sentence(asked: Make) -> None:
    row = {
        "question": "Where does Anna live?",
        "context": "It rains. Anna does live in Rome. Bob sleeps.",
        "answer": "Rome",
        "answer_start": 28,
    }
    found = beside("auto", asked("question-answering", [row], [row] * 3, [{"answer": "Rome", "answer_start": 28}] * 3))
    assert found.facts
    assert 0 < found.facts["metrics"]["f1"]["value"] < 1


def test_images_are_told_by_their_pixels_and_neighbours(asked: Make) -> None:
    rows = [{"image": _image(at), "label": "dark" if at % 2 else "light"} for at in range(60)]
    for kind in ("auto", "nearest"):
        one = asked("image-classification", rows[:40], rows[40:], [{"label": "dark", "score": 1.0}] * 20)
        found = beside(kind, one)
        assert found.facts
        assert found.facts["metrics"]["accuracy"]["value"] == 1


def test_recordings_are_told_by_their_mean_spectra(asked: Make) -> None:
    rows = [{"audio": _sound(at), "label": "low" if at % 2 else "high"} for at in range(30)]
    one = asked("audio-classification", rows[:20], rows[20:], [{"label": "low", "score": 1.0}] * 10)
    found = beside("auto", one)
    assert found.facts
    assert found.facts["metrics"]["accuracy"]["value"] == 1


def test_tables_are_told_by_a_line_through_them(asked: Make) -> None:
    dice = np.random.default_rng(0)
    rows = [{"size": float(size), "kind": "a" if size > 1 else "b", "label": "yes" if size > 0 else "no"} for size in dice.normal(size=300)]  # fmt: skip
    answers = [{"label": "yes", "score": 0.5, "probabilities": {"no": 0.5, "yes": 0.5}}] * 100
    found = beside("auto", asked("tabular-classification", rows[:200], rows[200:], answers))
    assert found.facts
    assert found.facts["metrics"]["auc"]["value"] > 0.97
    assert found.facts["difference"]["auc"]["value"] < -0.4


def test_numbers_of_tables_are_told_by_a_line(asked: Make) -> None:
    rows = [{"size": float(at % 17), "label": 3.0 * (at % 17) + at % 2} for at in range(200)]
    found = beside("auto", asked("tabular-regression", rows[:150], rows[150:], [{"value": 0.0}] * 50))
    assert found.facts
    assert found.facts["metrics"]["r2"]["value"] > 0.98


def test_of_two_answers_the_longer_is_taken_and_only_accuracy_is_told(asked: Make) -> None:
    side = {"log_probability": -1.0, "tokens": 2}
    rows = [
        {"prompt": _said("user", "hi"), "chosen": _said("assistant", "long " * n), "rejected": _said("assistant", "ab")}
        for n in (1, 2, 3)
    ]
    found = beside("auto", asked("preference", rows, rows, [{"chosen": side, "rejected": side}] * 3))
    assert found.facts
    assert set(found.facts["metrics"]) == {"accuracy"}
    assert found.facts["metrics"]["accuracy"]["value"] == 1


def test_a_chat_says_why_nothing_stands_beside_it(asked: Make) -> None:
    rows = [{"messages": [*_said("user", "hi"), *_said("assistant", "hello")]}] * 3
    told = {"content": "hello", "finish": "stop", "loss": 1.0, "tokens": 3}
    found = beside("auto", asked("chat", rows, rows, [told] * 3))
    assert found.facts is None
    assert "no baseline stands beside it: nothing that answers" in found.warnings[0]["message"]


def _figure(value: float) -> Figure:
    return Figure(value=value, low=value, high=value, n=9)


def _facts(name: str, value: float, difference: dict[str, Any]) -> dict[str, Any]:
    return {"name": "TF-IDF", "metrics": {name: _figure(value)}, "difference": {name: difference}}


def _costs(*, model_s: float, baseline_s: float) -> Costs:
    return Costs.of(model_s, 1.0, baseline_s, 1_000, "0.10 USD")


def _pair(at: int) -> dict[str, str]:
    dice = np.random.default_rng(at)
    words = [f"word{one}" for one in dice.integers(0, 40, 8)]
    other = [*words[:6], "new"] if at % 2 else [f"word{one}" for one in dice.integers(0, 40, 8)]
    return {"text": " ".join(words), "text_pair": " ".join(other), "label": "same" if at % 2 else "other"}


def _set_of_labels(at: int) -> dict[str, Any]:
    kinds = [kind for bit, kind in enumerate(("rain", "wind", "snow")) if at >> bit & 1]
    return {"text": " and ".join([*kinds, "weather"]), "labels": kinds}


def _words(num: int) -> list[tuple[str, int]]:
    names = ("little", "some", "much", "fortune")
    return [(names[at % 4], at % 4 * 10) for at in range(num)]


def _said(role: str, content: str) -> list[dict[str, Any]]:
    return [{"role": role, "content": content}]


def _image(at: int) -> bytes:
    from PIL import Image

    pixels = np.random.default_rng(at).integers(0, 90, (20, 24, 3)) + (0 if at % 2 else 150)
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, format="PNG")
    return stream.getvalue()


def _sound(at: int) -> bytes:
    import soundfile

    dice = np.random.default_rng(at)
    tone = (300 if at % 2 else 2_000) * (1 + 0.1 * dice.random())
    seconds = np.arange(int(8_000 * (0.3 + 0.2 * dice.random()))) / 8_000
    stream = io.BytesIO()
    soundfile.write(stream, 0.5 * np.sin(2 * np.pi * tone * seconds), 8_000, format="WAV")
    return stream.getvalue()
