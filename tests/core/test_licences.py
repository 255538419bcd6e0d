"""Which licences allow a model to be sold."""

import pytest

from modelmint.core.licence_table import GROUPS, OTHER_NAMES
from modelmint.core.licences import canonical, judge, together


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC0-1.0", "yes"),
        ("LicenseRef-Own", "yes"),
        ("MIT", "conditions"),
        ("Apache-2.0", "conditions"),
        ("CC-BY-4.0", "conditions"),
        ("CC-BY-SA-3.0", "conditions"),
        ("ODbL-1.0", "conditions"),
        ("GPL-3.0-or-later", "conditions"),
        ("llama3.1", "conditions"),
        ("gemma", "conditions"),
        ("creativeml-openrail-m", "conditions"),
        ("CC-BY-NC-4.0", "no"),
        ("cc-by-nc-sa-4.0", "no"),
        ("CC-BY-ND-4.0", "no"),
        ("research-only", "no"),
        ("qwen-research", "no"),
        ("LicenseRef-No-Redistribution", "no"),
        ("NONE", "no"),
        ("other", "unknown"),
        ("proprietary", "unknown"),
        ("unknown", "unknown"),
        ("LicenseRef-Of-A-Firm", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_licence_says_whether_it_may_be_sold(licence: str, expected: str) -> None:
    assert judge(licence).may_be_sold == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT AND CC-BY-NC-4.0", "no"),
        ("MIT OR CC-BY-NC-4.0", "conditions"),
        ("CC0-1.0 AND MIT", "conditions"),
        ("CC0-1.0 OR MIT AND CC-BY-NC-4.0", "yes"),
        ("(CC0-1.0 OR MIT) AND CC-BY-NC-4.0", "no"),
        ("CC-BY-NC-4.0 AND other", "no"),
        ("MIT OR other", "conditions"),
        ("MIT AND other", "unknown"),
        ("GPL-2.0-or-later WITH Classpath-exception-2.0", "conditions"),
        ("GPL-2.0+", "conditions"),
        ("((((mit))))", "conditions"),
    ],
)
def test_expressions_are_combined(expression: str, expected: str) -> None:
    assert judge(expression).may_be_sold == expected


@pytest.mark.parametrize(
    "wrong", ["MIT AND", "AND MIT", "(MIT", "MIT)", "MIT Apache-2.0", "MIT & X", "(" * 99, "x" * 9999]
)
def test_what_is_no_expression_is_unknown_and_says_so(wrong: str) -> None:
    judged = judge(wrong)
    assert (judged.may_be_sold, judged.why != "") == ("unknown", True)


def test_both_sides_of_and_are_owed() -> None:
    owed = [one.split(":")[0] for one in judge("MIT AND CC-BY-SA-4.0").obligations]
    assert owed == ["notice", "attribution", "share-alike"]


def test_only_the_chosen_side_of_or_is_owed() -> None:
    judged = judge("CC-BY-NC-4.0 OR MIT")
    assert ([one.split(":")[0] for one in judged.obligations], judged.why[:3]) == (["notice"], "MIT")


def test_a_misspelt_licence_is_unknown_with_the_near_one() -> None:
    assert "did you mean Apache-2.0?" in judge("Apache2.0").why


@pytest.mark.parametrize(
    ("given", "expected"), [("cc-by-4.0", "CC-BY-4.0"), ("llama3", "LicenseRef-Llama-3"), ("X", "X")]
)
def test_names_of_hubs_become_identifiers(given: str, expected: str) -> None:
    assert canonical(given) == expected


def test_nothing_together_is_unknown() -> None:
    assert together([]).may_be_sold == "unknown"


def test_every_other_name_leads_into_the_table_and_none_stands_twice() -> None:
    names = [name for group in GROUPS for name in group.names.split()]
    assert set(OTHER_NAMES.values()) <= set(names)
    assert len(names) == len(set(names))
