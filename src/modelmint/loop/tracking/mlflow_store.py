"""A record as a run of an MLflow tracking server, by mlflow-skinny. Imports MLflow: only `tracking.process` imports it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from modelmint.core.errors import UnavailableError
from modelmint.core.types import JSON
from modelmint.loop.tracking.record import Record

MAX_METRICS = 1000  # of one request, as the server has it
MAX_PARAMS = 100
RUN, RECORD = "modelmint.run", "modelmint.record"
STATUS = {"succeeded": "FINISHED", "cancelled": "KILLED"}
_STRANGE = re.compile(r"[^\w.\- :/]")


def send(record: Record, uri: str, experiment: str) -> JSON:
    """Make the run there; one that is there whole is left, one that is not (a sending was cut off) is made anew.

    Returns:
        ``experiment``, ``run_id`` and ``sent``: ``new``, ``anew`` or ``was there``.
    """
    client = MlflowClient(tracking_uri=uri)
    place = _experiment(client, uri, experiment)
    known = client.search_runs([place], f"tags.`{RUN}` = '{record.run}'", max_results=100)
    whole = next((one for one in known if one.data.tags.get(RECORD) == record.digest()), None)
    told = {"experiment": experiment}
    if whole is not None:
        return {**told, "run_id": whole.info.run_id, "sent": "was there"}
    for old in known:
        client.delete_run(old.info.run_id)
    return {**told, "run_id": _make(client, place, record), "sent": "anew" if known else "new"}


def _make(client: MlflowClient, place: str, record: Record) -> str:
    tags = {**record.tags, RUN: record.run}
    made = client.create_run(place, start_time=_ms(record.started_s), tags=tags, run_name=record.name)
    identifier = str(made.info.run_id)
    params = [Param(_name(key), str(value)) for key, value in record.params.items()]
    for start in range(0, len(params), MAX_PARAMS):
        client.log_batch(identifier, params=params[start : start + MAX_PARAMS])
    metrics = list(_metrics(record))
    for start in range(0, len(metrics), MAX_METRICS):
        client.log_batch(identifier, metrics=metrics[start : start + MAX_METRICS])
    for name, content in record.pages.items():
        client.log_text(identifier, content, f"pages/{name}")
    client.log_batch(identifier, tags=[RunTag(RECORD, record.digest())])
    client.set_terminated(identifier, STATUS.get(record.status, "FAILED"), _ms(record.ended_s))
    return identifier


def _metrics(record: Record) -> Iterator[Any]:
    for name, value in record.figures.items():
        yield Metric(_name(name), value, _ms(record.ended_s), 0)
    for name, points in record.series.items():
        for point in points:
            yield Metric(_name(name), point.value, _ms(point.time_s), point.step)


def _experiment(client: MlflowClient, uri: str, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=_artifacts(uri)))
    if found.lifecycle_stage != "active":
        raise UnavailableError(
            f"MLFLOW_EXPERIMENT_NAME: must be an experiment that is not deleted; {name} is",
            parameter="MLFLOW_EXPERIMENT_NAME",
            remedy="Restore it in MLflow, or set MLFLOW_EXPERIMENT_NAME to another name.",
        )
    return str(found.experiment_id)


def _artifacts(uri: str) -> str | None:
    """Beside a database in a file; MLflow itself would take the folder that we happen to run in."""
    path = uri.removeprefix("sqlite:///")
    return (Path(path).resolve().parent / "mlartifacts").as_uri() if path != uri else None


def _name(name: str) -> str:
    return _STRANGE.sub("_", name)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
