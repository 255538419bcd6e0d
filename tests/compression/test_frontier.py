"""choose and cost: which variant is served, and what it costs."""

from typing import Any

import pytest

from modelmint.compression.frontier import Candidate, Limits, choose
from modelmint.compression.measure import cost_per_million

LIMITS = Limits(max_accuracy_drop=0.005, min_agreement=0.99)


def candidate(name: str, **changes: Any) -> Candidate:
    values = {"size_bytes": 100, "texts_per_s": 100.0, "accuracy_drop": 0.0, "num_rows": 4000, "num_differing": 0}
    return Candidate(name=name, **{**values, **changes})


def test_the_fastest_that_passes_is_chosen() -> None:
    slow, fast = candidate("onnx-fp32"), candidate("onnx-int8", texts_per_s=300.0, size_bytes=500)
    assert choose([slow, fast], LIMITS) is fast


def test_of_two_that_are_about_as_fast_the_smaller_is_chosen() -> None:
    large, small = candidate("onnx-fp32", texts_per_s=105.0), candidate("onnx-int8", size_bytes=25)
    assert choose([large, small], LIMITS) is small


def test_one_that_loses_too_much_accuracy_is_not_chosen() -> None:
    exact, lossy = candidate("onnx-fp32"), candidate("onnx-int8", texts_per_s=300.0, accuracy_drop=0.006)
    assert choose([exact, lossy], LIMITS) is exact


def test_a_drop_exactly_at_the_limit_passes() -> None:
    assert not LIMITS.failures(candidate("onnx-int8", accuracy_drop=0.935 - 0.93))


@pytest.mark.parametrize(("num_rows", "num_differing", "agrees"), [
    (4000, 40, True),
    (4000, 41, False),
    (300, 3, True),
    (300, 4, False),
])  # fmt: skip
def test_ninety_nine_of_a_hundred_rows_must_agree(num_rows: int, num_differing: int, agrees: bool) -> None:
    assert LIMITS.agrees(candidate("onnx-int8", num_rows=num_rows, num_differing=num_differing)) == agrees


def test_where_none_passes_fp32_is_taken_if_it_agrees() -> None:
    fp32 = candidate("onnx-fp32", accuracy_drop=0.02)
    assert choose([fp32, candidate("onnx-int8", num_differing=400)], LIMITS) is fp32


def test_where_none_agrees_none_is_chosen() -> None:
    assert choose([candidate("onnx-fp32", num_differing=400)], LIMITS) is None


def test_a_million_texts_at_a_thousand_a_second_cost_a_machine_for_a_thousand_seconds() -> None:
    assert str(cost_per_million(1000.0, "0.36 USD")) == "0.1000 USD"
