"""Where rows come from: a file, a folder of splits, or a name on the hub."""

import re
from dataclasses import dataclass
from pathlib import Path

from modelmint.core.errors import DataError
from modelmint.core.hashing import digest, file_digest

FORMATS = {"csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet"}
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

_ALLOWED = (
    "a file (.csv, .tsv, .jsonl, .parquet; the text kinds also .gz), a folder that holds train.* and perhaps test.* "
    "and dev.*, or a hub name (owner/name)"
)
_HUB = re.compile(r"(hf://)?([\w.-]+/)?[\w-][\w.-]*")
_SHARD = re.compile(r"-\d+-of-\d+$")


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file to read. `key` takes part in the ids of its rows, so that renaming a single file changes none."""

    path: Path
    key: str
    split: str | None
    format: str
    gzipped: bool


def is_hub(source: str) -> bool:
    """Whether a source is a data set on the hub: ``hf://owner/name``, or ``owner/name`` with nothing there on disk."""
    if source.startswith("hf://"):
        return _HUB.fullmatch(source) is not None
    return (
        not Path(source).expanduser().exists()
        and _HUB.fullmatch(source) is not None
        and source.count("/") == 1
        and (Path(source).suffix.lstrip(".") not in {*FORMATS, "gz"})
    )


def files(source: str) -> list[SourceFile]:
    """The files of a local source, in order.

    Raises:
        DataError: nothing is there, no kind that can be read, or a folder without a training file or with two.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return [_file(path, key="data", split=None)]
    if path.is_dir():
        return _folder(path)
    said = "is neither a file nor a folder" if path.exists() else "does not exist"
    raise DataError(
        f"source: must be {_ALLOWED}; {source} {said}",
        parameter="source",
        remedy="Set `source` of the collect stage to a path that exists, from the folder the run is started in.",
    )


def local_fingerprint(source: str) -> str:
    """A digest of the bytes of every file of a local source."""
    return digest([[file.key, file_digest(file.path)] for file in files(source)])


def _folder(folder: Path) -> list[SourceFile]:
    found = []
    for path in sorted(folder.iterdir()):
        stem, kind = _parts(path)
        split = SPLITS.get(_SHARD.sub("", stem).lower())
        if path.is_file() and kind in FORMATS and split:
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
        names = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        raise DataError(
            f"source: the folder {folder} has no training file (train.csv, .tsv, .jsonl, .parquet); it holds {names}",
            parameter="source",
            remedy="Name one file train.*, or set `source` to one file's path.",
        )
    return sorted(found, key=lambda file: (["train", "validation", "test"].index(str(file.split)), file.key))


def _file(path: Path, *, key: str, split: str | None) -> SourceFile:
    _, kind = _parts(path)
    if kind not in FORMATS or (kind == "parquet" and path.suffix == ".gz"):
        raise DataError(
            f"source: must be {_ALLOWED}; got {path.name}",
            parameter="source",
            remedy="Export it as CSV (UTF-8), JSON lines or Parquet, and name it so.",
        )
    return SourceFile(path=path, key=key, split=split, format=FORMATS[kind], gzipped=path.suffix.lower() == ".gz")


def _parts(path: Path) -> tuple[str, str]:
    """``train.csv.gz`` -> ``("train", "csv")``."""
    name = path.name.removesuffix(".gz").removesuffix(".GZ")
    stem, _, kind = name.rpartition(".")
    return stem, kind.lower()
