"""Bases that are on this machine already: the starter, what the hub's cache holds, and folders. Nothing is fetched."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from modelmint.core.errors import InputError, IntegrityError
from modelmint.training.bases import Base, has_starter, read_folder, resolve
from modelmint.training.catalogue import CATALOGUE

MAX_BASES = 500


def nearby(folders: Sequence[Path] = ()) -> tuple[dict[str, Base], dict[str, str]]:
    """Bases by what one writes in a recipe for them, and why others that are here cannot be used.

    Args:
        folders: bases, or folders that hold some.
    """
    found: dict[str, Base] = {}
    unusable: dict[str, str] = {}
    if has_starter():
        try:
            found["starter"] = resolve("starter")
        except IntegrityError as error:
            unusable["starter"] = str(error)
    for name, folder in [*_cached(), *_held(folders)][:MAX_BASES]:
        try:
            found[name] = read_folder(folder, name=name, known=CATALOGUE.get(name), digested=False)
        except (InputError, OSError, ValueError) as error:
            unusable[name] = str(error)
    return found, unusable


def _cached() -> Iterator[tuple[str, Path]]:
    """Names and folders in the cache of the Hugging Face hub (``HF_HUB_CACHE``, ``HF_HOME``)."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    for repository in sorted(cache.glob("models--*--*")):
        main = repository / "refs" / "main"
        if main.is_file():
            folder = repository / "snapshots" / main.read_text(encoding="utf-8").strip()
            if (folder / "config.json").is_file():
                yield repository.name.removeprefix("models--").replace("--", "/", 1), folder


def _held(folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        whole = folder.expanduser().resolve()
        inside = [whole] if (whole / "config.json").is_file() else sorted(whole.glob("*"))
        for one in inside:
            if (one / "config.json").is_file():
                yield str(one), one
