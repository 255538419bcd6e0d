"""Content-addressed bytes. A blob's name is the SHA-256 of what is stored; it is written once and verified on read.

On a local disk: fsynced, then given its name by a link, or from another disk copied beside it and renamed, the folder
fsynced; a crash leaves no half blob, and a half copy is removed an hour later. Elsewhere (``s3://``, ``gs://``, ``memory://``) by fsspec, whose uploads become visible when whole.
"""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol

from modelmint.core.errors import IntegrityError, StorageFullError
from modelmint.core.hashing import CHUNK_BYTES, file_digest

ABANDONED_S = 3600.0
"""A copy that nothing was written to for so long has no process any more."""
_NO_SPACE = 28  # errno.ENOSPC


class Blobs(Protocol):
    """A store of blobs. Safe to use from several processes at once."""

    def adopt(self, file: Path, name: str) -> None:
        """Take a finished local file whose SHA-256 is `name` into the store, durably; a blob that is there is kept."""

    def open(self, name: str) -> IO[bytes]:
        """Raises IntegrityError when the bytes are missing or not those that were written."""

    def remove(self, name: str) -> None: ...
    def names(self) -> Iterator[str]: ...
    def sweep(self) -> None:
        """Remove what processes that died while they copied have left; what is being copied now stays."""


class LocalBlobs:
    """Blobs in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def adopt(self, file: Path, name: str) -> None:
        target = self._path(name)
        if target.exists() and file_digest(target) == name:
            return
        with no_space(self.folder):
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _fsync(file)
            try:
                os.link(file, target)  # the same disk: no copy, and no moment at which the blob is not whole
            except OSError:  # another disk, or a blob that is there and broken
                self._copy(file, target)
            _fsync(target.parent)
            _fsync(self.folder)

    def open(self, name: str) -> IO[bytes]:
        path = self._path(name)
        if not path.exists():
            raise _missing(name)
        if file_digest(path) != name:
            raise _corrupt(name)
        return path.open("rb")

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        return (path.name for path in self.folder.glob("??/*") if not path.name.startswith("."))

    def sweep(self) -> None:
        for draft in self.folder.glob("??/.*"):
            with suppress(FileNotFoundError):
                if time.time() - draft.stat().st_mtime > ABANDONED_S:
                    draft.unlink()

    def _copy(self, file: Path, target: Path) -> None:
        draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        try:
            shutil.copyfile(file, draft)
            _fsync(draft)
            draft.rename(target)
        finally:
            draft.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / name


class RemoteBlobs:
    """Blobs behind any fsspec URL."""

    def __init__(self, url: str) -> None:
        import fsspec

        self.filesystem: Any
        self.filesystem, self.root = fsspec.core.url_to_fs(url)

    def adopt(self, file: Path, name: str) -> None:
        if not self.filesystem.exists(self._path(name)):
            self.filesystem.makedirs(f"{self.root}/{name[:2]}", exist_ok=True)
            self.filesystem.put_file(str(file), self._path(name))

    def open(self, name: str) -> IO[bytes]:
        if not self.filesystem.exists(self._path(name)):
            raise _missing(name)
        hasher = hashlib.sha256()
        with self.filesystem.open(self._path(name), "rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                hasher.update(chunk)
        if hasher.hexdigest() != name:
            raise _corrupt(name)
        opened: IO[bytes] = self.filesystem.open(self._path(name), "rb")
        return opened

    def remove(self, name: str) -> None:
        if self.filesystem.exists(self._path(name)):
            self.filesystem.rm_file(self._path(name))

    def names(self) -> Iterator[str]:
        found = self.filesystem.find(self.root) if self.filesystem.exists(self.root) else []
        return (str(path).rsplit("/", 1)[-1] for path in found)

    def sweep(self) -> None:
        """Nothing to do: an upload that did not end is not there."""

    def _path(self, name: str) -> str:
        return f"{self.root}/{name[:2]}/{name}"


def open_blobs(url: str) -> Blobs:
    """The store behind MODELMINT_STORAGE_URL."""
    return LocalBlobs(Path(url.removeprefix("file://"))) if url.startswith("file://") else RemoteBlobs(url)


@contextmanager
def no_space(folder: Path) -> Iterator[None]:
    """Say ENOSPC in our words."""
    try:
        yield
    except OSError as error:
        if error.errno != _NO_SPACE:
            raise
        raise StorageFullError(
            f"No space is left on the disk of {folder}.",
            remedy="Free some space, then run the same command again: it goes on where it stopped.",
        ) from error


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _missing(name: str) -> IntegrityError:
    return IntegrityError(
        f"blob {name[:12]}… is missing from the store",
        remedy="Restore it from a backup, or run the recipe again with --fresh.",
    )


def _corrupt(name: str) -> IntegrityError:
    return IntegrityError(
        f"blob {name[:12]}… does not hold what was written",
        remedy="Restore it from a backup, or run the recipe again with --fresh.",
    )
