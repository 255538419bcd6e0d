"""Slices: the worst first, few rows not judged, chance corrected for."""

import numpy as np
import pytest

from modelmint.core.errors import DataError
from modelmint.core.forms import FORMS
from modelmint.evaluation.answers import measured
from modelmint.evaluation.slicing.groups import groups_of, rows_where
from modelmint.evaluation.slicing.slices import sliced
from tests.evaluation.made import classified, columns, rows

FORM = FORMS["text-classification"]


def test_a_planted_weakness_is_found_and_stands_first() -> None:
    found = classified(rows(600), lambda row: 0.6 if row["source"] == "phone call" else 0.95)
    judged = sliced(found, ["source"], [], min_rows=30, alpha=0.05)["judged"]
    assert (judged[0]["column"], judged[0]["slice"], judged[0]["is_worse"]) == ("source", "phone call", True)
    assert judged[0]["figure"]["n"] == sum(source == "phone call" for source in found.truth["source"])


def test_a_slice_s_difference_is_to_the_rest() -> None:
    found = classified(rows(300), lambda row: 0.5 if row["source"] == "app" else 1.0)
    one = sliced(found, ["source"], [], min_rows=30, alpha=0.05)["judged"][0]
    assert one["difference"] == pytest.approx(one["figure"]["value"] - 1.0)


def test_with_nothing_planted_hardly_anything_is_called_worse() -> None:
    called = [
        any(one["is_worse"] for one in sliced(classified(rows(300, seed=at), 0.8, seed=at), ["source", "gender", "age"], [], min_rows=30, alpha=0.05)["judged"])
        for at in range(12)
    ]  # fmt: skip
    assert sum(called) <= 3


def test_a_slice_of_few_rows_is_named_and_not_judged() -> None:
    given = rows(200)
    for row in given[:3]:
        row["source"] = "fax"
    slices = sliced(classified(given), ["source"], [], min_rows=30, alpha=0.05)
    assert {"column": "source", "slice": "fax", "protected": False, "n": 3} in slices["too_few"]
    assert "fax" not in {one["slice"] for one in slices["judged"]}


def test_length_and_label_are_looked_at_unasked_and_none_where_none_is_asked() -> None:
    found = classified(rows(400))
    assert {"length", "label"} <= {one["column"] for one in sliced(found, None, [], min_rows=30, alpha=0.05)["judged"]}
    assert sliced(found, [], [], min_rows=30, alpha=0.05)["judged"] == []


def test_numbers_kept_as_text_are_cut_at_their_quarters() -> None:
    names = [group.name for group in groups_of("age", columns(rows(400)), FORM, seed=0)]
    assert len(names) == 4
    assert names[0].startswith("up to ")


def test_a_column_that_is_not_there_says_which_are_and_what_was_meant() -> None:
    with pytest.raises(DataError, match="none of text, label, source, gender, age") as caught:
        groups_of("sorce", columns(rows(10)), FORM, seed=0)
    assert "Did you mean 'source'?" in str(caught.value)


def test_texts_fall_into_clusters_named_by_their_words() -> None:
    given = rows(200)
    for at, row in enumerate(given):
        row["text"] = f"{'refund money' if at % 2 else 'password login'} number {at}"
    names = {group.name for group in groups_of("cluster", columns(given), FORM, seed=0)}
    assert any("refund" in name for name in names)
    assert any("login" in name for name in names)


def test_languages_are_told_apart() -> None:
    given = rows(60)
    for row in given[:30]:
        row["text"] = "请问我的银行卡什么时候能到"
    for row in given[30:]:
        row["text"] = "when will the new card of my bank account arrive at home"
    assert {group.name for group in groups_of("language", columns(given), FORM, seed=0)} == {"zh", "en"}


def test_conditions_hold_together_and_numbers_are_compared() -> None:
    given = rows(100)
    mask = rows_where((("source", "=", "app"), ("age", ">=", "40")), columns(given), FORM, seed=0)
    assert mask.tolist() == [row["source"] == "app" and int(row["age"]) >= 40 for row in given]


def test_a_figure_that_is_no_mean_is_measured_on_the_slice() -> None:
    errors = np.concatenate([np.full(50, 3.0), np.full(150, 1.0)])
    truth = {"_row": [str(at) for at in range(200)], "text": ["a b"] * 200, "label": [0.0] * 200, "kind": ["hard"] * 50 + ["easy"] * 150}  # fmt: skip
    found = measured("text-regression", FORMS["text-regression"], truth, [{"value": one} for one in errors], None, seconds=1, seed=0)  # fmt: skip
    first = sliced(found, ["kind"], [], min_rows=30, alpha=0.05)["judged"][0]
    assert (first["slice"], first["figure"]["value"], first["rest"]) == ("hard", 3.0, 1.0)


def test_the_auc_of_a_table_is_measured_on_the_slice() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 400)
    where = np.array(["near"] * 200 + ["far"] * 200)
    scores = np.clip(np.where(where == "near", labels * 0.4 + random.uniform(0, 0.6, 400), random.uniform(0, 1, 400)), 0.01, 0.99)  # fmt: skip
    truth = {"_row": [str(at) for at in range(400)], "label": [("no", "yes")[at] for at in labels], "where": where.tolist()}  # fmt: skip
    told = [{"label": "yes" if one > 0.5 else "no", "score": max(one, 1 - one), "probabilities": {"no": 1 - one, "yes": one}} for one in scores.tolist()]  # fmt: skip
    from modelmint.evaluation.predict import Predictions

    chances = Predictions(labels=("no", "yes"), probabilities=np.column_stack([1 - scores, scores]).astype(np.float32))
    found = measured("tabular-classification", FORMS["tabular-classification"], truth, told, chances, seconds=1, seed=0)
    slices = sliced(found, ["where"], [], min_rows=30, alpha=0.05)
    assert (slices["figure"], slices["judged"][0]["slice"]) == ("auc", "far")
