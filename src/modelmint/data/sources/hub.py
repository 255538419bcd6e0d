"""Rows of a data set on the Hugging Face hub, streamed by the `datasets` library (the extra `hub`)."""

from collections.abc import Iterator, Sequence
from typing import Any

from modelmint.core.errors import InputError, UnavailableError
from modelmint.data.sources.places import SPLITS
from modelmint.data.sources.rows import Row, need

_REMEDY = (
    "Without the hub: download the data set's files elsewhere and set `source` to the file, or to a folder that holds "
    "train.* and test.* (.csv, .tsv, .jsonl, .parquet)."
)


def hub_rows(
    source: str, columns: Sequence[str], *, revision: str | None, config: str | None = None
) -> Iterator[tuple[str, Iterator[Row]]]:
    """Each split of a hub data set, by our name for it, with its rows.

    Args:
        columns: which columns must be there; every column is given.

    Raises:
        InputError: the `datasets` library is not installed, or the data set needs code to load.
        UnavailableError: the hub cannot be reached, or has no such data set.
        DataError: a wanted column is missing.
    """
    for name, split in _load(source, revision, config).items():
        if ours := SPLITS.get(name):
            yield ours, _rows(source, split, columns)


def hub_revision(source: str) -> str | None:
    """The commit that the hub's main branch is at; None when the hub cannot be reached."""
    try:
        return _commit(source, None)
    except _hub_errors():  # being offline is no error here: reading says so
        return None


def _load(source: str, revision: str | None, config: str | None) -> dict[str, Any]:
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            f"source: {source} is no file or folder here; to read it from the hub the extra `hub` must be installed",
            parameter="source",
            remedy=f'pip install "modelmint[hub]". {_REMEDY}',
        ) from error
    name = source.removeprefix("hf://")
    try:
        commit = _commit(source, revision)  # says at once that the hub is out of reach, where loading tries for long
        try:
            return dict(datasets.load_dataset(name, config, revision=commit, streaming=True))
        except RuntimeError as error:
            if "script" not in str(error) or revision:
                raise
            return dict(datasets.load_dataset(name, config, revision="refs/convert/parquet", streaming=True))
    except _hub_errors() as error:
        raise UnavailableError(
            f"source: {source} is no file or folder here, and the hub did not give it: {str(error)[:300]}",
            parameter="source",
            remedy=_REMEDY,
        ) from error


def _commit(source: str, revision: str | None) -> str:
    from huggingface_hub import HfApi

    return str(HfApi().dataset_info(source.removeprefix("hf://"), revision=revision, timeout=10).sha)


def _rows(source: str, split: Any, columns: Sequence[str]) -> Iterator[Row]:
    features = split.features or {}
    if features:
        need(columns, list(features), source)
    namers = {name: feature.int2str for name, feature in features.items() if hasattr(feature, "int2str")}
    try:
        for number, row in enumerate(split):
            named = {name: to_name(row[name]) for name, to_name in namers.items() if _is_class(row.get(name))}
            yield Row(number, {**row, **named})
    except _hub_errors() as error:
        raise UnavailableError(
            f"source: reading {source} from the hub broke off: {str(error)[:300]}",
            parameter="source",
            remedy=f"Try again. {_REMEDY}",
        ) from error


def _is_class(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


def _hub_errors() -> tuple[type[Exception], ...]:
    """What the hub's libraries raise. Their HTTP client changes with their version: its errors are asked for."""
    from huggingface_hub.errors import HfHubHTTPError

    client: tuple[type[Exception], ...] = HfHubHTTPError.__bases__
    return (*client, OSError, ValueError, RuntimeError)
