"""The page to send: whole by itself, well-formed, escaped, in two languages."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from modelmint.core.types import Report
from modelmint.trust.report import ReportSpec

Written = Callable[..., tuple[Report, str, str]]

HOSTILE = [
    "<script>alert(1)</script>",
    "</title></svg><img src=x onerror=alert(2)>",
    "a\"b'c&amp;",
    "x" * 500,
    "nul\0 line\nbreak",
]
VOID = {"meta", "br", "wbr", "img", "input", "link", "hr"}


class Reader(HTMLParser):
    """Collects tags and texts, and notes tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.misnested: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.misnested.append(tag)


def test_page_refers_to_nothing_outside(written: Written) -> None:
    _, _, page = written(without=())
    assert not re.search(r"https?:|//\w|url\(|@import", page)
    assert not {"script", "link", "img", "iframe", "object"} & set(Reader(page).tags)


def test_tags_close_in_order(written: Written) -> None:
    reader = Reader(written(without=())[2])
    assert not reader.misnested
    assert not reader.open


def test_ids_are_unique(written: Written) -> None:
    ids = [value for name, value in Reader(written(without=())[2]).attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_every_chart_is_xml_with_a_title_and_its_figures_in_words(written: Written) -> None:
    page = written(labels=[f"label {at}" for at in range(40)], without=())[2]
    charts = [ElementTree.fromstring(found) for found in _charts(page)]
    assert len(charts) == 9
    assert all((chart.findtext("title") or "") and (chart.findtext("desc") or "") for chart in charts)


def test_every_table_has_headings(written: Written) -> None:
    page = written(without=())[2]
    tables = re.findall(r"<table.*?</table>", page, flags=re.DOTALL)
    assert all('scope="' in table and "<caption" in table for table in tables)


def test_hostile_labels_and_texts_are_shown_and_do_nothing(written: Written) -> None:
    spec = ReportSpec(title="<b>bold</b>", intended_use="<img src=x onerror=alert(3)>", contact="<a href=x>me</a>")
    page = written(labels=HOSTILE, num_test=60, spec=spec)[2]
    reader = Reader(page)
    assert not {"script", "img", "b>bold", "a"} & set(reader.tags)
    assert not any(name.startswith("on") for name, _ in reader.attributes)


def test_charts_stay_xml_with_hostile_labels(written: Written) -> None:
    labels = [f"{name}{at}" for at in range(8) for name in HOSTILE]
    page = written(labels=labels, num_test=120)[2]
    assert all(ElementTree.fromstring(found) is not None for found in _charts(page))


def test_long_label_is_cut_on_the_page(written: Written) -> None:
    page = written(labels=HOSTILE, num_test=60)[2]
    assert "x" * 60 not in re.sub(r'title="[^"]*"', "", page)


def test_missing_figures_are_left_out(written: Written) -> None:
    page = written(without=("preflight", "deidentification", "training", "curation"))[2]
    assert "Estimate" not in page
    assert "Personal data masked" not in page


def test_costs_can_be_kept_from_customers(written: Written) -> None:
    _, readme, page = written(spec=ReportSpec(show_cost=False))
    assert "USD" not in page
    assert "USD" not in readme


def test_page_in_chinese_has_no_english_heading(written: Written) -> None:
    page = written(spec=ReportSpec(language="zh", title="客服"), without=())[2]
    headings = re.findall(r"<h[23]>(.*?)</h[23]>", page)
    assert headings
    assert all(re.search(r"[\u4e00-\u9fff]", heading) for heading in headings)


@pytest.mark.parametrize(("num_labels", "folded"), [(25, False), (26, True)])
def test_many_labels_are_folded(written: Written, num_labels: int, folded: bool) -> None:
    page = written(labels=[f"label {at}" for at in range(num_labels)])[2]
    assert ("<details>" in page) is folded


def _charts(page: str) -> list[str]:
    """The outermost SVG elements."""
    found, depth, start = [], 0, 0
    for tag in re.finditer(r"<svg\b[^>]*>|</svg>", page):
        if tag[0] == "</svg>":
            depth -= 1
            if depth == 0:
                found.append(page[start : tag.end()])
        else:
            start = tag.start() if depth == 0 else start
            depth += 1
    return [one for one in found if 'class="chart"' in one]
