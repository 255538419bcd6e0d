"""An archive from outside, unpacked into an empty folder: only plain files, under plain names, within bounds.

What may lead out of the folder, fill the disk or mean another file elsewhere (links, devices, ``..``, bombs, names that
differ by case alone) refuses the whole archive, with the entry's name: a part of a dataset is no dataset.
Sources: CWE-22 (path traversal), CWE-59 (links), CWE-409 (bombs); D. Fifield, "A better zip bomb", WOOT 2019.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from modelmint.core.errors import DataError
from modelmint.data.sources.archive_names import Names
from modelmint.data.sources.packed import PACKINGS, Bounds, Budget, unpacked
from modelmint.data.sources.tar_entries import tar_entries
from modelmint.data.sources.zip_entries import Entry, zip_entries

_TARS = {".tar": None, ".tgz": "gzip", ".tbz2": "bzip2", ".txz": "xz"} | {
    f".tar{suffix}": packing for suffix, packing in PACKINGS.items()
}


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """What came out of an archive."""

    path: Path
    """The folder; where all of it lies in one folder or is one file, that one."""
    num_files: int
    num_bytes: int
    left_out: tuple[str, ...]
    """Entries of file managers (``__MACOSX``, ``.DS_Store``) that were not unpacked."""


def unpack(
    path: Path,
    folder: Path,
    *,
    bounds: Bounds | None = None,
    say: Callable[[int, int, str], None] = lambda _done, _total, _message: None,
) -> Unpacked:
    """Unpack a .zip, .tar (also .gz, .bz2, .xz, .zst) or a single packed file into `folder`, which must be empty.

    `folder` is made where it is not there, and removed when the archive is refused. `say` may raise to end the work.

    Raises:
        DataError: no archive, damaged, or an entry that is not taken.
    """
    bounds = bounds or Bounds()
    names = Names(archive=path.name, bounds=bounds)
    folder.mkdir(parents=True, exist_ok=True)
    if next(folder.iterdir(), None) is not None:
        raise FileExistsError(f"{folder} is not empty")
    num_files = num_bytes = 0
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        for entry in _entries(path, bounds, names):
            place = folder / entry.path
            if entry.is_folder:
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as sink:
                for piece in entry.pieces:
                    num_bytes += sink.write(piece)
            num_files += 1
            say(num_bytes, 0, f"{num_files:,} files unpacked")
        undo.pop_all()
    if not num_files:
        shutil.rmtree(folder)
        raise DataError(f"source: {path.name} holds no file", parameter="source", remedy="Pack it again.")
    return Unpacked(path=_inner(folder), num_files=num_files, num_bytes=num_bytes, left_out=tuple(names.left_out))


def is_archive(name: str) -> bool:
    """Whether a file of that name is to be unpacked before it can be read; readers take ``.gz`` of one file as it is."""
    return name.lower().endswith((".zip", *_TARS, *(suffix for suffix in PACKINGS if suffix != ".gz")))


def _entries(path: Path, bounds: Bounds, names: Names) -> Iterator[Entry]:
    lower = path.name.lower()
    tar = next((suffix for suffix in _TARS if lower.endswith(suffix)), None)
    packing = next((suffix for suffix in PACKINGS if lower.endswith(suffix)), None)
    if lower.endswith(".zip"):
        yield from zip_entries(path, bounds, names)
    elif tar is not None:
        yield from tar_entries(path, _TARS[tar], bounds, names)
    elif packing is not None:
        place = names.take(path.name[: -len(packing)], is_folder=False)
        if place is not None:
            yield Entry(
                place, is_folder=False, pieces=unpacked(path, PACKINGS[packing], Budget(bounds, name=path.name))
            )
    else:
        raise DataError(
            f"source: must be an archive (.zip, .tar, .tar.gz, .gz, .bz2, .xz, .zst); got {path.name}",
            parameter="source",
            remedy="Pack it as one of these.",
        )


def _inner(folder: Path) -> Path:
    """Down through folders that hold one thing only."""
    while folder.is_dir() and len(inside := list(folder.iterdir())) == 1:
        folder = inside[0]
    return folder
