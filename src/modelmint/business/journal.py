"""The usage journal: no reply leaves before its record is on disk.

One append-only file a process (``usage-<uuid>.jsonl``), one JSON line an event with the CRC-32 of its bytes. Requests
that wait at the same time share one fsync (group commit). The owner holds a lock on its file for as long as it lives,
so anyone can tell the file of a dead process. `metering` moves the events to the database.
"""

import asyncio
import errno
import fcntl
import json
import os
import uuid
import zlib
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from modelmint.catalog.events import Sealer
from modelmint.core.errors import ModelmintError, StorageFullError, UnavailableError
from modelmint.core.inputs import Input
from modelmint.core.types import JSON

FILE_BYTES = 16 << 20  # then a new file is begun, so that one is never long to read again

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, kw_only=True)
class Served:
    """One request that was answered: what it is billed by, and what goes sealed into the prediction log."""

    id: str
    """The prediction's id, permanent: it is that of the rows in `usage` and `predictions` too."""
    tenant: str
    key: str
    endpoint: str
    revision: int
    num_inputs: int
    num_tokens: int
    price: str
    latency_ms: float
    created_at: datetime
    inputs: Sequence[Input]
    predictions: Sequence[JSON]


class Journal:
    """This process's file, and the requests that wait for it. Belongs to one event loop."""

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self._folder, self._sealer = folder, sealer
        self._handle: int | None = None
        self._size_bytes = 0
        self._waiting: list[tuple[Served, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "journal")
        self._worker = asyncio.create_task(self._work())

    async def append(self, event: Served) -> None:
        """Return when the event is on disk. Where this raises, the caller must not get the answer.

        Raises:
            StorageFullError: no space is left.
            UnavailableError: the journal cannot be written, or the database has no data key for today.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, done))
        self._wake.set()
        await done

    async def close(self) -> None:
        """Let go of the file; call it when no request is under way."""
        self._worker.cancel()
        with suppress(asyncio.CancelledError):
            await self._worker
        await asyncio.to_thread(self._thread.shutdown)
        self._let_go()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            group, self._waiting = self._waiting, []
            writing = asyncio.get_running_loop().run_in_executor(
                self._thread, self._write, [event for event, _ in group]
            )
            await asyncio.wait([writing])
            error = writing.exception()
            for _, done in group:
                if done.done():
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)

    def _write(self, events: Sequence[Served]) -> None:
        lines = memoryview(b"".join(map(self._line, events)))
        try:
            handle = self._open() if self._handle is None else self._handle
            while lines:
                lines = lines[os.write(handle, lines) :]
            os.fsync(handle)
        except OSError as error:
            self._take_back()
            raise _unwritten(error, self._folder) from error
        self._size_bytes = os.fstat(handle).st_size
        if self._size_bytes >= FILE_BYTES:
            self._let_go()

    def _line(self, event: Served) -> bytes:
        data_key, sealed = self._sealer.seal(
            event.id, {"inputs": event.inputs, "predictions": event.predictions}, event.created_at
        )
        return encode(
            {
                "id": event.id,
                "tenant": event.tenant,
                "key": event.key,
                "endpoint": event.endpoint,
                "revision": event.revision,
                "num_inputs": event.num_inputs,
                "num_tokens": event.num_tokens,
                "price": event.price,
                "latency_ms": event.latency_ms,
                "created_at": event.created_at.isoformat(),
                "data_key": data_key,
                "sealed": b64encode(sealed).decode(),
            }
        )

    def _open(self) -> int:
        """A new file, which is locked before it has a name that an ingester looks for."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"usage-{uuid.uuid4()}.jsonl"
        draft = self._folder / f".{name}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        draft.rename(self._folder / name)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._handle, self._size_bytes = handle, 0
        return handle

    def _take_back(self) -> None:
        """Undo a failed write, and begin a new file next time: after a failed fsync the old one proves nothing."""
        if self._handle is not None:
            with suppress(OSError):
                os.ftruncate(self._handle, self._size_bytes)
        self._let_go()

    def _let_go(self) -> None:
        if self._handle is not None:
            os.close(self._handle)  # and with it the lock
            self._handle = None


def encode(event: JSON) -> bytes:
    """One line: ``{"crc":"8 hex digits","event":{...}}``."""
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return b'{"crc":"%08x","event":%s}\n' % (zlib.crc32(body), body)


def decode(line: bytes) -> JSON | None:
    """The event of a line (without its end); None when the line is not as it was written."""
    head, body = line[:26], line[26:-1]
    if head != b'{"crc":"%08x","event":' % zlib.crc32(body) or line[-1:] != b"}":
        return None
    event: JSON = json.loads(body)
    return event


def _unwritten(error: OSError, folder: Path) -> ModelmintError:
    if error.errno in _FULL:
        return StorageFullError(
            "The request was not served: no space is left for its usage record.",
            remedy=f"Free some space on the disk of {folder}; the server needs no restart.",
        )
    return UnavailableError(
        f"The request was not served: its usage record could not be written ({error.strerror}).",
        remedy=f"Check the disk of {folder}.",
    )
