"""The stage: its facts, and that it holds with little given and with odd data."""

from collections.abc import Callable
from typing import Any

import pytest

from modelmint.core.types import Report
from modelmint.trust.report import ReportSpec

Written = Callable[..., tuple[Report, str, str]]

OPTIONAL = ("preflight", "deidentification", "training", "curation", "validation", "quarantine")


def test_facts_hold_the_headline_figures(written: Written) -> None:
    card, _, _ = written(num_test=240)
    summary = card.facts["summary"]
    assert summary["metrics"]["accuracy"]["n"] == 240
    assert summary["rows"] == {"in": 1366, "quarantined": 46, "train": 960, "validation": 120, "test": 240}


def test_equal_inputs_give_an_equal_digest(written: Written) -> None:
    assert written()[0].digest == written()[0].digest


def test_facts_hold_no_times(written: Written) -> None:
    assert "1 min 11 s" not in str(written()[0].facts)


@pytest.mark.parametrize("missing", OPTIONAL)
def test_report_is_written_without_an_optional_input(written: Written, missing: str) -> None:
    _, readme, page = written(without=(missing,), num_test=60)
    assert "nan" not in page.lower().split()
    assert readme.startswith("---\n")


def test_report_is_written_without_any_optional_input_or_licence(written: Written) -> None:
    card, _, page = written(labels=["no", "yes"], num_test=40, without=OPTIONAL, licences=())
    assert "Where the rows went" in page
    assert any("No licence was recorded" in sentence for sentence in card.facts["limits"])


def test_feedback_rows_are_not_counted_as_rows_in(written: Written) -> None:
    card, _, page = written(without=())
    assert card.facts["summary"]["rows"]["in"] == 1366 - 50
    assert "Of 40 feedback entries, 25 became new training rows." in page


@pytest.mark.parametrize("labels", [["no", "yes"], [f"label {at:03d}" for at in range(300)], ["退货", "退款", "投诉"]])
def test_every_label_is_on_the_page(written: Written, labels: list[str]) -> None:
    _, _, page = written(labels=labels, num_test=2 * len(labels))
    assert all(label in page for label in labels)


def test_title_is_plain_when_none_is_given(written: Written) -> None:
    assert written(spec=ReportSpec())[0].facts["title"] == "Text classifier with 18 labels"


@pytest.mark.parametrize(
    "given", [{"language": "fr"}, {"dataset": "a b"}, {"url": "javascript:alert(1)"}, {"title": " "}, {"tittle": "x"}]
)
def test_spec_refuses_what_it_cannot_use(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        ReportSpec(**given)
