"""The files that hold a folder's weights: one, or several with an index, which is read as a stranger's word.

The layout is that of transformers: ``model.safetensors``, or ``model.safetensors.index.json`` whose ``weight_map`` says
in which shard each tensor lies.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelmint.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_INDEX_BYTES = 64 << 20
MAX_SHARDS = 1_000
_SHARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.safetensors")


def weight_files(folder: Path) -> tuple[str, ...]:
    """The names of the weights' files, of which the index is the first where there are several; none where there are none.

    Raises:
        InputError: the index cannot be used, or a file is not there, cut short, or lacks a tensor that the index names.
    """
    if (folder / WHOLE).is_file():
        _names(folder / WHOLE)
        return (WHOLE,)
    if not (folder / INDEX).is_file():
        return ()
    wanted: dict[str, set[str]] = defaultdict(set)
    for tensor, shard in _index(folder).items():
        wanted[shard].add(tensor)
    for shard, tensors in sorted(wanted.items()):
        if not (folder / shard).is_file():
            raise _wrong(f"lacks {shard}, which {INDEX} names", "Copy or download every shard of the base.")
        if lost := tensors - _names(folder / shard):
            raise _wrong(f"says that {min(lost)[:100]!r} is in {shard}, and it is not", "Download the base again.")
    return (INDEX, *sorted(wanted))


def shard_names(folder: Path) -> tuple[str, ...]:
    """What the index names, whether it is there or not; none where there is no index, or it is not needed.

    Raises:
        InputError: the index cannot be used.
    """
    is_needed = (folder / INDEX).is_file() and not (folder / WHOLE).is_file()
    return tuple(sorted(set(_index(folder).values()))) if is_needed else ()


def read_tensors(folder: Path, names: Iterable[str]) -> "dict[str, Tensor]":
    """Those tensors of these names that the folder has, on the CPU."""
    from safetensors import safe_open

    wanted = set(names)
    found: dict[str, Tensor] = {}
    for file in weight_files(folder):
        if file != INDEX:
            with safe_open(folder / file, framework="pt") as stream:
                found |= {name: stream.get_tensor(name).clone() for name in wanted & set(stream.keys())}
    return found


def _index(folder: Path) -> dict[str, str]:
    path = folder / INDEX
    if path.stat().st_size > MAX_INDEX_BYTES:
        raise _wrong(f"has {path.stat().st_size:,} bytes; at most {MAX_INDEX_BYTES:,} are read", _OTHER)
    try:
        given: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _wrong("is no JSON", "Download the base again.") from error
    found = given.get("weight_map") if isinstance(given, dict) else None
    if not isinstance(found, dict) or not found:
        raise _wrong("has no weight_map", "Download the base again.")
    for shard in found.values():
        if not isinstance(shard, str) or not _SHARD.fullmatch(shard):
            raise _wrong(f"must name plain files that end in .safetensors; it names {str(shard)[:100]!r}", _OTHER)
    if len(set(found.values())) > MAX_SHARDS:
        raise _wrong(f"names {len(set(found.values())):,} shards; at most {MAX_SHARDS:,} are read", _OTHER)
    return found


def _names(path: Path) -> set[str]:
    """The tensors of a file, by its header alone."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as stream:
            return set(stream.keys())
    except SafetensorError as error:
        raise InputError(
            f"base: {path.name} must be a whole safetensors file; it is not ({error})",
            parameter="base",
            remedy="It was cut short or is something else: download or copy the base again.",
        ) from error


def _wrong(what: str, remedy: str) -> InputError:
    return InputError(f"base: its {INDEX} {what}", parameter="base", remedy=remedy)


_OTHER = "Take another base: no export of transformers looks like that."
