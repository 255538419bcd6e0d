"""The process that parses: a file that is too much for it costs that file, and the next one is read."""

import os
import signal
from pathlib import Path

import pytest

from modelmint.data.sources.parsing import Bounds, Parser
from tests.data import files_made as make

SLOW = b"BT /F 12 Tf 50 700 Td " + b"<0041> Tj 1 0 Td " * 400_000 + b"ET"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    (tmp_path / "good.pdf").write_bytes(make.pdf("good"))
    return tmp_path / "good.pdf"


def test_one_process_serves_many_files(good: Path) -> None:
    with Parser() as parser:
        answers = [parser.parse("pdf", good) for _ in range(3)]
    assert [answer.texts for answer in answers] == [["good"]] * 3


def test_a_file_that_takes_too_long_is_told_and_the_next_is_read(good: Path) -> None:
    body = make.pdf("x").replace(make.stream(b"BT /F 12 Tf 50 700 Td <0078> Tj ET"), make.stream(SLOW))
    slow = good.with_name("slow.pdf")
    slow.write_bytes(body)
    with Parser(Bounds(max_parse_s=1.0)) as parser:
        answers = [parser.parse("pdf", slow), parser.parse("pdf", good)]
    assert [answer.reason for answer in answers] == ["too_slow", ""]


def test_a_file_that_takes_too_much_memory_is_told_and_the_next_is_read(good: Path) -> None:
    large = good.with_name("large.png")
    large.write_bytes(make.image(width=12_000, height=12_000))
    with Parser(Bounds(max_pixels=200_000_000, max_memory_bytes=160 << 20)) as parser:
        answers = [parser.parse("image", large), parser.parse("pdf", good)]
    assert [answer.reason for answer in answers] == ["too_much_memory", ""]


def test_a_child_that_was_killed_from_outside_costs_no_file(good: Path) -> None:
    with Parser() as parser:
        parser.parse("pdf", good)
        os.kill(parser.child_id or 0, signal.SIGKILL)
        assert parser.parse("pdf", good).texts == ["good"]


def test_a_pipe_is_no_file(good: Path) -> None:
    pipe = good.with_name("pipe.pdf")
    os.mkfifo(pipe)
    with Parser() as parser:
        assert parser.parse("pdf", pipe).reason == "not_a_file"


def test_a_file_larger_than_allowed_is_not_opened(good: Path) -> None:
    with Parser(Bounds(max_file_bytes=100)) as parser:
        assert parser.parse("pdf", good).reason == "too_large"
        assert parser.child_id is None


def test_the_process_ends_with_the_context(good: Path) -> None:
    with Parser() as parser:
        parser.parse("pdf", good)
        child = parser.child_id or 0
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_the_process_can_write_no_file_and_knows_no_secret(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELMINT_MASTER_KEY", "hunter2")
    with Parser() as parser:
        parser.parse("pdf", good)
        limits = Path(f"/proc/{parser.child_id}/limits").read_text()
        environ = Path(f"/proc/{parser.child_id}/environ").read_bytes()
    assert limits.split("Max file size")[1].split()[0] == "0"
    assert b"hunter2" not in environ
