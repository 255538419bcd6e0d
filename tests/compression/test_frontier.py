"""choose, the gates, the frontier and cost: which variant is served, and what it costs."""

from typing import Any

import pytest

from modelmint.compression.frontier import Candidate, choose, frontier
from modelmint.compression.gates import judge, parse
from modelmint.compression.measure import cost_per_million
from modelmint.core.errors import InputError


def candidate(name: str, gates: dict[str, str] | None = None, **changes: Any) -> Candidate:
    figures = {"size_mb": 100.0, "throughput_per_s": 100.0, "p50_ms": 5.0, "accuracy_drop": 0.0, "agreement": 1.0}
    figures |= changes
    return Candidate(name=name, figures=figures, verdicts=judge(parse(gates or {}), figures))


def test_the_cheapest_is_the_one_that_answers_most_a_second() -> None:
    slow, fast = candidate("onnx-fp32"), candidate("onnx-int8", throughput_per_s=300.0, size_mb=500)
    assert choose([slow, fast], "cheapest") is fast


def test_the_fastest_is_the_one_that_answers_one_text_soonest() -> None:
    many, soon = candidate("onnx-fp32", throughput_per_s=300.0), candidate("onnx-int8", p50_ms=2.0)
    assert choose([many, soon], "fastest") is soon


def test_the_smallest_is_the_smallest_file() -> None:
    fast, small = candidate("onnx-fp32", throughput_per_s=300.0), candidate("onnx-int8", size_mb=99.0)
    assert choose([fast, small], "smallest") is small


def test_of_two_that_are_about_as_fast_the_smaller_is_chosen() -> None:
    large, small = candidate("onnx-fp32", throughput_per_s=105.0), candidate("onnx-int8", size_mb=25.0)
    assert choose([large, small], "cheapest") is small


def test_one_that_loses_too_much_accuracy_is_not_chosen() -> None:
    exact, lossy = candidate("onnx-fp32"), candidate("onnx-int8", throughput_per_s=300.0, accuracy_drop=0.006)
    assert choose([exact, lossy], "cheapest") is exact


def test_a_figure_exactly_at_its_limit_passes() -> None:
    assert not candidate("onnx-int8", accuracy_drop=0.935 - 0.93, agreement=0.99).failures


def test_a_gate_that_the_recipe_states_takes_the_place_of_the_usual_one() -> None:
    pupil = candidate("static/onnx-int8", {"accuracy_drop": "<= 0.02", "agreement": ">= 0.9"}, accuracy_drop=0.015)
    assert not pupil.failures


def test_a_gate_on_size_alone_leaves_the_usual_ones_standing() -> None:
    assert candidate("onnx-int8", {"size_mb": "<= 200"}, agreement=0.9).failed == {"agreement"}


def test_a_gate_that_cannot_be_computed_blocks() -> None:
    assert candidate("onnx-int8", {"peak_mb": "<= 200"}).failed == {"peak_mb"}


def test_where_none_passes_fp32_is_taken_if_only_accuracy_is_against_it() -> None:
    fp32 = candidate("onnx-fp32", accuracy_drop=0.02)
    assert choose([fp32, candidate("onnx-int8", agreement=0.9)], "cheapest") is fp32


def test_where_fp32_is_too_slow_none_is_chosen() -> None:
    assert choose([candidate("onnx-fp32", {"p50_ms": "<= 1"}, accuracy_drop=0.02)], "cheapest") is None


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        ({"size_mbs": "<= 1"}, "Did you mean 'size_mb'"),
        ({"size_mb": "30"}, "must be >=, <=, >, < and a number"),
        ({"agreement": ">= 99"}, "Write 99 % as 0.99"),
    ],
)
def test_a_gate_that_is_none_is_named(gates: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(gates)
    assert said in str(caught.value)


def test_the_frontier_holds_those_that_no_other_beats() -> None:
    assert frontier([(100, 0.93), (300, 0.92), (200, 0.91), (300, 0.90), (50, 0.93)]) == [0, 1]


def test_a_million_texts_at_a_thousand_a_second_cost_a_machine_for_a_thousand_seconds() -> None:
    assert str(cost_per_million(1000.0, "0.36 USD")) == "0.1000 USD"
