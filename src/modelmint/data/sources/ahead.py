"""Work done ahead in a thread: rows are read and checked while those before them are compressed and written."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

_T = TypeVar("_T")


class _End:
    """No more."""


_END: Final = _End()


def ahead(given: Iterator[_T]) -> Generator[_T, None, None]:
    """The same things in the same order; the next one is made in a thread while this one is used.

    What `given` raises is raised here. The thread ends with the generator: close it where it is not read to its end.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        following = pool.submit(next, given, _END)
        while not isinstance(value := following.result(), _End):
            following = pool.submit(next, given, _END)
            yield value
