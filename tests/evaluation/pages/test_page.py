"""The page of an evaluation: what it shows, escaped, for labels in any script and for tasks without labels."""

from typing import Any

import pytest

from modelmint.core.forms import FORMS
from modelmint.evaluation.answers import Answered, measured
from modelmint.evaluation.comparison import beside_live
from modelmint.evaluation.metrics.classification import calibration, confusions, heat, per_class
from modelmint.evaluation.pages.page import evaluation_page
from modelmint.evaluation.slicing.fairness import fairness
from modelmint.evaluation.slicing.slices import sliced
from tests.evaluation.made import classified, rows


def facts(found: Answered, **more: Any) -> dict[str, Any]:
    return {
        "task": found.task,
        "num_rows": len(found.answers),
        "figure": found.main,
        "metrics": found.figures,
        "baseline": None,
        "live": None,
        "slices": sliced(found, None, ["gender"] if "gender" in found.truth else [], min_rows=30, alpha=0.05),
        "fairness": {},
        "gates": [],
        "refused": [],
        "warnings": [],
        **more,
    }


@pytest.fixture(scope="module")
def page() -> str:
    found = classified(rows(400), lambda row: 0.5 if row["source"] == "app" else 0.9)
    live = classified(rows(400), 0.9, seed=4)
    truth, told = ([{"card": "信用卡", "cash": "<b>cash</b>"}.get(label, label) for label in labels] for labels in found.labels or ((), ()))  # fmt: skip
    assert found.chances is not None
    return evaluation_page(
        facts(
            found,
            slices=sliced(found, ["source"], ["gender"], min_rows=30, alpha=0.05),
            fairness=fairness(found, ["gender"], min_rows=30),
            live=beside_live(found, live, "intents-1", alpha=0.05),
            per_class=per_class(truth, told),
            confusions=confusions(truth, told),
            heat=heat(truth, told),
            calibration=calibration(found.truth["label"], found.chances.labels, found.chances.probabilities),
            errors=[{"_row": "r1", "text": "where is <script>", "label": "信用卡", "predicted": "cash", "score": 0.8}],
            gates=[{"name": "accuracy[source=app]", "allowed": ">= 0.9", "value": 0.5, "passed": False, "reason": "x"}],
            refused=["accuracy[source=app]: must be >= 0.9; it is 0.5000"],
        ),
        {"seconds": 1.0, "examples_per_s": 400.0},
        name="questions",
    )


@pytest.mark.parametrize(
    "said",
    [
        "source: app",
        "信用卡",
        "Slices, the worst first",
        "Groups by gender",
        "Beside the live model",
        "McNemar&#39;s exact test for Accuracy",
        "Reliability",
        'class="heat"',
        "✕ refused",
        "Macro-F1",
    ],
)
def test_it_says_what_was_found(page: str, said: str) -> None:
    assert said in page


def test_what_comes_from_rows_is_escaped(page: str) -> None:
    assert "<b>cash</b>" not in page
    assert "<script" not in page


def test_of_a_task_without_labels_it_shows_the_worst_rows() -> None:
    truth = {"_row": ["a", "b", "c"], "text": ["one", "two", "three"], "label": [1.0, 2.0, 3.0]}
    told = [{"value": 1.0}, {"value": 9.0}, {"value": 3.0}]
    found = measured("text-regression", FORMS["text-regression"], truth, told, None, seconds=1.0, seed=0)
    shown = found.shown()
    assert (shown[0]["_row"], shown[0]["figure"]) == ("b", 7.0)
    assert "The worst answers" in evaluation_page(facts(found, shown=shown), {"seconds": 1.0}, name="numbers")


def test_many_labels_are_drawn_by_those_that_are_mixed_up_most() -> None:
    truth = [f"l{at % 40:02}" for at in range(400)]
    told = ["l01" if label == "l00" else label for label in truth]
    drawn = heat(truth, told)
    assert (drawn["labels"][:2], len(drawn["labels"]), drawn["num_others"]) == (["l00", "l01"], 20, 20)
    assert sum(map(sum, drawn["counts"])) == 400
