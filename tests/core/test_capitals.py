"""The type of a token: which letters of its word are capitals."""

import pytest

from modelmint.core.capitals import capitals


@pytest.mark.parametrize(
    ("text", "offsets", "types"),
    [
        ("the bank", [(0, 3), (4, 8)], [0, 0]),
        ("Paris", [(0, 3), (3, 5)], [1, 1]),
        ("U.S.", [(0, 1), (1, 2), (2, 3), (3, 4)], [1, 0, 1, 0]),
        ("NATO-led", [(0, 4), (4, 5), (5, 8)], [2, 0, 0]),
        ("iPhone McDonald", [(0, 6), (7, 9), (9, 15)], [3, 3, 3]),
        ("a Bank", [(0, 1), (1, 6)], [0, 1]),
        ("B2 4x 北京A", [(0, 2), (3, 5), (6, 7), (7, 8)], [1, 0, 2, 2]),
        ("", [], []),
        ("x", [(0, 0)], [0]),
    ],
)
def test_the_type_is_that_of_the_run_around(text: str, offsets: list[tuple[int, int]], types: list[int]) -> None:
    assert capitals(text, offsets) == types
