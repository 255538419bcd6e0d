"""The rows of a task: files that lie beside it, or a data set of the hub that was loaded on this machine before.

No place is followed that is not one of the two: no URL, no path out of the folder, no dataset script.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from modelmint.core.errors import DataError, InputError
from modelmint.evaluation.harnessed.definitions import Definition

MAX_ROWS_BYTES = 1 << 30
FORMATS = ("json", "csv", "parquet")
_HUB_NAME = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?")
_KWARGS = frozenset({"data_files", "trust_remote_code"})


def rows_of(definition: Definition) -> dict[str, Any]:
    """Split -> rows, as `datasets.Dataset`, in memory or mapped from the machine's own cache.

    Raises:
        InputError: the data is not on this machine, lies outside of the task's folder, or needs code.
        DataError: a file cannot be read.
    """
    config = definition.config
    path, kwargs = str(config.get("dataset_path") or ""), config.get("dataset_kwargs") or {}
    if not isinstance(kwargs, Mapping) or kwargs.get("trust_remote_code"):
        raise _refused(definition, "asks to run a dataset's code (trust_remote_code)", "Take it out of the task.")
    strange = sorted(set(map(str, kwargs)) - _KWARGS)
    if strange:
        raise _refused(definition, f"gives dataset_kwargs that are not taken here: {', '.join(strange)[:200]}", _OWN)
    if path in FORMATS:
        return {split: _dataset(path, files) for split, files in _data_files(definition, kwargs).items()}
    if "data_files" in kwargs:
        raise _refused(definition, f"names data_files for the dataset_path {path[:100]!r}", _OWN)
    if not _HUB_NAME.fullmatch(path) or ".." in path or Path(path).exists():
        raise _refused(definition, f"has the dataset_path {path[:100]!r}, which is no data set of the hub", _OWN)
    return _cached(definition, path, config.get("dataset_name"))


_OWN = "Set dataset_path to json, csv or parquet, and dataset_kwargs to {data_files: {test: FILE}}, a file beside the task."


def _data_files(definition: Definition, kwargs: Mapping[str, Any]) -> dict[str, list[Path]]:
    given = kwargs.get("data_files")
    if not given:
        raise _refused(definition, "names no data_files", _OWN)
    by_split = given if isinstance(given, Mapping) else {"train": given}
    return {
        str(split): [_inside(definition, str(one)) for one in (files if isinstance(files, list) else [files])]
        for split, files in by_split.items()
    }


def _inside(definition: Definition, given: str) -> Path:
    """A file of the task's folder, links followed."""
    path = (definition.file.parent / given).resolve()
    if "://" in given or not path.is_relative_to(definition.root):
        raise _refused(definition, f"takes rows from {given[:100]!r}, outside of {definition.root}", _OWN)
    if not path.is_file():
        raise _refused(definition, f"takes rows from {path}, which is not there", "Lay the file there.")
    return path


def _dataset(form: str, files: list[Path]) -> Any:
    from datasets import Dataset

    num_bytes = sum(path.stat().st_size for path in files)
    if num_bytes > MAX_ROWS_BYTES:
        raise DataError(
            f"tasks: the rows of a split must have at most {MAX_ROWS_BYTES:,} bytes; {files[0]} has {num_bytes:,}",
            parameter="tasks",
            remedy="Take a part of them.",
        )
    tables = [_table(form, path) for path in files]
    try:
        return Dataset(pa.concat_tables(tables, promote_options="permissive"))
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise _unreadable(files[0], str(error)) from error


def _table(form: str, path: Path) -> pa.Table:
    import pyarrow.csv
    import pyarrow.parquet

    try:
        if form == "csv":
            return pyarrow.csv.read_csv(path)
        if form == "parquet":
            return pyarrow.parquet.read_table(path)
        rows = _json_rows(path)
        names = dict.fromkeys(key for row in rows for key in row)
        return pa.table({name: [row.get(name) for row in rows] for name in names})
    except (pa.ArrowException, ValueError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise _unreadable(path, str(error)) from error


def _json_rows(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8-sig")
    if text.lstrip()[:1] == "[":
        return list(json.loads(text))
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
    return rows


def _cached(definition: Definition, name: str, config: Any) -> dict[str, Any]:
    """A data set that `datasets` has loaded on this machine before; the network is not asked."""
    from datasets.packaged_modules.cache.cache import Cache

    try:
        builder = Cache(
            dataset_name=name.rpartition("/")[2],
            repo_id=name,
            config_name=str(config) if config else None,
            version="auto",
            hash="auto",
        )
        return dict(builder.as_dataset())
    except (ValueError, OSError, KeyError) as error:
        given = f", {str(config)!r}" if config else ""
        raise InputError(
            f"tasks: the data of a task must be on this machine; that of {definition.name}, {name}"
            f"{f' ({config})' if config else ''}, is not: nothing is fetched here",
            parameter="tasks",
            remedy=f"""Load it once where this machine may reach the hub: python -c "import datasets; """
            f"""datasets.load_dataset('{name}'{given})"; its cache lies in HF_DATASETS_CACHE. Or write a task of your own """
            "with its rows beside it.",
        ) from error


def _unreadable(path: Path, why: str) -> DataError:
    return DataError(
        f"tasks: {path} must hold rows, one JSON object a line, CSV or Parquet; {why[:300]}",
        parameter="tasks",
        remedy="Mend the file, or dataset_path.",
    )


def _refused(definition: Definition, why: str, remedy: str) -> InputError:
    return InputError(
        f"tasks: {definition.name} cannot be used; {definition.file} {why}", parameter="tasks", remedy=remedy
    )
