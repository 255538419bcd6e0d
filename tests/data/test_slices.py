"""Sizes and label rates by group."""

from typing import Any

import pyarrow as pa
import pytest

from modelmint.core.forms import FORMS
from modelmint.data.slices import label_rates, wilson

TEXT = FORMS["text-classification"]


def rates(rows: list[dict[str, Any]], *columns: str, **changes: Any) -> list[dict[str, Any]]:
    batches = pa.Table.from_pylist(rows).to_batches(max_chunksize=7)
    return label_rates(batches, TEXT, columns, **{"min_rows": 1, **changes}).columns


def people(**of_group: tuple[int, int]) -> list[dict[str, Any]]:
    return [
        {"text": "some words", "label": "yes" if number < hits else "no", "group": group}
        for group, (hits, num) in of_group.items()
        for number in range(num)
    ]


@pytest.mark.parametrize(
    ("hits", "num", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_wilsons_interval_is_the_published_one(hits: int, num: int, low: float, high: float) -> None:
    assert wilson(hits, num) == pytest.approx((low, high), abs=1e-4)


def test_rates_and_sizes_are_those_of_the_groups() -> None:
    (found,) = rates(people(a=(30, 60), b=(10, 40)), "group")
    assert [(one["group"], one["rows"], one["share"], one["rates"]["yes"][0]) for one in found["groups"]] == [
        ("a", 60, 0.6, 0.5),
        ("b", 40, 0.4, 0.25),
    ]


def test_the_extremes_are_compared_and_told_apart() -> None:
    (found,) = rates(people(a=(300, 400), b=(100, 400), c=(210, 400)), "group")
    assert found["extremes"]["yes"] == {"lowest": "b", "highest": "a", "ratio": 0.3333, "apart": True}


def test_groups_that_chance_may_explain_are_not_apart() -> None:
    (found,) = rates(people(a=(6, 10), b=(4, 10)), "group")
    assert found["extremes"]["yes"]["apart"] is False


def test_small_groups_are_named_and_not_compared() -> None:
    (found,) = rates(people(a=(50, 100), b=(40, 100), tiny=(0, 3)), "group", min_rows=30)
    assert [one["small"] for one in found["groups"]] == [False, False, True]
    assert found["extremes"]["yes"]["lowest"] == "b"


def test_numbers_are_cut_at_their_quartiles() -> None:
    rows = [{"text": "x", "label": "ab"[number % 2], "age": number} for number in range(100)]
    (found,) = rates(rows, "age")
    assert [one["rows"] for one in found["groups"]] == [25, 25, 25, 25]


def test_numbers_that_came_as_text_are_cut_too() -> None:
    rows = [{"text": "x", "label": "a", "age": str(number) if number else None} for number in range(101)]
    (found,) = rates(rows, "age")
    assert [one["group"] for one in found["groups"]][-1] == "missing"
    assert [one["rows"] for one in found["groups"]] == [25, 25, 25, 25, 1]


def test_lengths_are_a_slice_of_texts() -> None:
    rows = [{"text": "x" * number, "label": "a"} for number in range(1, 101)]
    (found,) = rates(rows, "length")
    assert found["groups"][0]["group"] == "up to 25.75"


def test_languages_are_a_slice_of_texts() -> None:
    rows = [
        {"text": "这家酒店的服务非常好，房间也很干净", "label": "a"},
        {"text": "the room was clean and the staff was very friendly to us", "label": "b"},
    ]
    (found,) = rates(rows * 3, "language")
    assert {one["group"] for one in found["groups"]} == {"en", "zh"}


def test_cuts_of_an_earlier_call_are_used_again() -> None:
    rows = [{"text": "x", "label": "a", "age": number} for number in range(100)]
    first = label_rates(pa.Table.from_pylist(rows).to_batches(), TEXT, ["age"])
    (again,) = rates(rows[:30], "age", edges=first.edges)
    assert [one["rows"] for one in again["groups"]] == [25, 5]


def test_weights_count_in_shares_and_rates() -> None:
    rows = [row | {"_weight": 3.0 if row["label"] == "yes" else 1.0} for row in people(a=(20, 80))]
    (found,) = rates(rows, "group")
    assert found["groups"][0]["rates"]["yes"][0] == 0.5


def test_many_groups_are_cut_to_the_largest_and_the_others() -> None:
    rows = [row for number in range(20) for row in people(**{f"g{number:02}": (1, 30 - number)})]
    (found,) = rates(rows, "group")
    assert found["groups"][-1]["group"] == "8 others"
    assert sum(one["rows"] for one in found["groups"]) == len(rows)


def test_new_numbers_between_few_old_ones_are_counted_with_the_nearest() -> None:
    """SMOTE makes rows between old ones: a column of two values then has hundreds, and its groups stay two."""
    rows = [{"text": "some words", "label": "yes", "sex": float(number % 2)} for number in range(40)]
    frame = pa.Table.from_pylist(rows).to_batches()
    first = label_rates(frame, TEXT, ["sex"], min_rows=1)
    more = rows + [{"text": "some words", "label": "yes", "sex": number / 41} for number in range(1, 41)]
    (again,) = rates(more, "sex", edges=first.edges)
    assert [(one["group"], one["rows"]) for one in again["groups"]] == [("0", 40), ("1", 40)]
