"""Sources in object stores (``s3://``, ``gs://``, ``az://``, ``abfs://``) by fsspec: brought to disk, bounded.

Credentials are those that the store's own library finds (environment, configuration files, the machine's role); none is
taken from the URL. A prefix that ends with a slash, or that names no object, is a folder.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from modelmint.core.errors import DataError, InputError, UnavailableError
from modelmint.core.hashing import CHUNK_BYTES, digest

SCHEMES = {
    "s3": ("s3fs", "s3"),
    "gs": ("gcsfs", "gcs"),
    "gcs": ("gcsfs", "gcs"),
    "az": ("adlfs", "azure"),
    "abfs": ("adlfs", "azure"),
    "abfss": ("adlfs", "azure"),
    "memory": ("fsspec", "core"),
}
"""URL scheme -> the library that reads it, and the extra that brings it. ``memory://`` is of this process alone."""
MAX_BYTES = 200_000_000_000
MAX_FILES = 100_000

_URL = re.compile(r"([a-z0-9]+)://([^?#]*)")
_FREE_SHARE = 0.05  # of the disk that stays free: a full one harms more than this stage


def fetch(url: str, folder: Path, *, max_bytes: int = MAX_BYTES) -> Path:
    """Bring one object, or every object below a prefix, into `folder`; the path of the file or folder there.

    Raises:
        InputError: an unknown scheme, something after the path, or a library that is not installed.
        DataError: nothing is there, more than `max_bytes` or `MAX_FILES`, or a name that leads out of the folder.
        UnavailableError: the store does not answer or does not let us in.
    """
    filesystem, root = _filesystem(url)
    with _told(url):
        found = _objects(filesystem, root, url)
    _check_size(sum(size for _, size, _ in found), folder, url, max_bytes)
    single = [name for name, _, _ in found] == [root]
    target = folder / (PurePosixPath(root).name or "data")
    left_bytes = max_bytes
    for name, _, _ in found:
        path = target if single else target / local_name(name, root, url)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _told(url), filesystem.open(name, "rb") as stream, path.open("wb") as written:
            while chunk := stream.read(CHUNK_BYTES):
                left_bytes -= len(chunk)
                if left_bytes < 0:
                    raise _too_large(url, max_bytes)
                written.write(chunk)
    return target


def fingerprint(url: str) -> str:
    """A digest of the names, sizes and versions (ETag, generation or time) of the objects, without reading them.

    Raises:
        InputError, DataError, UnavailableError: as `fetch`.
    """
    filesystem, root = _filesystem(url)
    with _told(url):
        return digest([url, [[name, size, version] for name, size, version in _objects(filesystem, root, url)]])


def _filesystem(url: str) -> tuple[Any, str]:
    match = _URL.fullmatch(url)
    scheme = match.group(1) if match else url.partition(":")[0]
    if match is None or scheme not in SCHEMES or "@" in match.group(2).split("/")[0] or "::" in url:
        raise InputError(
            f"source: must be a URL of {', '.join(f'{name}://' for name in SCHEMES if name != 'memory')} with bucket and path alone; "
            f"its scheme is {scheme[:30]!r}",
            parameter="source",
            remedy="Write s3://bucket/path; credentials come from the environment (AWS_ACCESS_KEY_ID, ...).",
        )
    module, extra = SCHEMES[scheme]
    from modelmint.data.sources.extras import need_library

    need_library(module, extra=extra, what=f"reading {scheme}://")
    import fsspec

    with _told(url):
        filesystem, root = fsspec.core.url_to_fs(url)
    return filesystem, str(root).rstrip("/")


def _objects(filesystem: Any, root: str, url: str) -> list[tuple[str, int, str]]:
    """Name, bytes and version of every object, sorted."""
    filesystem.invalidate_cache()
    if not url.endswith("/") and filesystem.isfile(root):
        entries = [filesystem.info(root)]
    else:
        entries = [entry for entry in filesystem.find(root, detail=True).values() if entry["type"] == "file"]
    entries = [entry for entry in entries if not str(entry["name"]).endswith("/")]
    if not entries or len(entries) > MAX_FILES:
        said = f"more than {MAX_FILES:,} objects are" if entries else "nothing is"
        raise DataError(
            f"source: {said} at {url}",
            parameter="source",
            remedy="Check the bucket and the path; name one object or a smaller prefix.",
        )
    versions = ("ETag", "etag", "md5Hash", "generation", "LastModified", "last_modified", "updated", "mtime", "created")
    return sorted(
        (
            str(entry["name"]),
            int(entry.get("size") or 0),
            str(next((entry[key] for key in versions if entry.get(key)), "")),
        )
        for entry in entries
    )


def local_name(name: str, root: str, url: str) -> PurePosixPath:
    """An object's place below the folder; keys are free text, and may hold ``..`` or begin with a slash.

    Raises:
        DataError: the key is no path.
    """
    relative = name.removeprefix(root).removeprefix("/")
    path = PurePosixPath(relative)
    if (
        relative.startswith("/")
        or {"..", "."} & set(relative.split("/"))
        or "\\" in relative
        or "\0" in relative
        or not path.parts
    ):
        raise DataError(
            f"source: an object at {url} has a name that is no path in a folder: {name[:200]!r}",
            parameter="source",
            remedy="Rename it, or name another prefix.",
        )
    return path


def _check_size(num_bytes: int, folder: Path, url: str, max_bytes: int) -> None:
    if num_bytes > max_bytes:
        raise _too_large(url, max_bytes, num_bytes)
    disk = shutil.disk_usage(folder)
    if num_bytes > disk.free - _FREE_SHARE * disk.total:
        raise DataError(
            f"source: {url} holds {num_bytes:,} bytes; {disk.free:,} are free on the disk of MODELMINT_HOME",
            parameter="source",
            remedy="Free some space, or name a smaller prefix.",
        )


def _too_large(url: str, max_bytes: int, num_bytes: int | None = None) -> DataError:
    said = f"{num_bytes:,}" if num_bytes is not None else "more"
    return DataError(
        f"source: {url} may hold {max_bytes:,} bytes and holds {said}",
        parameter="source",
        remedy="Name one object or a smaller prefix.",
    )


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Say in our words what the stores' libraries raise."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(
            f"source: nothing is at {url}", parameter="source", remedy="Check the bucket, the path and your rights."
        ) from error
    except _faults() as error:
        raise UnavailableError(
            f"source: {url} cannot be read: {type(error).__name__}: {str(error)[:200]}",
            parameter="source",
            remedy="Check the address and the credentials in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY).",
        ) from error


def _faults() -> tuple[type[Exception], ...]:
    """The libraries are there only with their extras: their errors are asked for."""
    found: list[type[Exception]] = [OSError, TimeoutError, ValueError, RuntimeError]
    for module, name in (
        ("botocore.exceptions", "BotoCoreError"),
        ("botocore.exceptions", "ClientError"),
        ("aiohttp", "ClientError"),
        ("azure.core.exceptions", "AzureError"),
        ("google.auth.exceptions", "GoogleAuthError"),
        ("gcsfs.retry", "HttpError"),
    ):
        if module in sys.modules:
            found.append(getattr(sys.modules[module], name))
    return tuple(found)
