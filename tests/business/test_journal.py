import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from modelmint.business import journal as journal_module
from modelmint.business.journal import Journal, decode, encode
from modelmint.business.metering import Ingester
from modelmint.catalog.catalog import Catalog
from modelmint.core.errors import StorageFullError
from tests.business.journals import event, ingested, with_journal


@contextmanager
def full_disk(num_bytes: int) -> Iterator[None]:
    """No file may grow past this size, as on a disk without space."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_appended_event_is_in_the_file(catalog: Catalog) -> None:
    async def steps(journal: Journal) -> None:
        await journal.append(event("pred_1"))
        (path,) = catalog.settings.journal.glob("usage-*.jsonl")
        assert [(decode(line) or {})["id"] for line in path.read_bytes().splitlines()] == ["pred_1"]

    with_journal(catalog, steps)


def test_requests_that_wait_together_share_an_fsync(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append(handle), real(handle)))

    async def steps(journal: Journal) -> None:
        await journal.append(event("pred_0"))
        calls.clear()
        await asyncio.gather(*(journal.append(event(f"pred_{index}")) for index in range(1, 65)))

    with_journal(catalog, steps)
    assert 1 <= len(calls) <= 3


def test_the_texts_are_not_readable_in_the_file(catalog: Catalog) -> None:
    async def steps(journal: Journal) -> None:
        await journal.append(event("pred_1"))
        (path,) = catalog.settings.journal.glob("usage-*.jsonl")
        assert (b"parcel" in path.read_bytes(), path.stat().st_mode & 0o777) == (False, 0o600)

    with_journal(catalog, steps)


def test_a_full_disk_refuses_the_request_and_the_next_is_served_when_there_is_space(catalog: Catalog) -> None:
    async def steps(journal: Journal) -> None:
        await journal.append(event("pred_1"))
        (path,) = catalog.settings.journal.glob("usage-*.jsonl")
        with full_disk(path.stat().st_size + 100), pytest.raises(StorageFullError, match="no space is left"):
            await journal.append(event("pred_2"))
        await journal.append(event("pred_3"))

    with_journal(catalog, steps)
    Ingester(catalog).run()
    assert ingested(catalog) == ["pred_1", "pred_3"]


def test_a_long_file_is_followed_by_another(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "FILE_BYTES", 1000)

    async def steps(journal: Journal) -> None:
        for index in range(6):
            await journal.append(event(f"pred_{index}"))

    with_journal(catalog, steps)
    assert len(list(catalog.settings.journal.glob("usage-*.jsonl"))) > 1


@pytest.mark.parametrize("place", [0, 10, 30, -2])
def test_a_changed_byte_is_noticed(place: int) -> None:
    line = bytearray(encode({"id": "pred_1", "note": "ä"}).rstrip(b"\n"))
    assert decode(bytes(line)) == {"id": "pred_1", "note": "ä"}
    line[place] ^= 1
    assert decode(bytes(line)) is None
