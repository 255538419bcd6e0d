"""Folders of files as one source: what kind they are of, and what the place of a file says about it."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, TypeAlias

from modelmint.core.errors import DataError
from modelmint.data.sources.places import SPLITS
from modelmint.data.sources.rows import SourceFile

Kind: TypeAlias = Literal["documents", "images", "audio"]

TEXTS = frozenset({"txt", "text", "md", "markdown", "rst", ""})
PARSED = {"html": "html", "htm": "html", "xhtml": "html", "pdf": "pdf", "docx": "docx"}
IMAGES = frozenset({"png", "jpg", "jpeg", "webp", "gif", "bmp"})
AUDIO = frozenset({"wav", "flac", "ogg", "oga", "mp3"})
METADATA = ("metadata.jsonl", "metadata.csv")
"""A file with one row a file, as the `imagefolder` and `audiofolder` of Hugging Face `datasets` have it."""

MAX_FILES = 2_000_000
MAX_DEPTH = 16
_LOOKED_AT = 2_000
_TABLES = frozenset({"csv", "tsv", "jsonl", "ndjson", "json", "parquet", "arrow", "xlsx", "gz", "zip"})
_TOLD = frozenset({"readme", "license", "licence", "copying"})  # beside the folders of the splits
_NOISE = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


class Place(NamedTuple):
    """A file in a folder."""

    name: str
    """Relative to the folder, with slashes."""
    fault: str
    """Why it is not read: a link, or something that is no file; empty for a file."""


def kind_of(folder: Path) -> Kind | None:
    """What most of the files are, as far as one can tell from the first names; None for tables and for nothing."""
    counts: Counter[str] = Counter()
    for place in islice(walk(folder), _LOOKED_AT):
        if PurePosixPath(place.name).name not in METADATA:
            counts[_kind(place.name)] += 1
    found = max(("images", "audio", "documents"), key=lambda kind: counts[kind])
    if counts[found] == 0 or counts["table"] >= counts[found] or (found == "documents" and counts["table"]):
        return None
    return found  # type: ignore[return-value]  # one of the three names above


def parts_of(folder: Path) -> list[SourceFile]:
    """The folder as one source, or its folders train, test, dev ... where it holds nothing else.

    `kind_of` must have told its kind: that is the format's name.
    """
    kind = str(kind_of(folder))
    with os.scandir(folder) as entries:
        found = {entry.name: entry for entry in entries if not entry.name.startswith(".") and entry.name not in _NOISE}
    splits = {name: SPLITS.get(name.lower()) for name, entry in found.items() if entry.is_dir(follow_symlinks=False)}
    others = [name for name in found if name not in splits and PurePosixPath(name).stem.lower() not in _TOLD]
    if splits and all(splits.values()) and not others:
        order = ("train", "validation", "test")
        named = sorted((order.index(str(split)), name, split) for name, split in splits.items())
        return [SourceFile(path=folder / name, key=name.lower(), split=split, format=kind) for _, name, split in named]
    return [SourceFile(path=folder, key="data", split=None, format=kind)]


def is_documents(folder: Path) -> bool:
    """Whether the folder is one of documents: texts, PDF, Word, web pages."""
    return kind_of(folder) == "documents"


def is_images(folder: Path) -> bool:
    return kind_of(folder) == "images"


def is_audio(folder: Path) -> bool:
    return kind_of(folder) == "audio"


def walk(folder: Path) -> Iterator[Place]:
    """Every file, in the order of the names; hidden ones and those of file managers are passed over.

    Raises:
        DataError: more than `MAX_FILES` files, or folders deeper than `MAX_DEPTH`.
    """
    for num_files, place in enumerate(_walk(folder, "", 0), 1):
        if num_files > MAX_FILES:
            raise DataError(
                f"source: {folder.name} holds more than {MAX_FILES:,} files",
                parameter="source",
                remedy="Give one of its folders at a time.",
            )
        yield place


def suffix(name: str) -> str:
    """``PDF`` of ``a/b.PDF``, in small letters; a suffix that is a number is none (mail folders name files so)."""
    found = PurePosixPath(name).suffix[1:].lower()
    return "" if found.isdigit() else found


def label_of(name: str) -> str | None:
    """The folders that a file stands in, ``spam`` or ``animals/cats``; None for a file at the top."""
    parent = str(PurePosixPath(name).parent)
    return None if parent == "." else parent


def row_number(name: str, part: int = 0) -> int:
    """A number for a file that stays the same whatever files are added beside it: 52 bits of a digest of its name."""
    return int(hashlib.sha256(f"{name}\0{part}".encode("utf-8", "surrogateescape")).hexdigest()[:13], 16)


def inside(folder: Path, name: str) -> Path | None:
    """The file of that name in the folder; None for a name that leads out of it, also through a link."""
    if not name or "\0" in name or "\\" in name or name.startswith("/") or ".." in PurePosixPath(name).parts:
        return None
    path = folder / name
    return path if path.resolve().is_relative_to(folder.resolve()) else None


def total_bytes(path: Path) -> int:
    """Of a file, or of every file in a folder; 0 for what is neither."""
    if path.is_dir():
        return sum((path / place.name).stat().st_size for place in walk(path) if not place.fault)
    return path.stat().st_size if path.is_file() else 0


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[Place]:
    if depth > MAX_DEPTH:
        raise DataError(
            f"source: {prefix[:80]}… is more than {MAX_DEPTH} folders deep",
            parameter="source",
            remedy="Give the folder in which the files are.",
        )
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name.startswith(".") or entry.name in _NOISE:
            continue
        name = f"{prefix}{entry.name}"
        if entry.is_symlink():
            yield Place(name, "a link: links are not followed")
        elif entry.is_dir():
            yield from _walk(Path(entry.path), f"{name}/", depth + 1)
        else:
            yield Place(name, "" if entry.is_file() else "neither a file nor a folder")


def _kind(name: str) -> str:
    end = suffix(name)
    if end in IMAGES:
        return "images"
    if end in AUDIO:
        return "audio"
    if end in _TABLES:
        return "table"
    return "documents" if end in TEXTS or end in PARSED else "other"
