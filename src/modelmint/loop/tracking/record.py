"""What a tracker of others is told of a run: figures, curves, knobs and digests; no rows, no texts, no places of data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from modelmint import __version__
from modelmint.catalog.catalog import Catalog
from modelmint.core.clock import aware, now
from modelmint.core.errors import InputError
from modelmint.core.hashing import digest
from modelmint.core.types import Report
from modelmint.loop.runs import run_row
from modelmint.loop.tracking.compare import took_of, validation_figures
from modelmint.loop.tracking.config import config_of
from modelmint.loop.tracking.curves import Curves, curves_of
from modelmint.loop.tracking.sides import Side, side_of

KEPT_BACK = ("collect", "deidentify", "data", "code")
"""Stages whose specs say where data lies, or what is secret in it; digests of data and the code are tags."""
MAX_CHARS = 500
PAGE = "report.html"


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """Of a curve; `time_s` since 1970."""

    step: int
    value: float
    time_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A run as trackers know runs. `figures` are of its end."""

    run: str
    name: str
    status: str
    started_s: float
    ended_s: float
    params: Mapping[str, str | int | float | bool]
    tags: Mapping[str, str]
    figures: Mapping[str, float]
    series: Mapping[str, Sequence[Point]]
    pages: Mapping[str, str]

    def digest(self) -> str:
        """Equal where there is nothing new to tell."""
        return digest({name: value for name, value in asdict(self).items() if name not in ("pages", "ended_s")})


def record_of(catalog: Catalog, run: str, status: str | None = None) -> Record | None:
    """The record of a run; None where it has neither trained nor judged a model.

    Args:
        status: of a run that is about to end, how.

    Raises:
        NotFoundError: no such run.
        InputError: it is no run.
    """
    side = side_of(catalog, run)
    if side.id != side.run:
        raise InputError(f"run: must be a run; got {run}", parameter="run", remedy="`modelmint runs` lists them.")
    if side.training is None and side.evaluation is None:
        return None
    row = run_row(catalog, run)
    began = aware(row["started_at"] or row["created_at"]).timestamp()
    ended = aware(row["finished_at"] or now()).timestamp()
    return Record(
        run=run,
        name=side.name,
        status=status or str(row["status"]),
        started_s=began,
        ended_s=ended,
        params=_params(side),
        tags={**_tags(side, status or str(row["status"])), "modelmint.tenant": catalog.tenant},
        figures=_figures(side),
        series=_series(curves_of(side.training), began) if side.training is not None else {},
        pages=_pages({"training": side.training, "card": side.card}),
    )


def _params(side: Side) -> dict[str, str | int | float | bool]:
    return {
        key: value
        for key, value in config_of(side).items()
        if value is not None and key.partition(".")[0] not in KEPT_BACK and len(str(value)) <= MAX_CHARS
    }


def _tags(side: Side, status: str) -> dict[str, str]:
    tags = {"run": side.id, "status": status, "version": __version__, "licences": ", ".join(side.licences)}
    if side.task is not None:
        tags["task"] = side.task
    if side.model is not None:
        tags |= {"model": side.model.id, "model_digest": side.model.digest}
    if side.training is not None:
        measured = side.training.measured
        tags |= {"cost": str(measured["cost"])}
        tags |= {f"made_with.{name}": str(value) for name, value in measured.get("made_with", {}).items()}
    tags |= {f"data.{role}": dataset.digest for role, dataset in side.data.items()}
    return {f"modelmint.{name}": value for name, value in tags.items()}


def _figures(side: Side) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, figure in (side.evaluation.facts["metrics"] if side.evaluation is not None else {}).items():
        found |= {
            f"test/{name}": figure["value"],
            f"test/{name}.low": figure["low"],
            f"test/{name}.high": figure["high"],
        }
    found |= {f"validation/kept.{name}": figure["value"] for name, figure in validation_figures(side.training).items()}
    numbers = {name: value for name, value in took_of(side).items() if isinstance(value, int | float)}
    numbers.pop("run_seconds", None)  # not known before the end, and no other record for that
    return found | {f"took/{name}": float(value) for name, value in numbers.items()}


def _series(curves: Curves, began: float) -> dict[str, list[Point]]:
    """By step under ``train/``, by epoch under ``validation/`` and as ``train/epoch_loss``."""
    seconds = [second for second, _ in curves.by_time]
    found = {}
    for name, points in curves.steps.items():
        times = seconds if len(seconds) == len(points) else [0.0] * len(points)
        found[f"train/{name}"] = [
            Point(step=int(step), value=value, time_s=began + second)
            for (step, value), second in zip(points, times, strict=True)
        ]
    for name, points in curves.epochs.items():
        title = "train/epoch_loss" if name == "train_loss" else name.replace("_", "/", 1)
        found[title] = [Point(step=int(epoch), value=value, time_s=began) for epoch, value in points]
    return found


def _pages(reports: Mapping[str, Report | None]) -> dict[str, str]:
    """Pages of figures alone; those that quote rows (of cleaning, of an evaluation) are never among them."""
    pages = {}
    for name, report in reports.items():
        if report is not None and PAGE in set(report.paths()):
            with report.files.open(PAGE) as stream:
                pages[f"{name}.html"] = stream.read().decode("utf-8")
    return pages
