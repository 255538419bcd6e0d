"""Every task has a figure of some rows, a paired test beside another model, and its worst rows."""

from typing import Any

import numpy as np
import pytest

from modelmint.core.forms import FORMS
from modelmint.evaluation.answers import Answered, measured
from modelmint.evaluation.comparison import paired
from modelmint.evaluation.slicing.slices import sliced

NUM = 120
RIGHT = {
    "multi-label-classification": ({"text": "a b", "labels": ["x", "y"]}, {"labels": ["x", "y"], "scores": [0.9, 0.9]}),
    "token-classification": ({"tokens": ["Ann", "ran"], "tags": ["B-PER", "O"]}, {"tags": ["B-PER", "O"]}),
    "question-answering": ({"question": "who", "context": "the fox", "answer": "fox"}, {"answer": "fox"}),
    "text2text-generation": ({"text": "ein Hund", "target": "a big red dog"}, {"text": "a big red dog"}),
    "text-generation": ({"text": "abcd"}, {"loss": 2.0, "tokens": 4}),
    "chat": (
        {"messages": [{"role": "assistant", "content": "yes"}]},
        {"content": "yes", "finish": "stop", "loss": 1.0, "tokens": 2},
    ),
    "preference": (
        {"prompt": [], "chosen": [], "rejected": []},
        {"chosen": {"log_probability": -1.0, "tokens": 2}, "rejected": {"log_probability": -4.0, "tokens": 2}},
    ),
    "recommendation": ({"user": "u", "item": "i"}, {"items": [{"item": "i", "score": 1.0}]}),
    "text-regression": ({"text": "a b", "label": 2.0}, {"value": 2.1}),
    "tabular-regression": ({"size": 3.0, "label": 2.0}, {"value": 2.1}),
}
WRONG: dict[str, dict[str, Any]] = {
    "multi-label-classification": {"labels": ["z"], "scores": [0.9]},
    "token-classification": {"tags": ["O", "B-PER"]},
    "question-answering": {"answer": "hen"},
    "text2text-generation": {"text": "no cat"},
    "text-generation": {"loss": 9.0, "tokens": 4},
    "chat": {"content": "no", "finish": "length", "loss": 9.0, "tokens": 2},
    "preference": {
        "chosen": {"log_probability": -9.0, "tokens": 2},
        "rejected": {"log_probability": -4.0, "tokens": 2},
    },
    "recommendation": {"items": [{"item": "j", "score": 1.0}]},
    "text-regression": {"value": 7.0},
    "tabular-regression": {"value": 7.0},
}


def made(task: str, *, bad_in_b: int, bad_in_a: int = 3) -> Answered:
    """Rows of sources a and b in turn; every so many-th answer is wrong."""
    row, right = RIGHT[task]
    truth = {name: [cell] * NUM for name, cell in row.items()}
    truth |= {"_row": [str(at) for at in range(NUM)], "source": ["ab"[at % 2] for at in range(NUM)]}
    if task.endswith("regression"):
        truth["label"] = np.linspace(1.9, 2.1, NUM).tolist()
    answers = [WRONG[task] if (at // 2) % 20 < (bad_in_b if at % 2 else bad_in_a) else right for at in range(NUM)]
    return measured(task, FORMS[task], truth, answers, None, seconds=1.0, seed=0)


@pytest.mark.parametrize("task", RIGHT)
def test_the_weak_slice_is_found(task: str) -> None:
    slices = sliced(made(task, bad_in_b=15), ["source"], [], min_rows=30, alpha=0.05)
    assert slices is not None
    first = next(one for one in slices["judged"] if one["column"] == "source")
    assert (first["slice"], first["is_worse"]) == ("b", True)


@pytest.mark.parametrize("task", RIGHT)
def test_a_worse_model_is_told_from_the_live_one(task: str) -> None:
    worse, live = made(task, bad_in_b=12, bad_in_a=12), made(task, bad_in_b=2, bad_in_a=2)
    test = paired(worse, live, worse.main)
    assert test is not None
    assert test.is_worse(0.05)
    assert not paired(live, worse, worse.main).is_worse(0.05)  # type: ignore[union-attr]


@pytest.mark.parametrize("task", RIGHT)
def test_the_worst_rows_are_shown_first(task: str) -> None:
    found = made(task, bad_in_b=2, bad_in_a=2)
    worst = found.shown()[0]
    assert int(worst["_row"]) // 2 % 20 < 2
