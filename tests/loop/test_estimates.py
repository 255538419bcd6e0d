"""What was estimated beside what was taken."""

from modelmint.loop.estimates import compared


def test_the_error_is_the_share_by_which_the_estimate_was_above() -> None:
    found = compared(
        {"seconds": 90.0, "memory_bytes": 1100, "cost": "0.0025 USD", "parts": {}},
        {"seconds": 100.0, "memory_bytes": 1000, "cost": "0.0025 USD", "examples_per_s": 5},
    )
    assert found == {
        "seconds": {"estimate": 90.0, "actual": 100.0, "error": -0.1},
        "memory_bytes": {"estimate": 1100, "actual": 1000, "error": 0.1},
        "cost": {"estimate": "0.0025 USD", "actual": "0.0025 USD", "error": 0.0},
    }


def test_without_one_of_the_two_nothing_is_compared() -> None:
    assert (compared(None, {"seconds": 1}), compared({"seconds": 1}, None)) == ({}, {})


def test_costs_in_two_currencies_are_not_compared() -> None:
    assert compared({"cost": "1 USD"}, {"cost": "1 EUR"}) == {}


def test_a_figure_that_one_does_not_know_is_left_out() -> None:
    assert list(compared({"seconds": 2, "memory_bytes": 1}, {"seconds": 1})) == ["seconds"]
