"""Pages: everything from the data is escaped, and nothing is loaded or run."""

import re

import pytest

from modelmint.core.pages import Headline, Section, Share, counts, examples, medium, page, table

EVIL = "<script>alert(1)</script>"


def test_what_comes_from_the_data_is_escaped_wherever_it_stands() -> None:
    shown = page(
        title=EVIL,
        about=EVIL,
        lead=EVIL,
        headlines=[Headline(name=EVIL, value=EVIL, note=EVIL)],
        sections=[
            Section(
                heading=EVIL,
                note=EVIL,
                parts=[
                    table([EVIL], [[EVIL]], caption=EVIL),
                    counts((EVIL, EVIL), [(EVIL, 1)]),
                    examples([EVIL], [[EVIL]]),
                ],
            )
        ],
        warnings=[EVIL],
        refused=[EVIL],
    )
    assert "<script" not in shown


def test_a_page_loads_nothing() -> None:
    shown = page(title="a", sections=[Section(heading="b", parts=[counts(("c", "d"), [("e", 3)], total=4)])])
    assert not re.search(r"(src|href)\s*=|url\(|@import", shown)
    assert "default-src 'none'" in shown


@pytest.mark.parametrize(
    ("cell", "written"), [(1234, ">1,234<"), (0.12345, ">0.1235<"), (True, ">yes<"), (Share(value=0.5), 'width="50%"')]
)
def test_a_cell_is_written_for_people(cell: object, written: str) -> None:
    assert written in table(["a"], [[cell]])


def test_numbers_and_percentages_stand_right() -> None:
    shown = table(["name", "rows", "share"], [["a", 1, "10.0%"], ["b", 2, "90 %"]])
    assert shown.count('<th scope="col" class="n">') == 2


def test_a_long_example_is_cut() -> None:
    assert "…" in examples(["text"], [["a" * 5000]])


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"\x89PNG\r\n\x1a\nrest", '<img class="medium" alt="" src="data:image/png;base64,iVBORw0KGgpyZXN0">'),
        (b"RIFF....WAVErest", '<audio controls preload="none" src="data:audio/wav;base64,'),
        (b"<svg onload=alert(1)>", "(21 bytes)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1 << 20), "(1,048,584 bytes)"),
    ],
)
def test_a_small_image_or_recording_stands_in_the_page_itself(content: bytes, shown: str) -> None:
    assert medium(content).startswith(shown)


def test_a_page_may_show_what_stands_in_it() -> None:
    assert "img-src data:; media-src data:" in page(title="a")
