"""Gates held against made answers: of some rows, beside the live model, gaps; what cannot be computed blocks."""

from typing import Any

import pytest

from modelmint.evaluation.answers import Answered
from modelmint.evaluation.comparison import beside_live, live_gates, paired
from modelmint.evaluation.gates import parse
from modelmint.evaluation.slicing.fairness import fairness
from modelmint.evaluation.slicing.slices import sliced
from modelmint.evaluation.speed import Speed
from modelmint.evaluation.verdicts import Evidence, verdicts

from .made import classified, rows

GIVEN = rows(600)


def held(gates: dict[str, Any], found: Answered, *, live: Answered | None = None, num_leaks: int = 0) -> list[Any]:
    return verdicts(
        parse(gates),
        Evidence(
            found=found,
            live=live,
            cheap=None,
            baseline=None,
            gaps=fairness(found, ["gender"], min_rows=30),
            num_leaks=num_leaks,
            size_mb=12.0,
            speed=Speed(p50_ms=3.0, rows_per_s=1_000.0),
            machine_hour="0.36 USD",
            min_rows=30,
            alpha=0.05,
        ),
    )


@pytest.fixture(scope="module")
def weak() -> Answered:
    """Right on 95 % of the rows, on 60 % of those by telephone."""
    return classified(GIVEN, lambda row: 0.6 if row["source"] == "phone call" else 0.95)


@pytest.fixture(scope="module")
def strong() -> Answered:
    return classified(GIVEN, 0.95, seed=2)


def test_a_gate_of_a_slice_is_of_its_rows_alone(weak: Answered) -> None:
    gates = {"accuracy": ">= 0.7", "accuracy[source=phone call]": ">= 0.7", "accuracy[source=app]": ">= 0.9"}
    assert [verdict["passed"] for verdict in held(gates, weak)] == [True, False, True]


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ({"accuracy[source=fax]": ">= 0.5"}, "there are 'phone call' (306), 'app' (294)"),
        ({"accuracy[source=phone cal]": ">= 0.5"}, "Did you mean source=phone call?"),
        ({"accuracy[sorce=app]": ">= 0.5"}, "Did you mean 'source'?"),
        ({"accuracy[age=30, source=app]": ">= 0"}, "fewer than min_slice_rows (30)"),
        ({"bleu": ">= 25"}, "which has accuracy, macro_f1"),
        ({"accuracy[source=app]": ">= live - 0.5"}, "there is no live to compare"),
        ({"accuracy": "not worse than live"}, "there is no live to compare"),
        ({"accuracy": ">= baseline"}, "there is no baseline to compare"),
        ({"fairness_gap[age_group]": "<= 0.1"}, "protected are: gender"),
        ({"cost_per_million": "<= 5 EUR"}, "is in USD, not in EUR"),
    ],
)
def test_what_cannot_be_computed_blocks_and_says_what_there_is(weak: Answered, gate: dict[str, str], said: str) -> None:
    (verdict,) = held(gate, weak)
    assert not verdict["passed"]
    assert said in verdict["reason"]


def test_a_slice_that_is_significantly_worse_than_live_is_refused(weak: Answered, strong: Answered) -> None:
    gates = {"accuracy[source=phone call]": "not worse than live", "accuracy[source=app]": "not worse than live"}
    verdict, other = held(gates, weak, live=strong)
    assert (verdict["passed"], other["passed"]) == (False, True)
    assert "McNemar's exact test, p = " in verdict["reason"]


def test_an_allowed_drop_on_a_slice_is_from_the_live_model_s_figure_there(weak: Answered, strong: Answered) -> None:
    gates = {"accuracy[source=phone call]": [">= live - 0.5", ">= live - 0.1"]}
    assert [verdict["passed"] for verdict in held(gates, weak, live=strong)] == [True, False]


def test_a_slice_that_got_worse_refuses_though_no_gate_names_it(weak: Answered, strong: Answered) -> None:
    better = classified(GIVEN, lambda row: 0.75 if row["source"] == "phone call" else 0.6, seed=5)
    slices = sliced(weak, ["source"], [], min_rows=30, alpha=0.05)
    verdict = live_gates(weak, better, slices, tolerance=0.01, alpha=0.05)[-1]
    assert verdict["name"] == "slices against live"
    assert "source=phone call" in verdict["reason"]


def test_time_size_cost_and_leaks_are_held(weak: Answered) -> None:
    gates = {"p50_ms": "<= 5", "size_mb": "<= 10", "cost_per_million": "<= 0.2 USD", "leaks": 0}
    found = held(gates, weak, num_leaks=2)
    assert [verdict["passed"] for verdict in found] == [True, False, True, False]
    assert found[2]["value"] == pytest.approx(0.1)


def test_a_gap_between_groups_is_of_the_figure_and_of_the_rate_of_a_label() -> None:
    found = classified(GIVEN, lambda row: 0.5 if row["gender"] == "F" else 1.0)
    gaps = fairness(found, ["gender"], min_rows=30)["gender"]
    assert gaps["figure_gap"]["value"] == pytest.approx(0.5, abs=0.08)
    assert (gaps["figure_gap"]["lowest"], gaps["figure_gap"]["highest"]) == ("F", "M")
    assert gaps["rate_gap"]["value"] < 0.2
    assert not held({"fairness_gap[gender]": "<= 0.1"}, found)[0]["passed"]


def test_the_same_answers_differ_in_nothing(weak: Answered) -> None:
    facts = beside_live(weak, weak, "live", alpha=0.05)
    assert (facts["p_value"], facts["difference"]["accuracy"]["value"]) == (1.0, 0.0)


def test_a_figure_that_is_no_share_is_compared_by_the_paired_bootstrap(weak: Answered, strong: Answered) -> None:
    found = paired(weak, strong, "log_loss")
    assert found is not None
    assert found.test == "paired bootstrap"
    assert found.is_worse(0.05)
    assert found.difference["low"] > 0
