import pytest

from modelmint.core.errors import InputError
from modelmint.core.gates import refusals
from modelmint.evaluation.gates import judge, parse


@pytest.mark.parametrize(
    ("condition", "passed"),
    [
        (">= 0.92", True),
        ("> 0.92", False),
        ("<= 0.92", True),
        ("< 0.92", False),
        (">=0.9", True),
        ("≥ 0.93", False),
        (">= baseline + 0.02", True),
        (">= baseline + .03", False),
        ("> baseline", True),
        (">= live - 0.01", True),
        (">= live", False),
        ("<= live", True),
    ],
)
def test_a_condition_is_held_against_the_figure_and_its_reference(condition: str, passed: bool) -> None:
    gates = parse({"accuracy": condition})
    verdicts = judge(gates, {"accuracy": 0.92}, baseline={"accuracy": 0.90}, live={"accuracy": 0.93})
    assert [verdict["passed"] for verdict in verdicts] == [passed]


def test_a_figure_exactly_at_a_limit_passes_although_binary_fractions_differ() -> None:
    assert judge(parse({"accuracy": ">= live - 0.1"}), {"accuracy": 0.7}, live={"accuracy": 0.8})[0]["passed"]


def test_a_list_of_conditions_is_one_gate_each() -> None:
    verdicts = judge(
        parse({"accuracy": [">= 0.9", ">= baseline + 0.05"], "ece": "<= 0.1"}),
        {"accuracy": 0.92, "ece": 0.2},
        baseline={"accuracy": 0.9},
    )
    assert [verdict["passed"] for verdict in verdicts] == [True, False, False]
    assert refusals(verdicts) == [
        "accuracy: must be >= baseline + 0.05 (0.9500); it is 0.9200",
        "ece: must be <= 0.1; it is 0.2000",
    ]


@pytest.mark.parametrize(
    ("gate", "figures"),
    [
        ({"accuracy": ">= live - 0.01"}, {"accuracy": 1.0}),
        ({"accuracy": ">= 0"}, {"macro_f1": 1.0}),
        ({"accuracy": ">= 0"}, {"accuracy": float("nan")}),
    ],
)
def test_a_gate_that_cannot_be_computed_blocks(gate: dict[str, str], figures: dict[str, float]) -> None:
    assert "cannot be computed blocks" in refusals(judge(parse(gate), figures))[0]


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        ({"acuracy": ">= 0.9"}, "accuracy, "),
        ({"accuracy": "0.9"}, ">=, <=, >, <"),
        ({"accuracy": 0.9}, ">= 0.90"),
        ({"accuracy": ">= best + 0.1"}, "baseline or live"),
        ({"accuracy": []}, "got []"),
        ({"accuracy": ">= 90"}, "from 0 to 1"),
        ({"accuracy": ">= baseline * 2"}, "plus or minus"),
        ({"leaks": "<= live"}, "cannot be compared with live"),
    ],
)
def test_an_unreadable_gate_says_what_is_allowed(gates: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match="gates") as caught:
        parse(gates)
    assert said in str(caught.value)


def test_a_figure_of_one_type_is_a_figure() -> None:
    assert judge(parse({"f1:PER": ">= 0.8"}), {"f1:PER": 0.9})[0]["passed"]


def test_a_figure_that_the_task_does_not_have_blocks() -> None:
    verdict = judge(parse({"bleu": ">= 25"}), {"accuracy": 0.9})[0]
    assert not verdict["passed"]
    assert "bleu could not be computed" in verdict["reason"]


@pytest.mark.parametrize(
    ("key", "where"),
    [
        ("accuracy[lang=zh]", (("lang", "=", "zh"),)),
        ("accuracy[source=phone call]", (("source", "=", "phone call"),)),
        ('f1:PER["the kind"="a, b = c"]', (("the kind", "=", "a, b = c"),)),
        ("macro_f1[lang=zh, length>=200]", (("lang", "=", "zh"), ("length", ">=", "200"))),
    ],
)
def test_a_gate_is_of_the_rows_between_its_brackets(key: str, where: tuple[tuple[str, str, str], ...]) -> None:
    assert parse({key: ">= live - 0.01"})[0].where == where


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        ({"acuracy[lang=zh]": ">= 0.9"}, "Did you mean 'accuracy'?"),
        ({"accuracy[lang]": ">= 0.9"}, "column=value"),
        ({"accuracy[]": ">= 0.9"}, "column=value"),
        ({"accuracy[age>old]": ">= 0.9"}, "column>number"),
        ({"fairness_gap": "<= 0.1"}, "fairness_gap[gender]"),
        ({"leaks[lang=zh]": 0}, "is of all rows"),
        ({"leak": 0}, "Did you mean 'leaks'?"),
        ({"accuracy": 1}, ">= 0.90"),
        ({"p50_ms": "<= 20 USD"}, "and a number"),
        ({"accuracy": "not worse than baseline"}, "not worse than live"),
    ],
)
def test_a_gate_of_some_rows_that_cannot_be_read_says_what_is_allowed(gates: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match="gates") as caught:
        parse(gates)
    assert said in str(caught.value)


def test_calibration_is_the_error_of_calibration_and_a_number_of_leaks_the_most() -> None:
    assert [(gate.metric, gate.allowed) for gate in parse({"calibration": "<= 0.05", "leaks": 0})] == [
        ("ece", "<= 0.05"),
        ("leaks", "<= 0"),
    ]


def test_a_price_may_have_its_currency_and_a_time_its_unit() -> None:
    assert [gate.allowed for gate in parse({"cost_per_million": "<= 2.5 USD", "p50_ms": "<= 20 ms"})] == [
        "<= 2.5 USD",
        "<= 20",
    ]
