"""The card and the page of every task, not of one label a text alone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.inputs import SERVED, WRITTEN
from modelmint.core.types import Report
from modelmint.training.tasks import TASKS as TRAINED
from modelmint.trust.report import ReportSpec
from modelmint.trust.tasks import TASKS

Written = Callable[..., tuple[Report, str, str]]


@pytest.fixture
def of_task(written: Written, desk: StagingDesk) -> Callable[..., tuple[Report, str, str]]:
    """The card and the page of an evaluation of a task: its figures, (value, low, high) each, the main one first."""

    def run(task: str, figures: dict[str, tuple[float, float, float]], **spec: Any) -> tuple[Report, str, str]:
        metrics = {
            name: {"value": one, "low": low, "high": high, "n": 300} for name, (one, low, high) in figures.items()
        }
        main = next(iter(figures))
        worse = {name: {**one, "value": one["value"] * 0.9} for name, one in metrics.items()}
        beside = {"name": "cheap", "metrics": worse, "difference": {main: {"value": 1.0, "low": 0.5, "high": 1.5}}}
        facts = {"task": task, "figure": main, "metrics": metrics, "baseline": beside, "gates": [], "refused": []}
        compression = {"metric": main, "refused": [], "variants": [
            {"name": "one", "size_bytes": 1_000, "chosen": True, "agreement": 1.0, "metrics": metrics}]}  # fmt: skip
        parity = {"num_rows": 300, "agreement": 0.998, "refused": [], "gates": []}
        return written(
            spec=ReportSpec(**spec),
            evaluation=desk.report("evaluation", facts),
            compression=desk.report("compression", compression),
            parity=desk.report("parity", parity),
        )

    return run


def test_every_task_that_is_trained_has_its_words() -> None:
    assert set(TASKS) == set(TRAINED)


def test_every_task_that_is_served_says_how_it_is_called() -> None:
    assert [name for name in (*SERVED, *WRITTEN) if TASKS[name].call is None] == []


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_card_is_written_for_every_task(of_task: Callable[..., Any], task: str, language: str) -> None:
    card, readme, page = of_task(task, {"bleu": (39.9, 38.3, 41.5)}, language=language)
    front = yaml.safe_load(readme.split("---\n")[1])
    assert card.facts["summary"]["metrics"]["bleu"]["value"] == 39.9
    assert front.get("pipeline_tag") == TASKS[task].hub
    assert "38.3–41.5" in readme
    assert "39.9" in page
    assert not re.search(r">None<|\bnan\b|{thing}", page)


def test_a_figure_that_is_no_share_is_written_as_a_number(of_task: Callable[..., Any]) -> None:
    _, readme, _ = of_task("text2text-generation", {"bleu": (39.9, 38.3, 41.5), "chrf": (59.5, 58.0, 61.0)})
    assert "On 300 test texts that took no part in its training its BLEU is 39.9." in readme
    assert "the true BLEU lies between 38.3 and 41.5" in readme


def test_a_figure_that_is_better_low_counts_as_worse_where_it_is_higher(of_task: Callable[..., Any]) -> None:
    limits = of_task("text-regression", {"rmse": (0.5, 0.4, 0.6)})[0].facts["limits"]
    assert any("not clearly better than the cheap baseline" in one for one in limits)  # it is higher by 0.5 at least


def test_images_are_called_images(of_task: Callable[..., Any]) -> None:
    _, readme, page = of_task("image-classification", {"accuracy": (0.9, 0.85, 0.95)})
    assert "On 300 test images that took no part in its training its accuracy is 90.0%." in readme
    assert '"input": {"image": "BASE64"}' in readme
    assert "one image, on this machine" in page or "300 test images" in page


def test_a_chat_is_asked_by_its_own_route(of_task: Callable[..., Any]) -> None:
    _, readme, _ = of_task("chat", {"answer_loss": (1.2, 1.1, 1.3)})
    assert '"$MODELMINT_URL/v1/chat/completions"' in readme
    assert 'one["message"]["content"]' in readme


def test_what_no_endpoint_answers_has_no_example(of_task: Callable[..., Any]) -> None:
    _, readme, _ = of_task("masked-language-model", {"perplexity": (20.0, 18.0, 22.0)})
    assert "curl" not in readme
