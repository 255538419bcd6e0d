"""Splits: shares, strata, groups, leaks, determinism."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.core.tables import column
from modelmint.core.types import Dataset
from modelmint.data.split import SplitInputs, SplitOutputs, SplitSpec, split

from .conftest import reasons_of, rows_of, texts_of

Make = Callable[..., Dataset]
ROWS = [
    {"_row": f"id{number}", "text": f"text {number}", "label": "abc"[min(number % 10, 2)]} for number in range(1000)
]
SETS = ("train", "validation", "test")


@pytest.fixture
def divided(dataset: Make, context: StageContext) -> Callable[..., SplitOutputs]:
    def run(rows: list[dict[str, Any]], **spec: Any) -> SplitOutputs:
        return split(SplitSpec(**spec), SplitInputs(data=dataset(rows)), context)

    return run


Divided = Callable[..., SplitOutputs]


def sides(outputs: SplitOutputs, name: str = "_row") -> dict[str, str]:
    return {value: side for side in SETS for value in column(getattr(outputs, side), name)}


def test_shares_are_those_asked_for(divided: Divided) -> None:
    outputs = divided(ROWS)
    assert [getattr(outputs, side).num_rows for side in SETS] == [765, 85, 150]


def test_every_set_has_its_share_of_every_label(divided: Divided) -> None:
    outputs = divided(ROWS)
    assert outputs.test.facts["labels"] == {"a": 15, "b": 15, "c": 120}


def test_test_can_be_a_number_of_rows(divided: Divided) -> None:
    assert divided(ROWS, test=40).test.num_rows == 40


def test_validation_can_be_capped(divided: Divided) -> None:
    assert divided(ROWS, max_validation_rows=20).validation.num_rows == 20


def test_no_row_is_lost(divided: Divided) -> None:
    assert len(sides(divided(ROWS))) == 1000


def test_the_order_of_rows_does_not_matter(divided: Divided) -> None:
    assert sides(divided(ROWS)) == sides(divided(ROWS[::-1]))


def test_the_seed_matters(dataset: Make, context: StageContext) -> None:
    from dataclasses import replace

    data = SplitInputs(data=dataset(ROWS))
    other = replace(context, seed=context.seed + 1)
    assert sides(split(SplitSpec(), data, context)) != sides(split(SplitSpec(), data, other))


def test_equal_texts_are_on_one_side(divided: Divided) -> None:
    rows = [
        {"text": f"Text {number // 4}" if number % 2 else f"text  {number // 4}", "label": "ab"[number % 2]}
        for number in range(400)
    ]
    outputs = divided(rows)
    folded = [{" ".join(text.lower().split()) for text in texts_of(getattr(outputs, side))} for side in SETS]
    assert sum(map(len, folded)) == len(set.union(*folded))


def test_groups_are_on_one_side(divided: Divided) -> None:
    rows = [row | {"_group": f"g{number // 7}" if number % 11 else None} for number, row in enumerate(ROWS)]
    outputs = divided(rows)
    groups = [set(column(getattr(outputs, side), "_group")) - {None} for side in SETS]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert 130 <= outputs.test.num_rows <= 170


def test_a_label_seen_once_is_in_training_with_a_warning(divided: Divided) -> None:
    outputs = divided([*ROWS, {"text": "rare", "label": "once"}])
    assert outputs.train.facts["labels"]["once"] == 1
    assert outputs.train.facts["warnings"] == [
        {"name": "labels_not_tested", "message": "once: too few rows to be in the test set"}
    ]


def test_every_label_keeps_a_training_row(divided: Divided) -> None:
    rows = [{"text": f"t{number}", "label": f"label {number // 2}"} for number in range(200)]
    assert len(divided(rows, test=0.5).train.facts["labels"]) == 100


def test_a_declared_split_is_kept_and_validation_is_cut_from_training(divided: Divided) -> None:
    rows = [row | {"_split": "test" if number < 200 else "train"} for number, row in enumerate(ROWS)]
    outputs = divided(rows)
    assert [getattr(outputs, side).num_rows for side in SETS] == [720, 80, 200]
    assert texts_of(outputs.test) == [f"text {number}" for number in range(200)]


def test_a_training_row_of_the_declared_test_set_is_a_leak(divided: Divided) -> None:
    rows = [row | {"_split": "train"} for row in ROWS] + [
        {"text": f"TEXT {number}", "label": "a", "_split": "test"} for number in range(5)
    ]
    outputs = divided(rows)
    assert reasons_of(outputs.quarantine) == ["leak"] * 5
    assert outputs.test.num_rows == 5


def test_too_few_rows_are_refused(divided: Divided) -> None:
    with pytest.raises(DataError, match="needs at least 1 test row"):
        divided([{"text": "a", "label": "x"}, {"text": "b", "label": "y"}])


def test_the_declared_split_column_is_not_passed_on(divided: Divided) -> None:
    assert "_split" not in divided([row | {"_split": "train"} for row in ROWS]).train.facts["columns"]


def test_real_banking77_keeps_the_published_test_set(shared: Path, context: StageContext) -> None:
    from modelmint.data.collect import CollectInputs, CollectSpec, collect

    data = collect(CollectSpec(source=str(shared / "banking77")), CollectInputs(), context).data
    outputs = split(SplitSpec(), SplitInputs(data=data), context)
    assert outputs.test.num_rows == 3080
    assert min(Counter(column(outputs.validation, "label")).values()) >= 1


STAMPED = [row | {"when": f"2026-{1 + number // 84:02d}-{1 + number % 28:02d}"} for number, row in enumerate(ROWS)]


def times(outputs: SplitOutputs, side: str) -> list[str]:
    return sorted(column(getattr(outputs, side), "when"))


def test_by_time_every_training_row_is_older_than_every_validation_and_test_row(divided: Divided) -> None:
    outputs = divided(STAMPED, time="when")
    train, validation, test = (times(outputs, side) for side in SETS)
    assert train[-1] < validation[0] <= validation[-1] < test[0]
    assert 120 <= outputs.test.num_rows <= 180


def test_by_time_rows_of_one_moment_are_on_one_side(divided: Divided) -> None:
    rows = [row | {"when": str(2000 + number // 250)} for number, row in enumerate(ROWS)]
    outputs = divided(rows, time="when")
    assert [set(times(outputs, side)) for side in SETS] == [{"2000", "2001"}, {"2002"}, {"2003"}]


def test_by_time_an_older_copy_of_a_test_row_is_a_leak(divided: Divided) -> None:
    rows = [*STAMPED, {"_row": "old", "text": "TEXT 999", "label": "a", "when": "2025-01-01"}]
    outputs = divided(rows, time="when")
    assert column(outputs.quarantine, "_row") == ["old"]
    assert outputs.splitting.facts["leaked"] == 1


def test_by_time_the_order_of_rows_does_not_matter(divided: Divided) -> None:
    assert sides(divided(STAMPED, time="when")) == sides(divided(STAMPED[::-1], time="when"))


def test_a_row_without_a_time_waits_in_quarantine(divided: Divided) -> None:
    rows = [row | {"when": {3: "soon", 7: ""}.get(at, f"2026-01-{at % 28 + 1:02}")} for at, row in enumerate(ROWS)]
    outputs = divided(rows, time="when")
    assert [(row["_row"], row["reason"]) for row in rows_of(outputs.quarantine)] == [
        ("id3", "no_time"),
        ("id7", "no_time"),
    ]
    assert outputs.splitting.facts["no_time"] == 2
    assert any("id3 ('soon'), id7 ('')" in one["message"] for one in outputs.splitting.facts["warnings"])
    assert sum(outputs.splitting.facts["time"]["counts"]["train"]) == outputs.train.num_rows


def test_of_each_user_a_row_without_a_time_is_on_no_side(divided: Divided) -> None:
    rows = [row | {"when": "" if at < 3 else str(2000 + at), "who": f"u{at % 50}"} for at, row in enumerate(ROWS)]
    outputs = divided(rows, time="when", each="who", test=1, validation=1)
    assert column(outputs.quarantine, "reason") == ["no_time"] * 3
    assert outputs.test.num_rows == 50


def test_a_declared_test_row_needs_no_time(divided: Divided) -> None:
    rows = [row | {"when": str(2000 + at), "_split": "train"} for at, row in enumerate(ROWS)]
    rows[5] |= {"when": "", "_split": "test"}
    outputs = divided(rows, time="when")
    assert column(outputs.test, "_row") == ["id5"]


def test_a_column_that_holds_no_times_is_refused_with_rows(divided: Divided) -> None:
    rows = [row | {"when": "2026-01-02" if at < 400 else "soon"} for at, row in enumerate(ROWS)]
    with pytest.raises(DataError, match=r"600 of 1,000 rows have none that can be read: id400 \('soon'\), id401"):
        divided(rows, time="when")


def test_a_time_column_that_is_not_there_is_named(divided: Divided) -> None:
    with pytest.raises(DataError, match="time: must be a column of the data; 'when' is none of '_row', 'text'"):
        divided(ROWS, time="when")


def test_one_time_for_all_rows_is_refused(divided: Divided) -> None:
    with pytest.raises(DataError, match="at least two different times"):
        divided([row | {"when": 2020} for row in ROWS], time="when")


@pytest.mark.parametrize("key", ["_cluster", "_group", "customer"])
def test_rows_that_share_a_key_never_straddle(divided: Divided, key: str) -> None:
    rows = [row | {key: f"k{number * 7919 % 211}" if number % 3 else None} for number, row in enumerate(ROWS)]
    outputs = divided(rows, together=["customer"] if key == "customer" else [])
    values = [set(column(getattr(outputs, side), key)) - {None} for side in SETS]
    assert sum(map(len, values)) == len(set.union(*values))
    assert outputs.splitting.facts["together"][key]["straddling"] == 0


def test_a_chain_of_text_group_and_cluster_is_on_one_side(divided: Divided) -> None:
    chain = [
        {"_row": "c0", "text": "same", "label": "a", "_group": None, "_cluster": None},
        {"_row": "c1", "text": "Same", "label": "a", "_group": "g", "_cluster": None},
        {"_row": "c2", "text": "other", "label": "b", "_group": "g", "_cluster": "c"},
        {"_row": "c3", "text": "third", "label": "c", "_group": None, "_cluster": "c"},
    ]
    for test in (0.2, 0.4, 0.6):
        placed = sides(divided([*chain, *ROWS[:200]], test=test))
        assert len({placed[f"c{number}"] for number in range(4)}) == 1


def test_switched_off_keys_do_not_join(divided: Divided) -> None:
    rows = [row | {"_cluster": "one", "_group": "one"} for row in ROWS]
    assert divided(rows, cluster=False, group=False).test.num_rows == 150


def test_one_group_that_holds_everything_is_refused_with_its_size(divided: Divided) -> None:
    with pytest.raises(DataError, match="the largest set of rows that stay together has 1,000"):
        divided([row | {"_group": "all"} for row in ROWS])


@pytest.mark.parametrize("num_folds", [2, 5, 7])
def test_folds_partition_all_rows(divided: Divided, num_folds: int) -> None:
    tests = [column(divided(ROWS, folds=num_folds, fold=fold).test, "_row") for fold in range(num_folds)]
    assert sorted(row for fold in tests for row in fold) == sorted(str(row["_row"]) for row in ROWS)
    assert max(map(len, tests)) - min(map(len, tests)) <= 1


def test_folds_have_their_share_of_every_label(divided: Divided) -> None:
    found = [divided(ROWS, folds=5, fold=fold).test.facts["labels"] for fold in range(5)]
    assert found == [{"a": 20, "b": 20, "c": 160}] * 5


def test_folds_keep_groups_and_copies_together_and_still_partition(divided: Divided) -> None:
    rows = [
        row | {"text": f"t {number // 2}", "_cluster": f"g{number // 2 % 90}" if number % 4 == 0 else None}
        for number, row in enumerate(ROWS)
    ]
    outputs = [divided(rows, folds=4, fold=fold) for fold in range(4)]
    placed = [set(column(one.test, "_row")) for one in outputs]
    assert sum(map(len, placed)) == len(set.union(*placed)) == 1000
    assert all(one.splitting.facts["refused"] == [] for one in outputs)


def test_folds_do_not_depend_on_the_order_of_rows(divided: Divided) -> None:
    rows = [row | {"_group": f"g{number // 9}" if number % 5 else None} for number, row in enumerate(ROWS)]
    assert sides(divided(rows, folds=3, fold=1)) == sides(divided(rows[::-1], folds=3, fold=1))


def test_rows_of_labels_seen_once_are_spread_over_the_folds(divided: Divided) -> None:
    rows = [{"text": f"t{number}", "label": f"only {number}"} for number in range(100)]
    assert [divided(rows, folds=5, fold=fold).test.num_rows for fold in range(5)] == [20] * 5


def test_more_folds_than_units_are_refused(divided: Divided) -> None:
    with pytest.raises(DataError, match=r"folds: each of the 5 folds .* make 2 units"):
        divided([row | {"_group": "ab"[number % 2]} for number, row in enumerate(ROWS)], folds=5)


def test_folds_of_a_declared_split_are_refused_unless_it_is_ignored(divided: Divided) -> None:
    rows = [row | {"_split": "test" if number < 200 else "train"} for number, row in enumerate(ROWS)]
    with pytest.raises(DataError, match="200 rows as validation or test"):
        divided(rows, folds=5)
    assert divided(rows, folds=5, declared="ignore").test.num_rows == 200


@pytest.mark.parametrize("spec", [{"fold": 1}, {"folds": 3, "fold": 3}, {"folds": 3, "time": "when"}])
def test_settings_that_do_not_go_together_are_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="fold"):
        SplitSpec(**spec)


def test_the_report_counts_sets_labels_and_what_was_kept_together(divided: Divided) -> None:
    rows = [row | {"_group": f"g{number // 4}"} for number, row in enumerate(ROWS)]
    facts = divided(rows).splitting.facts
    assert sum(one["rows"] for one in facts["sets"].values()) == 1000
    assert facts["together"]["_group"] == {"values": 250, "shared": 250, "rows": 1000, "straddling": 0}
    assert facts["largest_unit"]["rows"] == 4


def test_a_group_of_most_rows_is_warned_of(divided: Divided) -> None:
    rows = [row | {"_group": "big" if number < 400 else None} for number, row in enumerate(ROWS)]
    assert "large_unit" in {one["name"] for one in divided(rows).splitting.facts["warnings"]}


def test_the_page_names_the_sets_and_their_labels(divided: Divided) -> None:
    report = divided(STAMPED, time="when").splitting
    with report.files.open("report.html") as stream:
        text = stream.read().decode()
    assert "Rows over time" in text
    assert "Labels in each set" in text
