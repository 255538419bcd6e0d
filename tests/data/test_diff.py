"""What changed from one version of a dataset to another."""

from collections.abc import Callable
from typing import Any

import pytest

from modelmint.core.errors import InputError
from modelmint.core.types import Dataset
from modelmint.data.diff import diff

Make = Callable[..., Dataset]

ROWS = [{"text": f"text {at}", "label": "ab"[at % 2]} for at in range(6)]


def rows(**changed: Any) -> dict[str, int]:
    """The counts that are not zero, without the totals."""
    return {kind: count for kind, count in changed.items() if count and kind not in ("before", "after")}


def test_a_version_and_itself_do_not_differ(dataset: Make) -> None:
    assert rows(**diff(dataset(ROWS), dataset(ROWS))["rows"]) == {"same": 6}


def test_a_row_put_on_top_is_one_row_added_though_every_number_shifts(dataset: Make) -> None:
    assert rows(**diff(dataset(ROWS), dataset([{"text": "new", "label": "a"}, *ROWS]))["rows"]) == {
        "moved": 6,
        "added": 1,
    }


def test_a_row_taken_out_is_one_row_removed(dataset: Make) -> None:
    found = diff(dataset(ROWS), dataset(ROWS[1:]))
    assert rows(**found["rows"]) == {"moved": 5, "removed": 1}
    assert [row["text"] for row in found["examples"]["removed"]] == ["text 0"]


def test_another_label_is_told_with_both_labels(dataset: Make) -> None:
    found = diff(dataset(ROWS), dataset([{"text": "text 0", "label": "b"}, *ROWS[1:]]))
    assert rows(**found["rows"]) == {"same": 5, "relabelled": 1}
    assert found["label_changes"] == [{"from": "a", "to": "b", "rows": 1}]


def test_another_text_in_the_same_row_is_a_change_with_both_texts(dataset: Make) -> None:
    found = diff(dataset(ROWS), dataset([{"text": "mended", "label": "a"}, *ROWS[1:]]))
    assert rows(**found["rows"]) == {"same": 5, "changed": 1}
    (example,) = found["examples"]["changed"]
    assert (example["before"]["text"], example["after"]["text"]) == ("text 0", "mended")


@pytest.mark.parametrize("mended", ["text  0", "Text 0", "ｔext 0"])
def test_a_text_that_was_mended_is_a_change_however_small(dataset: Make, mended: str) -> None:
    found = diff(dataset(ROWS), dataset([{"text": mended, "label": "a"}, *ROWS[1:]]))
    assert rows(**found["rows"]) == {"same": 5, "changed": 1}


def test_copies_are_paired_each_once(dataset: Make) -> None:
    copy = {"text": "x", "label": "a"}
    assert rows(**diff(dataset([copy] * 3), dataset([copy] * 5))["rows"]) == {"same": 3, "added": 2}


def test_a_changed_column_is_told(dataset: Make) -> None:
    found = diff(dataset([{"text": "a", "label": "x", "old": 1}]), dataset([{"text": "a", "label": "x", "new": 1}]))
    assert (found["columns"]["added"], found["columns"]["removed"]) == (["new"], ["old"])


def test_labels_and_statistics_stand_side_by_side(dataset: Make) -> None:
    found = diff(dataset(ROWS), dataset(ROWS[:4]))
    assert found["labels"] == [{"label": "a", "before": 3, "after": 2}, {"label": "b", "before": 3, "after": 2}]
    assert found["statistics"][0] == {"name": "characters, median", "before": 6.0, "after": 6.0}


def test_datasets_of_two_tasks_cannot_be_compared(dataset: Make, desk: Any) -> None:
    import pyarrow as pa

    other = desk.dataset("data", pa.table({"_row": ["a"], "text": ["b"]}), facts={"task": "text-generation"})
    with pytest.raises(InputError, match="task of the first"):
        diff(dataset(ROWS), other)


def test_an_empty_version_is_compared_too(dataset: Make, desk: Any) -> None:
    import pyarrow as pa

    empty = desk.dataset(
        "data", iter(()), schema=pa.schema([(name, pa.string()) for name in ("_row", "text", "label")])
    )
    assert rows(**diff(empty, dataset(ROWS))["rows"]) == {"added": 6}
