"""Drawings at the edges of what they may be given."""

import re
from xml.etree import ElementTree

import pytest

from modelmint.core import charts
from modelmint.core.charts import Range, Said, Stream
from modelmint.trust.words import LANGUAGES, MASKED, REASONS, WORDS

SAID = Said(name="chart", title="a < b", about='"c" & d')


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_interval_without_width_is_inside_the_drawing(value: float) -> None:
    drawn = charts.intervals(SAID, [Range(label="m", value=value, low=value, high=value, written="x")])
    assert all(0 <= x <= 100 for x in _across(str(drawn)))


def test_curve_of_equal_points_is_drawn() -> None:
    assert "NaN" not in charts.curves(SAID, [("accent", [(1.0, 0.5), (2.0, 0.5)])])


def test_histogram_with_one_bin_and_a_far_limit() -> None:
    drawn = charts.histogram(SAID, [(0, 10, 3)], limit=512, limit_label="reads 512")
    assert all(-1 <= x <= 101 for x in _across(str(drawn)))


def test_flow_keeps_a_tiny_part_visible() -> None:
    streams = [
        Stream(label="in", count=10**9, written="1e9", kind="accent"),
        Stream(label="out", count=1, written="1", kind="warn"),
    ]
    heights = [
        float(box.get("height", 0))
        for box in ElementTree.fromstring(charts.flow(SAID, streams, whole="all")).findall("rect")
    ]
    assert min(heights) >= 1


def test_title_and_description_are_escaped() -> None:
    drawn = ElementTree.fromstring(charts.columns(SAID, [("<a>", 0.5)], weak_below=0.8))
    assert (drawn.findtext("title"), drawn.findtext("desc")) == ("a < b", '"c" & d')


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.88, 0.9), (0, 0), (5, 5), (0, 123456), (-3, 7)])
def test_steps_are_few_and_rise(low: float, high: float) -> None:
    found = charts.steps(low, high)
    assert 1 <= len(found) <= charts.MAX_TICKS + 2
    assert found == sorted(found)


@pytest.mark.parametrize("table", [WORDS, REASONS, MASKED, LANGUAGES])
def test_both_languages_take_the_same_values(table: dict[str, tuple[str, str]]) -> None:
    differing = [
        key
        for key, (english, chinese) in table.items()
        if set(re.findall(r"{(\w+)}", chinese)) - set(re.findall(r"{(\w+)}", english))
    ]
    assert not differing


def _across(drawn: str) -> list[float]:
    return [float(x) for x in re.findall(r'(?:x|x1|x2|cx)="([-\d.]+)%"', drawn)]


@pytest.mark.parametrize("value", [0.0, 1.0, 0.37, 0.7, 12.3, -3.2])
def test_a_scale_of_one_figure_has_two_ends_that_hold_it(value: float) -> None:
    ticks = charts.around(value, value)
    assert len(ticks) >= 2
    assert ticks[0] <= value <= ticks[-1]
