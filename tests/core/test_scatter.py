"""Dots on two scales."""

import re

from modelmint.core.charts import Said
from modelmint.core.scatter import Dot, scatter

SAID = Said(name="s", title="Score by rate", about="the best: 0.1")


def places(drawn: str) -> list[float]:
    return [float(x) for x in re.findall(r'<circle cx="([0-9.]+)%"', drawn)]


def test_on_a_log_scale_orders_of_magnitude_are_equally_far_apart() -> None:
    dots = [Dot(x=x, y=x, tip="") for x in (1e-4, 1e-3, 1e-2)]
    first, second, third = places(scatter(SAID, dots, log=True))
    assert abs((third - second) - (second - first)) < 0.1


def test_names_stand_side_by_side_in_their_order() -> None:
    drawn = scatter(SAID, [Dot(x=0, y=1, tip=""), Dot(x=1, y=2, tip="")], names=["<adam>", "sgd"])
    assert places(drawn) == [25.0, 75.0]
    assert "&lt;adam&gt;" in drawn


def test_one_dot_alone_can_be_drawn() -> None:
    assert len(places(scatter(SAID, [Dot(x=3, y=3, tip="")], through=[(3, 3)]))) == 1


def test_the_scale_reaches_from_end_to_end_of_its_span() -> None:
    (place,) = places(scatter(SAID, [Dot(x=5, y=1, tip="")], span=(0, 10)))
    assert 45 < place < 55
