"""Telling the trackers of others of a run: MLflow where MLFLOW_TRACKING_URI is set, TensorBoard's files on request.

It is done when a run ends, outside its stages, which stay pure and offline. What goes wrong is told and never fails
the run: the same can be sent again (`modelmint track`).
"""

import json
import os
import re
import subprocess
from pathlib import Path

from modelmint.catalog.catalog import Catalog
from modelmint.core.errors import InputError, ModelmintError, UnavailableError, from_dict
from modelmint.core.types import JSON
from modelmint.loop.processes import end, start
from modelmint.loop.tracking.told import remember

LIMIT_S = 180.0
_SECRET = re.compile(r"(?<=//)[^/@\s]*@")


def track(catalog: Catalog, run: str, *, mlflow: str | None = None, tensorboard: Path | None = None) -> JSON:
    """Send a run to MLflow, write its event files, or both. Done twice, nothing stands there twice.

    Args:
        mlflow: a tracking URI; MLFLOW_TRACKING_URI where neither it nor `tensorboard` is given.
        tensorboard: a folder of runs, as TensorBoard's ``--logdir`` is.

    Raises:
        NotFoundError: no such run.
        InputError: nowhere to send it to, a run that trained nothing, or a library that is not installed.
        UnavailableError: the server does not answer.
    """
    from modelmint.loop.tracking.record import record_of

    uri = mlflow or (catalog.settings.mlflow_tracking_uri if tensorboard is None else None)
    if uri is None and tensorboard is None:
        raise InputError(
            "mlflow: must be given, or tensorboard, or MLFLOW_TRACKING_URI set; none of them is",
            parameter="mlflow",
            remedy="modelmint track RUN --mlflow http://127.0.0.1:5000, or --tensorboard FOLDER",
        )
    record = record_of(catalog, run)
    if record is None:
        raise InputError(
            f"run: must have trained or judged a model; {run} has not",
            parameter="run",
            remedy="`modelmint show` tells what a run has done.",
        )
    answer: JSON = {"run": run}
    if uri is not None:
        answer["mlflow"] = _send(catalog, run, uri, record.status)
        remember(catalog, run, answer["mlflow"])
    if tensorboard is not None:
        from modelmint.loop.tracking.event_files import write

        answer["tensorboard"] = str(write(record, tensorboard))
    return answer


def at_end(catalog: Catalog, run: str, status: str) -> JSON | None:
    """Called when a run ends: what became of sending it, which is kept for its summary; None where nobody asked.

    Raises nothing: the run has ended as it has.
    """
    uri = catalog.settings.mlflow_tracking_uri
    if uri is None:
        return None
    try:
        told = _send(catalog, run, uri, status)
    except (ModelmintError, OSError) as error:
        remedy = error.remedy if isinstance(error, ModelmintError) else None
        told = {"to": _without_secret(uri), "sent": "not", "why": str(error).partition("\n")[0], "remedy": remedy}
    if told["sent"] == "nothing":
        return None
    remember(catalog, run, told)
    return told


def _send(catalog: Catalog, run: str, uri: str, status: str) -> JSON:
    task = {
        "home": str(catalog.settings.home),
        "tenant": catalog.tenant,
        "run": run,
        "uri": uri,
        "experiment": catalog.settings.mlflow_experiment,
        "status": status,
        "parent": os.getpid(),
    }
    log = catalog.settings.logs / run / "tracking.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    said, how = _asked(catalog, task, log)
    if not said:
        raise UnavailableError(
            f"MLFLOW_TRACKING_URI: {_without_secret(uri)} must answer; the process that asked it {how}",
            parameter="MLFLOW_TRACKING_URI",
            remedy=f"The log is at {log}. Then: modelmint track {run}",
        )
    answer: JSON = json.loads(said[-1])
    if "error" in answer:
        answer["error"]["message"] = _without_secret(answer["error"]["message"])
        raise from_dict(answer)
    return {"to": _without_secret(uri), **answer}


def _asked(catalog: Catalog, task: JSON, log: Path) -> tuple[list[str], str]:
    """The lines that the process answered, and how it ended where it answered none."""
    with log.open("a") as sink:
        child = start(
            "modelmint.loop.tracking.process",
            stdout=subprocess.PIPE,
            stderr=sink.fileno(),
            home=catalog.settings.home,
        )
        try:
            said, _ = child.communicate(json.dumps(task) + "\n", timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            return [], f"had no answer within {LIMIT_S:.0f} s"
        finally:
            end(child, grace_s=0.2)
    return said.splitlines(), f"ended with code {child.returncode}"


def _without_secret(uri: str) -> str:
    return _SECRET.sub("", uri)
