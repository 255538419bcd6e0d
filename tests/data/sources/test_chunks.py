"""Cutting documents: nothing is lost, no part is too long, and parts end where sentences do."""

import pytest

from modelmint.data.sources.chunks import cut_text

ENGLISH = "The first sentence is short. Is the second one a question? Yes! " * 20
CHINESE = "机器学习需要数据。数据从哪里来？从客户那里来！" * 30


def _chunks(text: str, chunk_chars: int, overlap_chars: int = 0) -> list[str]:
    return list(cut_text(text, "chunk", chunk_chars=chunk_chars, overlap_chars=overlap_chars))


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, "x" * 1000, "a b" * 300, ""])
@pytest.mark.parametrize("overlap_chars", [0, 30])
def test_no_chunk_is_longer_than_asked_for(text: str, overlap_chars: int) -> None:
    assert max(map(len, _chunks(text, 100, overlap_chars)), default=0) <= 100


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, "x" * 1000])
def test_chunks_without_overlap_hold_every_character_once(text: str) -> None:
    assert "".join("".join(_chunks(text, 100)).split()) == "".join(text.split())


@pytest.mark.parametrize(("text", "ends"), [(ENGLISH, ".?!"), (CHINESE, "。？！")])
def test_chunks_end_with_a_sentence(text: str, ends: str) -> None:
    assert {chunk[-1] for chunk in _chunks(text, 100)} <= set(ends)


def test_a_chunk_begins_with_the_last_sentences_of_the_one_before() -> None:
    first, second, *_ = _chunks(CHINESE, 100, overlap_chars=20)
    shared = next(length for length in range(20, 0, -1) if first.endswith(second[:length]))
    assert 8 <= shared <= 20


def test_overlap_gives_way_to_a_sentence_that_fills_a_chunk() -> None:
    assert _chunks("ab. " + "x" * 99 + ".", 100, overlap_chars=50) == ["ab.", "x" * 99 + "."]


def test_a_number_with_a_point_is_not_cut() -> None:
    assert _chunks("It costs 3.50 today. It did.", 22) == ["It costs 3.50 today.", "It did."]


def test_paragraphs_are_cut_at_empty_lines() -> None:
    text = "one\ntwo\n\n  \nthree\n"
    assert list(cut_text(text, "paragraph", chunk_chars=10, overlap_chars=0)) == ["one\ntwo", "three"]


def test_paragraphs_without_empty_lines_are_lines() -> None:
    assert list(cut_text("one\ntwo", "paragraph", chunk_chars=10, overlap_chars=0)) == ["one", "two"]
