"""Limits follow from the figures."""

from collections.abc import Callable
from typing import Any

import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.types import Report

Written = Callable[..., tuple[Report, str, str]]

EVALUATION: dict[str, Any] = {
    "metrics": {"accuracy": {"value": 0.9, "low": 0.85, "high": 0.94, "n": 200}},
    "baseline": {"name": "majority label",
                 "metrics": {"accuracy": {"value": 0.89, "low": 0.84, "high": 0.93, "n": 200}},
                 "difference": {"accuracy": {"value": 0.01, "low": -0.02, "high": 0.04, "n": 200}}},
    "per_class": [{"label": "cancel_order", "precision": 0.4, "recall": 0.4, "f1": 0.4, "support": 5},
                  {"label": "never_learned", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 20},
                  {"label": "track_order", "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 175}],
    "confusions": [{"truth": "cancel_order", "predicted": "track_order", "count": 3}],
    "calibration": {"log_loss": 0.5, "ece": 0.2, "bins": [
        {"low": 0.9, "high": 1.0, "num_rows": 200, "confidence": 0.98, "accuracy": 0.9}]},
    "gates": [{"name": "accuracy", "allowed": ">= 0.95", "value": 0.9, "passed": False, "reason": "x"}],
    "refused": ["accuracy: must be >= 0.95; it is 0.9000"]}  # fmt: skip


@pytest.mark.parametrize(
    "sentence",
    [
        "Refused by a gate: accuracy: must be >= 0.95; it is 0.9000.",
        "It is not clearly better than the cheap baseline",
        "Measured on 200 test texts: with 95% confidence the true accuracy lies between 85.0% and 94.0%.",
        "Its scores are too high by 8 points on average",
        "Weak labels, with an F1 below 0.80: never_learned (0.00), cancel_order (0.40).",
        "In the test set but never learned, so always wrong: never_learned.",
        "1 of 18 labels have fewer than 10 test texts",
        "Its most frequent mistake: cancel_order called track_order, 3 times.",
        "Not measured at all, for want of test texts: change_address, return_item, refund_status",
    ],
)
def test_a_weakness_in_the_figures_is_stated(written: Written, desk: StagingDesk, sentence: str) -> None:
    limits = written(evaluation=desk.report("evaluation", EVALUATION))[0].facts["limits"]
    assert any(said.startswith(sentence) for said in limits), limits


def test_a_refused_model_is_not_called_passed(written: Written, desk: StagingDesk) -> None:
    page = written(evaluation=desk.report("evaluation", EVALUATION))[2]
    assert "All gates passed" not in page
    assert "Refused by its gates" in page


def test_what_a_person_let_pass_is_told_with_who_and_why(written: Written, desk: StagingDesk) -> None:
    word = {"stage": "evaluate", "by": "anna", "reason": "the <b>rows</b> are known.", "refused": [], "reports": []}
    card, readme, page = written(
        evaluation=desk.report("evaluation", EVALUATION), overrides=(desk.report("override", word),)
    )
    said = "A person let evaluate pass all the same, anna: the <b>rows</b> are known."
    assert said in card.facts["limits"]
    assert "Refused by its gates, let pass by a person" in page
    assert "<b>rows</b>" not in page + readme


def test_masking_is_no_promise(written: Written) -> None:
    assert any("names and free descriptions" in said for said in written()[0].facts["limits"])


def test_a_base_for_another_language_is_stated(written: Written, desk: StagingDesk) -> None:
    preflight = desk.report(
        "preflight", {"tokens": {"unknown_share": 0.3}, "truncated": {}, "labels": {"alike": [["A", "a"]]}}
    )
    limits = written(preflight=preflight)[0].facts["limits"]
    assert any(said.startswith("The base does not know 30.0% of the tokens") for said in limits)
