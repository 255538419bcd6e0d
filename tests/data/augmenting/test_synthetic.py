"""New rows of tables: between old ones of their label."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelmint.data.augmenting.synthetic import TableEdits, synthetic_rows


def table(num: int = 60, **more: Any) -> pa.Table:
    random = np.random.default_rng(0)
    rows = [
        {
            "_row": f"r{number}",
            "age": int(20 + random.integers(0, 40)) if number % 9 else None,
            "pay": float(random.normal(3000, 200)) + (2000 if number % 4 == 0 else 0),
            "town": "xy"[number % 2],
            "label": "b" if number % 4 == 0 else "a",
        }
        for number in range(num)
    ]
    return pa.Table.from_pylist(
        [{**row, **{name: values[at] for name, values in more.items()}} for at, row in enumerate(rows)]
    )


def made(given: pa.Table, **wanted: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = synthetic_rows(given, "label", wanted, TableEdits(), seed=1)[0].to_pylist()
    return found


def test_new_rows_lie_within_the_values_of_their_label() -> None:
    given = table()
    old = [row["pay"] for row in given.to_pylist() if row["label"] == "b"]
    new = [row["pay"] for row in made(given, b=40)]
    assert len(new) == 40
    assert min(old) <= min(new) <= max(new) <= max(old)


def test_categories_stay_categories_and_whole_numbers_whole() -> None:
    rows = made(table(), b=40)
    assert {row["town"] for row in rows} <= {"x", "y"}
    assert all(isinstance(row["age"], int) for row in rows)


def test_each_new_row_names_a_real_row_of_its_label() -> None:
    given = table()
    labels = {row["_row"]: row["label"] for row in given.to_pylist()}
    rows = made(given, b=40)
    assert {labels[row["_of"]] for row in rows} == {row["label"] for row in rows} == {"b"}
    assert len({row["_row"] for row in rows}) == 40


def test_the_order_of_rows_does_not_matter() -> None:
    given = table()
    assert made(given, b=20) == made(given.take(list(range(59, -1, -1))), b=20)


def test_a_table_of_categories_alone_gives_categories() -> None:
    rows = made(table().select(["_row", "town", "label"]), b=10)
    assert {row["town"] for row in rows} <= {"x", "y"}


def test_a_table_of_numbers_alone_gives_new_numbers() -> None:
    given = table().select(["_row", "pay", "label"])
    assert {row["pay"] for row in made(given, b=10)}.isdisjoint(given.column("pay").to_pylist())


def test_columns_of_many_values_come_from_the_named_row() -> None:
    given = table(400, number=[f"customer {at}" for at in range(400)])
    numbers = {row["_row"]: row["number"] for row in given.to_pylist()}
    assert all(row["number"] == numbers[row["_of"]] for row in made(given, b=10))


def test_a_label_of_one_row_is_repeated_and_told() -> None:
    given = pa.concat_tables(
        [table(), pa.Table.from_pylist([{"_row": "one", "age": 1, "pay": 1.0, "town": "x", "label": "c"}])]
    )
    new, copied = synthetic_rows(given, "label", {"c": 3}, TableEdits(), seed=1)
    assert copied == {"c": 3}
    assert new.column("_row").to_pylist() == ["one~1", "one~2", "one~3"]


@pytest.mark.parametrize("num", [2, 3, 5])
def test_few_rows_are_enough(num: int) -> None:
    given = table().take([*[0, 4, 8, 12, 16][:num], 1, 2])
    assert len(made(given, b=4)) == 4
