"""The process that talks to MLflow: ``python -m modelmint.loop.tracking.process``, its task as one JSON line on standard input.

It answers with one JSON line on standard output; standard error is its log. MLflow is large, and a server may hang: so
neither is in the worker's own process.
"""

import json
import os
import sys
from contextlib import redirect_stdout

from modelmint.catalog.catalog import Catalog
from modelmint.core.errors import InputError, ModelmintError, UnavailableError
from modelmint.core.settings import Settings
from modelmint.core.types import JSON
from modelmint.loop.processes import die_with_parent
from modelmint.loop.tracking.record import record_of

EXPERIMENT = "modelmint"
"""One for all runs, so that MLflow sets them side by side; their names, tasks and data are theirs to filter by."""
MAX_CHARS = 160
QUICKLY = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_ALLOW_FILE_STORE": "true",  # who gives a file: URI has such a store
    "GIT_PYTHON_REFRESH": "quiet",
}
"""So that a server that does not answer is told soon; what the user has set stays."""


def main() -> None:
    """Read the task, send, and answer."""
    task = json.loads(sys.stdin.readline())
    die_with_parent(task["parent"])
    for name, value in QUICKLY.items():
        os.environ.setdefault(name, value)
    try:
        with redirect_stdout(sys.stderr):
            answer = _send(task)
    except ModelmintError as error:
        answer = error.to_dict()
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _send(task: JSON) -> JSON:
    catalog = Catalog(Settings.read(home=task["home"]), task["tenant"])
    record = record_of(catalog, task["run"], task["status"])
    if record is None:
        return {"sent": "nothing", "why": "the run has trained and judged no model"}
    try:
        from mlflow.exceptions import MlflowException

        from modelmint.loop.tracking.mlflow_store import send
    except ImportError as error:
        raise InputError(
            f"MLFLOW_TRACKING_URI: mlflow must be installed to send to it; {error}",
            parameter="MLFLOW_TRACKING_URI",
            remedy='pip install "modelmint[mlflow]", then: modelmint track ' + task["run"],
        ) from error
    try:
        return send(record, task["uri"], task["experiment"] or EXPERIMENT)
    except (MlflowException, OSError) as error:
        raise UnavailableError(
            f"MLFLOW_TRACKING_URI: must be a tracking server that answers; {_brief(error)}",
            parameter="MLFLOW_TRACKING_URI",
            remedy=f"See to it that it runs, then: modelmint track {task['run']}",
        ) from error


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}…"


if __name__ == "__main__":
    main()
