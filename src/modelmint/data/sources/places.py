"""Where rows come from: what a source's name means, what brings it here, and which files it is then."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modelmint.core.errors import DataError
from modelmint.core.hashing import digest, file_digest
from modelmint.core.settings import secret
from modelmint.data.sources.readers import FETCHERS, FORMATS, Format, load
from modelmint.data.sources.rows import Reading, SourceFile
from modelmint.data.sources.source_spec import SourceSpec

if TYPE_CHECKING:
    from modelmint.data.sources.web import Limits

SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "dev": "validation",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
}
"""How sources name their splits -> how we name them."""

_SUFFIXES = {suffix: kind for kind in FORMATS for suffix in kind.suffixes}
_SCHEMES = {scheme: kind for kind in FORMATS for scheme in kind.schemes}
_WEB = ("http", "https")
_ALLOWED = (
    "a file (.csv, .tsv, .jsonl, .json, .parquet, .arrow, .conll, .txt, also .gz; .xlsx, .pdf, .docx, .html, .md; an "
    "archive), a folder that holds train.* and perhaps test.* and dev.*, or documents, images or recordings, a hub name "
    "(owner/name), or a URL"
)
_HUB = re.compile(r"(hf://)?([\w.-]+/)?[\w-][\w.-]*")
_DATABASES = (".db", ".sqlite", ".sqlite3", ".db3")
_SHARD = re.compile(r"-\d+-of-\d+$")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def is_hub(source: str) -> bool:
    """Whether a source is a data set on the hub: ``hf://owner/name``, or ``owner/name`` with nothing there on disk."""
    if source.startswith("hf://"):
        return _HUB.fullmatch(source) is not None
    return (
        not Path(source).expanduser().exists()
        and _HUB.fullmatch(source) is not None
        and source.count("/") == 1
        and (Path(source).suffix.lstrip(".").lower() not in {*_SUFFIXES, "gz", "zip", "tar", "tgz"})
    )


def located(spec: SourceSpec, folder: Path, say: Callable[[int, int, str], None]) -> list[SourceFile]:
    """The files of a source, in order; what is elsewhere or packed is first brought into `folder`.

    Raises:
        DataError: nothing is there, no kind that can be read, or a folder without a training file or with two.
        InputError, UnavailableError: what is elsewhere cannot be brought here.
    """
    scheme = scheme_of(spec.source)
    if scheme in _SCHEMES:
        return [SourceFile(path=Path(), key="data", split=None, format=_SCHEMES[scheme].name, url=spec.source)]
    if scheme in _WEB:
        path = _from_web(spec, _made(folder / "download"), say)
    elif scheme in FETCHERS:
        say(0, 0, "downloading")
        path = load(FETCHERS[scheme].fetch)(spec.source, _made(folder / "download"))
    elif scheme:
        known = ", ".join(sorted({*_SCHEMES, *FETCHERS, *_WEB, "hf"}))
        raise DataError(
            f"source: the scheme of a URL must be one of {known}; got {scheme!r}",
            parameter="source",
            remedy="Download the file and give its path.",
        )
    else:
        path = Path(spec.source).expanduser()
    return local_files(_unpacked(path, folder, say))


def local_files(path: Path) -> list[SourceFile]:
    """The files of a local source, in order.

    Raises:
        DataError: as `located`.
    """
    if path.is_file():
        return [_file(path, key="data", split=None)]
    if path.is_dir():
        return _folder(path)
    said = "is neither a file nor a folder" if path.exists() else "does not exist"
    raise DataError(
        f"source: must be {_ALLOWED}; {path} {said}",
        parameter="source",
        remedy="Set `source` of the collect stage to a path that exists, from the folder the run is started in.",
    )


def scheme_of(source: str) -> str:
    """``s3`` of ``s3://...``; empty for a path or hub name."""
    match = _SCHEME.match(source)
    return match.group(1).lower() if match else ""


def fingerprint_of(spec: SourceSpec) -> str:
    """What a source holds now, as far as can be told without reading it over a network.

    A local source is its bytes; an object store tells its objects' versions, a web server its ETag, a database its
    state. Where nothing is told, the name stands for the source.
    """
    scheme = scheme_of(spec.source)
    if scheme in _SCHEMES:
        kind = _SCHEMES[scheme]
        file = SourceFile(path=Path(), key="data", split=None, format=kind.name, url=spec.source)
        return str(load(kind.fingerprint)(file, Reading(query=spec.query, password_from=spec.password_from)))
    if scheme in FETCHERS:
        return str(load(FETCHERS[scheme].fingerprint)(spec.source))
    if scheme in _WEB:
        from modelmint.data.sources.web import validators

        return digest([spec.source, validators(spec.source, _web_limits(spec, lambda _done, _total, _said: None))])
    path = Path(spec.source).expanduser()
    if path.is_file():
        return digest([["data", file_digest(path)]])
    found = local_files(path)
    if all(file.path.is_file() for file in found):
        return digest([[file.key, file_digest(file.path)] for file in found])
    return _folder_digest(path)


