"""Reading an artifact's files: verified against the manifest, decrypted where they are encrypted."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from modelmint.catalog.encryption import unseal_stream
from modelmint.core.errors import IntegrityError, NotFoundError
from modelmint.core.types import JSON

MEMORY_BYTES = 64 << 20  # a decrypted file above this size is kept in an unnamed file on disk


class StoredFiles:
    """The files of one artifact. `folder()` keeps its copy for as long as `scratch` lives."""

    def __init__(self, *, manifest: JSON, key: bytes | None, read: Callable[[str], IO[bytes]], scratch: Path) -> None:
        self._manifest, self._key, self._read, self._scratch = manifest, key, read, scratch

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """One file, to read from its start.

        Raises:
            NotFoundError: the artifact has no such file.
            IntegrityError: the bytes are not what was written, or the key was dropped.
        """
        entry = next((file for file in self._manifest["files"] if file["path"] == path), None)
        if entry is None:
            raise NotFoundError(
                f"{path}: {self._manifest['id']} has no such file; it has "
                f"{', '.join(file['path'] for file in self._manifest['files'])}",
                parameter="path",
            )
        if removed_at := self._manifest.get("removed_at"):
            raise NotFoundError(
                f"{self._manifest['id']}: was removed on {removed_at[:10]}",
                parameter="id",
                remedy="Run the recipe that made it again.",
            )
        with self._read(entry["blob"]) as stored:
            if not self._manifest["encrypted"]:
                yield stored
                return
            if self._key is None:
                raise IntegrityError(f"{self._manifest['id']}: its key was dropped; the data is erased")
            with self._decrypted(entry, stored) as plain:
                yield plain

    def folder(self) -> Path:
        """Every file, in a folder under `scratch` that is named after the digest and made once."""
        target = self._scratch / str(self._manifest["id"])
        if target.exists():
            return target
        self._scratch.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".folder-", dir=self._scratch))
        for entry in self._manifest["files"]:
            file = draft / entry["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            with self.open(entry["path"]) as source, file.open("wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
        try:
            draft.rename(target)
        except OSError:  # another process was first: its copy is the same
            shutil.rmtree(draft)
        return target

    @contextmanager
    def _decrypted(self, entry: JSON, stored: IO[bytes]) -> Iterator[IO[bytes]]:
        about = f"{self._manifest['tenant']}|{self._manifest['id']}|{entry['path']}"
        hasher = hashlib.sha256()
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES, dir=str(self._scratch)) as plain:
            for chunk in unseal_stream(stored, self._key or b"", about):
                hasher.update(chunk)
                plain.write(chunk)
            if hasher.hexdigest() != entry["sha256"]:
                raise IntegrityError(f"{about}: the stored bytes are not what was written")
            plain.seek(0)
            yield plain
