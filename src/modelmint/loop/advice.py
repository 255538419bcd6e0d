"""Advice on a dataset of the catalog, or on a source that is first looked at and collected."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelmint.catalog.catalog import Catalog
from modelmint.core.errors import NotFoundError, from_dict
from modelmint.core.forms import TASKS
from modelmint.core.types import JSON, Artifact, Dataset
from modelmint.loop.estimates import past


def advice(
    catalog: Catalog,
    dataset: Artifact | str,
    *,
    minutes: float | None = None,
    cost: str | None = None,
    task: str | None = None,
    bases: Sequence[Path | str] = (),
    said: Mapping[str, Any] | None = None,
    say: Callable[[int, int, str], None] = lambda _done, _total, _message: None,
    **wishes: Any,
) -> JSON:
    """Every way to train for these rows, ranked, with reasons; the first that are here are tried.

    Args:
        dataset: a dataset, its id or name; or a source, which is then looked at and collected.
        minutes: the most that the training may take; ``cost``, like ``"0.50 USD"``, says it in money.
        bases: folders that are bases, or hold some, beside those in the folder ``bases`` of the home.
        said: fields of `collect` that are known of a source.
        wishes: the other fields of `training.advice.Wishes`.

    Returns:
        `training.advice.Advised` as JSON, with ``dataset``, its id; ``collect``, the fields that read the source; and
        ``past``, by how much estimates were off here (`loop.estimates.past`).

    Raises:
        NotFoundError: it is neither a dataset nor a source.
        ModelmintError: as `peek`, `collect` and `training.advise.advise`.
    """
    from modelmint.data.inspection.samples import languages_in
    from modelmint.training.advice import Wishes
    from modelmint.training.advise import advise

    hour = catalog.settings.machine_hour
    wanted = Wishes.of(minutes=minutes, cost=cost, machine_hour=hour, task=task, **wishes)
    data, collect = _found(catalog, dataset, task, said or {}, say)
    advised = advise(
        data,
        wanted,
        languages=languages_in(data),
        folders=[catalog.settings.home / "bases", *(Path(folder) for folder in bases)],
        num_threads=os.cpu_count() or 1,
        machine_hour=hour,
        say=say,
    )
    return {"dataset": data.id, "collect": collect, **advised.to_dict(), "past": past(catalog)}


def _found(
    catalog: Catalog,
    given: Artifact | str,
    task: str | None,
    said: Mapping[str, Any],
    say: Callable[[int, int, str], None],
) -> tuple[Dataset, JSON | None]:
    """A dataset of the catalog, or a source's rows, and the fields of `collect` that read them."""
    if isinstance(given, Dataset):
        return given, None
    name = given.id if isinstance(given, Artifact) else given
    if "://" in name or name.startswith("open:") or Path(name).expanduser().exists():
        return _collected(catalog, name, task, said, say)
    try:
        return catalog.dataset(name), None
    except NotFoundError as error:
        raise NotFoundError(
            f"dataset: must be a dataset's id or name, or a file or folder that is there; {error.message}",
            parameter="dataset",
            remedy="`modelmint datasets` lists those that are known.",
        ) from error


def _collected(
    catalog: Catalog, source: str, task: str | None, said: Mapping[str, Any], say: Callable[[int, int, str], None]
) -> tuple[Dataset, JSON]:
    from modelmint.data.collect import CollectSpec
    from modelmint.data.peek import peek
    from modelmint.loop.single import stage_plan
    from modelmint.loop.submit import run_plan

    say(0, 0, "reading the source")
    known = {**({"task": task} if task in TASKS else {}), **said}
    spec = {"source": source, **known, **peek(source, **known)["spec"]}
    summary = run_plan(catalog, stage_plan(CollectSpec(**spec), {}, 17))
    if summary["status"] != "succeeded":
        raise from_dict({"error": summary["error"]})
    return catalog.dataset(summary["stages"][0]["roles"]["data"][0]), spec
