"""Corrections become preferences that `train` reads."""

import pytest

from modelmint.catalog.catalog import Catalog
from modelmint.core.errors import InputError
from modelmint.core.tables import read
from modelmint.feedback.collect import record
from modelmint.feedback.pairs import preferences
from tests.feedback.test_collect import served


def test_a_correction_is_preferred_to_the_answer_that_was_given(catalog: Catalog) -> None:
    record(catalog, served(catalog, ["Hello?"]), correction="Good day!")
    [row] = read(catalog.dataset(preferences(catalog, "support"))).to_pylist()
    said = [(row[name][0]["role"], row[name][0]["content"]) for name in ("prompt", "chosen", "rejected")]
    assert said == [("user", "Hello?"), ("assistant", "Good day!"), ("assistant", "x")]


def test_feedback_that_corrects_nothing_is_counted(catalog: Catalog) -> None:
    identifier = served(catalog, ["Hello?"])
    for said in ({"rating": 1}, {"label": "x"}, {"label": "y"}):
        record(catalog, identifier, **said)
    facts = catalog.dataset(preferences(catalog, "support")).facts
    assert facts["left_out"] == {"no_correction": 1, "same_answer": 1}
    assert (facts["task"], facts["num_rows"]) == ("preference", 1)


def test_the_same_feedback_gives_the_same_dataset(catalog: Catalog) -> None:
    record(catalog, served(catalog, ["Hello?"]), correction="Good day!")
    assert preferences(catalog, "support") == preferences(catalog, "support")


def test_an_endpoint_without_a_correction_is_refused(catalog: Catalog) -> None:
    record(catalog, served(catalog, ["Hello?"]), rating=-1)
    with pytest.raises(InputError, match="of 1 none has one"):
        preferences(catalog, "support")
