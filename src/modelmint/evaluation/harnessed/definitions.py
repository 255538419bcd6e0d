"""Task files of lm-evaluation-harness, read as data: nothing that they bring runs, unless the operator allowed its files.

A task file is by a stranger. The library's own reader would import what ``!function`` names, load metrics' code from a hub
and read any file that a task includes. Here a file is plain YAML of known keys, includes stay in the folder, and the
functions of a task are imported only where `MODELMINT_ALLOW_CODE` names the task with the digest of its code.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from modelmint.core.errors import InputError, NotFoundError
from modelmint.core.hashing import digest, file_digest
from modelmint.core.settings import Settings

ALLOW = "MODELMINT_ALLOW_CODE"
MAX_FILE_BYTES = 2_000_000
MAX_FILES = 20_000
MAX_VALUES = 200_000
"""In one task, with what YAML's aliases repeat."""
KEYS = frozenset({
    "task", "task_alias", "tag", "dataset_path", "dataset_name", "dataset_kwargs", "training_split", "validation_split",
    "test_split", "fewshot_split", "process_docs", "doc_to_text", "doc_to_target", "doc_to_choice", "process_results",
    "description", "target_delimiter", "fewshot_delimiter", "fewshot_config", "num_fewshot", "metric_list", "output_type",
    "generation_kwargs", "repeats", "filter_list", "should_decontaminate", "doc_to_decontamination_query", "gen_prefix",
    "metadata",
})  # fmt: skip
_NAMED = re.compile(r"^(task|group):[ \t]*[\"']?([^\s\"'\[{#]+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """What ``!function module.name`` names, in a file of `folder`."""

    name: str
    folder: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """A task as its file has it, with what that includes; `functions` are left in `config` where they stand."""

    name: str
    config: Mapping[str, Any]
    file: Path
    root: Path
    """The folder that its files and rows must lie in."""
    functions: Sequence[Function]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Index:
    """Name -> the files that define it, in the order of their paths."""

    tasks: Mapping[str, list[Path]]
    groups: Mapping[str, list[Path]]


def definitions(names: Sequence[str], include: Path | None, library: Path) -> list[Definition]:
    """The wanted tasks, each from the folder `include` or else from the library's own (`library`).

    Raises:
        NotFoundError: no file defines one of them.
        InputError: a file is no plain YAML, leaves its folder, or has a key that is not known; or a task has code that
            was not allowed.
    """
    own = _index(_folder(include)) if include is not None else _Index(tasks={}, groups={})
    return [_definition(name, own, include, library) for name in names]


def folder_digest(folder: Path) -> str:
    """A digest of every file in the folder: what tasks and their rows are.

    Raises:
        InputError: it is no folder, or has too many files.
    """
    return digest({str(path.relative_to(folder)): file_digest(path) for path in _files(_folder(folder), "*")})


def code_digest(folder: Path) -> str:
    """A digest of the code in the folder and below it, as the operator allows it."""
    return digest({str(path.relative_to(folder)): file_digest(path) for path in _files(folder, "*.py")})


class _Loader(yaml.SafeLoader):
    """YAML without objects, with ``!function`` as a name. `folder` is that of the file."""

    folder: Path


def _function(loader: _Loader, node: yaml.Node) -> Function:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.constructor.ConstructorError(None, None, "!function must name one", node.start_mark)
    return Function(name=str(loader.construct_scalar(node)), folder=loader.folder)


_Loader.add_constructor("!function", _function)


def _definition(name: str, own: _Index, include: Path | None, library: Path) -> Definition:
    files, root = own.tasks.get(name, []), include
    if len(files) > 1:
        raise _wrong(name, files[0], f"defines the same task as {files[1]}", "Give each a name of its own.")
    if not files:
        files, root = _library_index(library).tasks.get(name, []), library
    if not files or root is None:
        raise _unknown(name, own, include, library)
    file = files[0]
    root = root.resolve()
    config = _read(file.resolve(), root, name, seen=())
    functions = list(_functions(config, name))
    strange = [key for key in config if key not in KEYS]
    if "class" in strange or "custom_dataset" in strange:
        raise _wrong(name, file, "is written in Python as a whole, which is not run here", "Take a task that is YAML.")
    if strange:
        raise _wrong(
            name, file, f"has keys that are not taken here: {', '.join(map(str, strange))[:200]}", "Leave them out."
        )
    if functions:
        _refuse_code(name, root, functions)
    return Definition(name=name, config=config, file=file, root=root, functions=functions)


def _read(path: Path, root: Path, name: str, *, seen: tuple[Path, ...]) -> dict[str, Any]:
    """A file with what it includes below it."""
    if path in seen or len(seen) > 20:
        raise _wrong(name, path, "includes itself", "Take the circle out.")
    if not path.is_relative_to(root):
        raise _wrong(name, path, f"lies outside of {root}", "Put what is included into the folder.")
    if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        raise _wrong(name, path, f"is no file of at most {MAX_FILE_BYTES:,} bytes", "Mend `include:`.")
    loader = _Loader(path.read_text(encoding="utf-8", errors="replace"))
    loader.folder = path.parent
    try:
        given = loader.get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _wrong(name, path, f"is no plain YAML: {str(error)[:300]}", "Mend the file.") from error
    finally:
        loader.dispose()
    if not isinstance(given, dict):
        raise _wrong(name, path, "must be a mapping", "Mend the file.")
    included = given.pop("include", [])
    merged: dict[str, Any] = {}
    for one in included if isinstance(included, list) else [included]:
        more = _read((path.parent / str(one)).resolve(), root, name, seen=(*seen, path))
        merged |= {key: value for key, value in more.items() if key != "task_list"}
    merged |= given
    if seen:
        return merged
    for key in ("group", "task_list"):
        merged.pop(key, None)
    return {str(key): value for key, value in merged.items()}


def _functions(config: Mapping[str, Any], name: str) -> Iterator[Function]:
    """Every function that is named, once it is clear that all else is plain."""
    left, num_values = list(config.values()), 0
    while left:
        value, num_values = left.pop(), num_values + 1
        if num_values > MAX_VALUES:
            raise InputError(
                f"tasks: a task must have at most {MAX_VALUES:,} values; {name} has more", parameter="tasks"
            )
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, Function):
            yield value


def _refuse_code(name: str, root: Path, functions: Sequence[Function]) -> None:
    """
    Raises:
        InputError: the code is not in the folder, or was not allowed.
    """
    for one in functions:
        module_file(one, name, root)
    folder = code_folder(root, functions)
    given = f"{name}@{code_digest(folder)}"
    if given not in Settings.read().allow_code:
        raise InputError(
            f"tasks: a task with Python code must be allowed on this machine; {name} has "
            f"{', '.join(sorted({one.name for one in functions}))[:200]}, which is not",
            parameter="tasks",
            remedy=f"Take another task; or read all *.py in {folder}, which run with your rights, and set {ALLOW}={given} "
            "for the worker.",
        )


def code_folder(root: Path, functions: Sequence[Function]) -> Path:
    """The folder whose code is allowed as one: the smallest that holds the files that name functions."""
    folder = functions[0].folder
    while not all(one.folder.is_relative_to(folder) for one in functions):
        folder = folder.parent
    return folder if folder.is_relative_to(root) else root


def module_file(function: Function, name: str, root: Path) -> Path:
    """The file that holds a function.

    Raises:
        InputError: it is not in the folder.
    """
    module, _, _ = function.name.rpartition(".")
    path = (function.folder / f"{module.replace('.', '/')}.py").resolve()
    if not module or not path.is_relative_to(root) or not path.is_file():
        raise InputError(
            f"tasks: a function must be in a file beside the task; {name} names {function.name[:100]!r}, and there is no "
            f"{path.name} in {function.folder}",
            parameter="tasks",
            remedy="Lay the file beside the task, or take the function out.",
        )
    return path


def _folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(
            f"include: must be a folder with task files (*.yaml); {folder} is none",
            parameter="include",
            remedy="Give the folder itself, not a file in it.",
        )
    return folder


def _files(folder: Path, pattern: str) -> list[Path]:
    found = []
    for path in folder.rglob(pattern):
        if path.is_file() and "__pycache__" not in path.parts:
            found.append(path)
        if len(found) > MAX_FILES:
            raise InputError(
                f"include: must hold at most {MAX_FILES:,} files; {folder} holds more",
                parameter="include",
                remedy="Lay the tasks with their rows into a folder of their own.",
            )
    return sorted(found)


@lru_cache(maxsize=2)
def _library_index(folder: Path) -> _Index:
    return _index(folder)


def _index(folder: Path) -> _Index:
    found: dict[str, dict[str, list[Path]]] = {"task": {}, "group": {}}
    for path in _files(folder, "*.yaml"):
        if path.stat().st_size <= MAX_FILE_BYTES:
            for kind, name in _NAMED.findall(path.read_text(encoding="utf-8", errors="replace")):
                found[kind].setdefault(name, []).append(path)
    return _Index(tasks=found["task"], groups=found["group"])


def _unknown(name: str, own: _Index, include: Path | None, library: Path) -> InputError:
    import difflib

    all_of_it = _library_index(library)
    if name in all_of_it.groups or name in own.groups:
        return InputError(
            f"tasks: must name single tasks; {name} is a group of several",
            parameter="tasks",
            remedy="Name its tasks one by one: each then has its own figures and gates.",
        )
    alike = [one for one in all_of_it.tasks if one[:1] == name[:1] and abs(len(one) - len(name)) < 4]
    near = difflib.get_close_matches(name, [*own.tasks, *alike], n=3)
    where = f"neither in {include} nor " if include is not None else "not "
    return NotFoundError(
        f"tasks: must be defined in a task file; {name!r} is {where}among the {len(all_of_it.tasks):,} of lm-eval",
        parameter="tasks",
        remedy=f"Did you mean {' or '.join(near)}?" if near else "Name a task of lm-eval, or give `include`.",
    )


def _wrong(name: str, path: Path, why: str, remedy: str) -> InputError:
    return InputError(f"tasks: {name} cannot be used; {path} {why}", parameter="tasks", remedy=remedy)
