"""Code that a base brings: run only where the operator of this installation allowed just these files, by name and digest.

A recipe cannot allow it: the code runs in the stage's process, beside the keys of every tenant.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelmint.core.errors import InputError
from modelmint.core.hashing import digest, file_digest
from modelmint.core.settings import Settings

SETTING = "MODELMINT_ALLOW_CODE"
MOST_CODE_BYTES = 1_000_000


def refuse_code(folder: Path, name: str) -> None:
    """
    Raises:
        InputError: the base is of a family that transformers does not know, and its code was not allowed.
    """
    wanted = _wanted(folder)
    if not wanted:
        return
    names = sorted({_file(one) for one in wanted})
    if elsewhere := [one for one in wanted if "--" in one]:
        raise _refused(name, folder, f"which its config.json takes from elsewhere ({elsewhere[0][:100]})")
    if missing := [one for one in names if not (folder / one).is_file()]:
        raise _refused(name, folder, f"and its folder lacks {', '.join(missing)[:200]}")
    given = code_digest(folder)
    if f"{name}@{given}" not in Settings.read().allow_code:
        raise InputError(
            f"base: must be of a family that transformers knows, or its code be allowed on this machine; {name} needs code "
            f"of its own ({', '.join(names)[:200]}), which is not allowed",
            parameter="base",
            remedy=f"Take another base; or read all *.py in {folder}, which run with your rights, and set "
            f"{SETTING}={name}@{given} for the worker.",
        )


def trusted(folder: Path) -> bool:
    """Whether a folder's code may run: the base's own, or that of a model that was made from it. Its digest was allowed."""
    wanted = _wanted(folder)
    if not wanted or any("--" in one for one in wanted):
        return False
    return code_digest(folder) in {one.rpartition("@")[2] for one in Settings.read().allow_code}


def copy_code(source: Path, folder: Path) -> None:
    """Lay a base's code beside the model that was made from it, which needs it and has then the same digest."""
    if trusted(source):
        for path in code_files(source):
            place = folder / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())


def code_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all ``*.py`` that lie in the folder, and in folders below it."""
    return digest({str(path.relative_to(folder)): file_digest(path) for path in code_files(folder)})


def code_files(folder: Path) -> Sequence[Path]:
    """
    Raises:
        InputError: they are larger than `MOST_CODE_BYTES`.
    """
    found = sorted(folder.rglob("*.py"))
    size_bytes = sum(path.stat().st_size for path in found)
    if size_bytes > MOST_CODE_BYTES:
        raise InputError(
            f"base: must bring at most {MOST_CODE_BYTES:,} bytes of code; {folder} has {size_bytes:,} bytes of *.py",
            parameter="base",
            remedy="Take a base of a family that transformers knows.",
        )
    return found


def _wanted(folder: Path) -> list[str]:
    """What a config names as code, where its family is not one that transformers knows."""
    path = folder / "config.json"
    config: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not config.get("auto_map"):
        return []
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if config.get("model_type") in CONFIG_MAPPING_NAMES:
        return []
    listed = [one if isinstance(one, list) else [one] for one in dict(config["auto_map"]).values()]
    return [str(one) for each in listed for one in each if one]


def _file(place: str) -> str:
    return place.rpartition("--")[2].rpartition(".")[0].replace(".", "/") + ".py"


def _refused(name: str, folder: Path, why: str) -> InputError:
    return InputError(
        f"base: must hold all of its code in its own folder; {name} needs code of its own, {why}",
        parameter="base",
        remedy=f"Put the files into {folder}, or take a base of a family that transformers knows.",
    )