def shown(source: str) -> str:
    """A source's name without folders, credentials and what follows the path of a URL."""
    if scheme_of(source) in _SCHEMES:
        from modelmint.data.sources.databases import shown as database_shown

        return database_shown(source)
    if scheme_of(source):
        parts = urlsplit(source)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    return source if is_hub(source) else Path(source).name


def _folder(folder: Path) -> list[SourceFile]:
    found = []
    for path in sorted(folder.iterdir()):
        stem, kind, _ = _parts(path)
        split = SPLITS.get(_SHARD.sub("", stem).lower())
        if path.is_file() and kind is not None and split:
            found.append(_file(path, key=stem.lower(), split=split))
    plain: dict[str, SourceFile] = {}
    for file in found:
        other = None if _SHARD.search(file.key) else plain.setdefault(str(file.split), file)
        if other is not None and other is not file:
            raise DataError(
                f"source: {folder} holds two files for {file.split}: {other.path.name} and {file.path.name}",
                parameter="source",
                remedy="Keep one, or give one file's path.",
            )
    if not any(file.split == "train" for file in found):
        return _folder_of_a_kind(folder)
    return sorted(found, key=lambda file: (["train", "validation", "test"].index(str(file.split)), file.key))


def _folder_of_a_kind(folder: Path) -> list[SourceFile]:
    for kind in FORMATS:
        if kind.folder and load(kind.folder)(folder):
            if kind.parts:
                files: list[SourceFile] = load(kind.parts)(folder)
                return files
            return [SourceFile(path=folder, key="data", split=None, format=kind.name)]
    names = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
    raise DataError(
        f"source: the folder {folder} has no training file (train.csv, .tsv, .jsonl, .parquet); it holds {names}",
        parameter="source",
        remedy="Name one file train.*, or set `source` to one file's path.",
    )


def _file(path: Path, *, key: str, split: str | None) -> SourceFile:
    _, kind, gzipped = _parts(path)
    if kind is None:
        raise DataError(
            f"source: must be {_ALLOWED}; got {path.name}",
            parameter="source",
            remedy=f"Name a database by URL, with a query: sqlite:///{path}"
            if path.suffix.lower() in _DATABASES
            else "Export it as CSV (UTF-8), JSON lines or Parquet, and name it so.",
        )
    return SourceFile(path=path, key=key, split=split, format=kind.name, gzipped=gzipped)


def _parts(path: Path) -> tuple[str, Format | None, bool]:
    """``train.csv.gz`` -> ``("train", the format csv, True)``."""
    name = path.name
    gzipped = name.lower().endswith(".gz")
    stem, _, suffix = (name[:-3] if gzipped else name).rpartition(".")
    kind = _SUFFIXES.get(suffix.lower())
    return stem, None if kind is None or (gzipped and not kind.gzip) else kind, gzipped


def _unpacked(path: Path, folder: Path, say: Callable[[int, int, str], None]) -> Path:
    from modelmint.data.sources.archives import is_archive, unpack

    if not path.is_file() or _parts(path)[1] is not None or not is_archive(path.name):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    return unpack(path, folder / "unpacked", say=say).path


def _from_web(spec: SourceSpec, folder: Path, say: Callable[[int, int, str], None]) -> Path:
    from modelmint.data.sources.web import fetch
    from modelmint.data.sources.web_source import Paging, fetch_records

    limits = _web_limits(spec, say)
    if spec.records is None:
        return fetch(spec.source, folder, limits).path
    paging = Paging(records=spec.records, next_page=spec.next_page, max_pages=spec.max_pages)
    return fetch_records(spec.source, folder, limits, paging)


def _web_limits(spec: SourceSpec, say: Callable[[int, int, str], None]) -> "Limits":
    from modelmint.data.sources.bearer import Token
    from modelmint.data.sources.web import Limits

    limits = Limits(
        max_bytes=spec.max_download_bytes,
        timeout_s=spec.download_timeout_s,
        say=lambda done, total: say(done, total, "downloading"),
    )
    if spec.token_from is None:
        return limits
    value = secret(spec.token_from, parameter="token_from")
    return replace(limits, token=Token.of(value, spec.source, limits.allowed))


def _folder_digest(folder: Path) -> str:
    """Of every file below a folder: its name, size and bytes. Links are not followed."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            whole.update(f"{path.relative_to(folder)}\0{file_digest(path)}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
