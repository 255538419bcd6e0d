"""The conditions that a recipe puts on what preflight finds."""

import pytest

from modelmint.core.errors import InputError
from modelmint.core.gates import refusals
from modelmint.data.inspection.gates import Figure, judge, parse

FOUND = {
    "leaks": Figure(value=3, total=200),
    "truncated": Figure(value=12, total=1000),
    "duplicates": Figure(value=0, total=0),
    "imbalance": Figure(value=51.5),
    "suspects": Figure(why="no base is given"),
    "estimate_cost": Figure(value=0.4, word="USD"),
    "licence": Figure(word="no", why="CC-BY-NC-4.0 allows non-commercial use only"),
}


@pytest.mark.parametrize(
    ("name", "condition", "passed"),
    [
        ("leaks", 0, False),
        ("leaks", 3, True),
        ("leaks", "<= 2%", True),
        ("leaks", "< 1.5%", False),
        ("leaks", "<= 1.5 %", True),
        ("truncated", "<= 0.012", True),
        ("truncated", 0.011, False),
        ("truncated", "<= 12", True),
        ("duplicates", "<= 5%", True),
        ("imbalance", "≤ 50", False),
        ("imbalance", ["<= 60", ">= 2"], True),
        ("estimate_cost", "<= 0.50 USD", True),
        ("estimate_cost", "<= 0.30 USD", False),
        ("estimate_cost", "<= 5 EUR", False),
        ("licence", "sellable", False),
        ("suspects", "<= 2%", False),
        ("rows", ">= 1", False),
    ],
)
def test_a_condition_is_held_against_what_was_found(name: str, condition: object, passed: bool) -> None:
    assert all(verdict["passed"] for verdict in judge(parse({name: condition}), FOUND)) is passed


@pytest.mark.parametrize(
    ("name", "condition", "said"),
    [
        ("leaks", 0, "leaks: must be <= 0; it is 3 of 200"),
        ("leaks", "<= 1%", "leaks: must be <= 1%; it is 1.50% (3 of 200)"),
        ("licence", "sellable", "licence: must be sellable; it is no: CC-BY-NC-4.0 allows non-commercial use only"),
        ("suspects", 0, "suspects: must be <= 0; no base is given, and a gate that cannot be computed blocks"),
        ("estimate_cost", "<= 5 EUR", "estimate_cost: must be <= 5 EUR; it is known in USD alone, and a gate that cannot be computed blocks"),
    ],
)  # fmt: skip
def test_a_refusal_is_a_sentence(name: str, condition: object, said: str) -> None:
    assert refusals(judge(parse({name: condition}), FOUND)) == [said]


def test_an_unknown_name_is_refused_with_the_near_one() -> None:
    with pytest.raises(InputError, match="must name one of") as refused:
        parse({"leeks": 0})
    assert refused.value.remedy == "Did you mean 'leaks'?"


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("leaks", "few"),
        ("leaks", "== 3"),
        ("leaks", []),
        ("leaks", True),
        ("leaks", None),
        ("leaks", "<= 150%"),
        ("imbalance", "<= 5%"),
        ("estimate_cost", "<= 3"),
        ("estimate_cost", "<= 3 XXX"),
        ("licence", "free"),
        ("rows", ">= 10 USD"),
    ],
)
def test_what_is_no_condition_is_refused(name: str, condition: object) -> None:
    with pytest.raises(InputError) as refused:
        parse({name: condition})
    assert refused.value.parameter == f"gates.{name}"
