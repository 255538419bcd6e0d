"""The catalogue of open data sets."""

import pytest
from pydantic import ValidationError

from modelmint.core.errors import InputError
from modelmint.core.forms import FORMS
from modelmint.core.licence_table import GROUPS
from modelmint.core.licences import judge
from modelmint.data.collect import CollectSpec
from modelmint.data.sources.open_sets import OpenSet, filled, find, open_set, open_sets


@pytest.mark.parametrize("one", open_sets().values(), ids=lambda one: one.name)
def test_every_set_is_whole(one: OpenSet) -> None:
    assert one.task in FORMS
    assert set(one.columns) <= set(FORMS[one.task].columns.names)
    assert one.url.startswith("https://")
    assert one.licence_certain is bool(one.checked)
    assert all(len(language) == 2 for language in one.languages)


@pytest.mark.parametrize("one", open_sets().values(), ids=lambda one: one.name)
def test_every_licence_is_in_the_table(one: OpenSet) -> None:
    names = {name for group in GROUPS for name in group.names.split()}
    assert set(judge(one.licence).licence.replace("(", "").replace(")", "").split()) - {"AND", "OR"} <= names


def test_every_task_has_a_set() -> None:
    assert {one.task for one in open_sets().values()} == set(FORMS)


def test_sets_are_found_by_task_language_and_sale() -> None:
    found = {one.name for one in find(task="text-classification", language="zh-Hans", sellable=True)}
    assert found == {"massive", "csl"}


@pytest.mark.parametrize("name", ["conll2003", "samsum", "alpaca", "ag_news", "imdb", "movielens_100k", "ontonotes5"])
def test_sets_that_may_not_surely_be_sold_are_not_among_the_sellable(name: str) -> None:
    assert name not in {one.name for one in find(sellable=True)}


def test_a_source_of_the_catalogue_is_filled_in() -> None:
    spec = filled({"source": "open:banking77"})
    assert spec == {
        "source": "hf://PolyAI/banking77",
        "task": "text-classification",
        "licence": "CC-BY-4.0",
        "consent": "public_data",
        "language": "en",
    }


def test_what_the_spec_states_wins() -> None:
    assert filled({"source": "open:clinc_oos", "label": "domain", "language": None})["label"] == "domain"


def test_another_source_is_left_alone() -> None:
    assert filled({"source": "data.csv"}) == {"source": "data.csv"}


def test_a_misspelt_name_is_refused_with_the_near_one() -> None:
    with pytest.raises(InputError) as refused:
        open_set("banking7")
    assert refused.value.remedy == "Did you mean open:banking77?"


def test_a_set_that_is_not_on_the_hub_says_where_it_is() -> None:
    with pytest.raises(InputError) as refused:
        filled({"source": "open:fsdd"})
    assert "github.com/Jakobovski" in str(refused.value.remedy)


def test_a_set_tells_its_verdict() -> None:
    body = open_set("snli").to_dict()
    assert (body["may_be_sold"], body["languages"]) == ("conditions", ["en"])


def test_collect_takes_a_source_of_the_catalogue() -> None:
    spec = CollectSpec.model_validate({"source": "open:clinc_oos"})
    assert (spec.source, spec.config, spec.label, spec.licence) == (
        "hf://clinc/clinc_oos",
        "plus",
        "intent",
        "CC-BY-3.0",
    )


@pytest.mark.parametrize("one", [one for one in open_sets().values() if one.hub], ids=lambda one: one.name)
def test_collect_takes_every_set_that_is_on_the_hub(one: OpenSet) -> None:
    assert CollectSpec.model_validate({"source": f"open:{one.name}"}).task == one.task


def test_collect_refuses_a_misspelt_name_with_the_near_one() -> None:
    with pytest.raises(ValidationError, match="open:banking77"):
        CollectSpec.model_validate({"source": "open:banking7"})
