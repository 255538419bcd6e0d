"""Metering: the journals of all processes -> the tables `usage` and `predictions`, each event exactly once.

An event may be read often (a crash between commit and remembering, two servers, a person who asks for the bill); its
permanent id makes it one row. A file is removed when its process is dead and all of it is in the database.
"""

import fcntl
import logging
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from modelmint.business.journal import decode
from modelmint.catalog.catalog import Catalog
from modelmint.catalog.database import writing
from modelmint.catalog.events import add_served

BATCH_EVENTS = 500

log = logging.getLogger(__name__)


class Ingester:
    """Reads journals; remembers how far it came in each. Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._folder = catalog, catalog.settings.journal
        self._positions: dict[str, int] = {}
        self._turn = threading.Lock()

    def run(self) -> int:
        """Bring into the database what the journals hold and this ingester has not read yet; returns how many events.

        Raises:
            UnavailableError, StorageFullError: the database cannot be written; nothing is lost, call it again.
        """
        with self._turn:
            return sum(self._ingest(path) for path in sorted(self._folder.glob("usage-*.jsonl")))

    def _ingest(self, path: Path) -> int:
        num_events = 0
        with _opened(path) as stream:
            if stream is None:
                return 0
            dead = _is_dead(stream)  # asked before reading: what a dead process wrote is all there
            position = self._positions.get(path.name, 0)
            stream.seek(position)
            lines = stream.read().split(b"\n")
            tail = lines.pop()  # not a whole line yet
            for start in range(0, len(lines), BATCH_EVENTS):
                batch = lines[start : start + BATCH_EVENTS]
                num_events += self._add(path, position, batch)
                position += sum(len(line) + 1 for line in batch)
                self._positions[path.name] = position
            if dead:
                if tail:
                    log.warning("%s ends in %d bytes of a record that was never acknowledged", path.name, len(tail))
                path.unlink(missing_ok=True)
                del self._positions[path.name]
        return num_events

    def _add(self, path: Path, position: int, lines: Sequence[bytes]) -> int:
        rows = []
        for line in lines:
            event = decode(line)
            if event is None:
                self._quarantine(path, position, line, "its checksum is wrong")
            else:
                rows.append((position, line, _row(event)))
            position += len(line) + 1
        try:
            self._insert([row for _, _, row in rows])
        except (sa.exc.IntegrityError, sa.exc.DataError):
            self._add_one_by_one(path, rows)
        return len(rows)

    def _add_one_by_one(self, path: Path, rows: Sequence[tuple[int, bytes, Mapping[str, Any]]]) -> None:
        """One event that the database refuses must not hold up the others."""
        for position, line, row in rows:
            try:
                self._insert([row])
            except (sa.exc.IntegrityError, sa.exc.DataError) as error:
                self._quarantine(path, position, line, f"the database refused it: {error.orig}")

    def _insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            with writing(self._catalog.engine) as connection:
                add_served(connection, rows)

    def _quarantine(self, path: Path, position: int, line: bytes, reason: str) -> None:
        folder = self._folder / "quarantine"
        folder.mkdir(exist_ok=True, mode=0o700)
        kept = folder / f"{path.stem}-{position}.line"
        kept.write_bytes(line)
        log.error("usage record at byte %d of %s was put into %s: %s", position, path.name, kept, reason)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | None]:
    try:
        stream = path.open("rb")
    except FileNotFoundError:  # another ingester was done with it
        yield None
        return
    with stream:
        yield stream


def _is_dead(stream: IO[bytes]) -> bool:
    """Whether the process that writes the file has ended: its lock is free."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _row(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**event, "sealed": b64decode(event["sealed"]), "created_at": datetime.fromisoformat(event["created_at"])}
