"""Things taken ahead in a thread arrive in order, with their errors, and leave no thread behind."""

import itertools
from collections.abc import Iterator

import pytest

from modelmint.data.sources.ahead import ahead


def test_everything_arrives_in_order() -> None:
    assert list(ahead(iter(range(1000)))) == list(range(1000))


def test_an_error_comes_after_what_was_before_it() -> None:
    def given() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    taken = ahead(given())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="broken"):
        next(taken)


def test_the_thread_ends_when_it_is_closed_early() -> None:
    taken = ahead(itertools.count())
    assert [next(taken), next(taken)] == [0, 1]
    taken.close()  # the fixture `no_thread_left` sees to the rest
