"""The port to the durable engine, DBOS: a run is a workflow, a stage is a step, and a finished step is not run again.

Traps that this file is about (docs/log.md has the story): the default serializer is pickle, so ours is JSON; the default
application version is a hash of the code, which would strand the runs of the version before, so ours is fixed; recovery
is by executor id, so a worker takes a fixed slot and hands a dead slot's runs to a living one.
"""

import logging
import sqlite3
import traceback
from collections.abc import Callable

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.overrides import overrides_of
from modelmint.core.settings import Settings
from modelmint.core.types import JSON
from modelmint.loop import runner

APPLICATION_VERSION = "modelmint-1"


class Durable:
    """The engine of one worker process. One a process; it ends with the process."""

    def __init__(self, settings: Settings, slot: str) -> None:
        url = settings.database_url if settings.database_url.startswith("postgresql") else _sqlite(settings)
        config: DBOSConfig = {
            "name": "modelmint",
            "system_database_url": url,
            "application_version": APPLICATION_VERSION,
            "executor_id": slot,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "ERROR",
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": 1.0,
        }
        logging.getLogger("dbos").setLevel(logging.ERROR)
        DBOS(config=config)
        self.slot = slot
        _SLOT["name"] = slot
        DBOS.launch()

    def start(self, tenant: str, run: str) -> None:
        """Begin a run; one that was begun before is left as it is. After an override it is begun once more."""
        num_overrides = len(overrides_of(_catalog(tenant), run))
        with SetWorkflowID(f"{run}+{num_overrides}" if num_overrides else run):
            DBOS.start_workflow(run_plan, tenant, run)

    def take_over(self, slot: str) -> list[str]:
        """Give the unfinished runs of a dead worker's slot to this worker; returns their ids."""
        stranded = [workflow.workflow_id for workflow in DBOS.list_workflows(status="PENDING", executor_id=slot)]
        if stranded:
            DBOS.resume_workflows(stranded)
        return stranded


_SLOT = {"name": ""}
_catalogs: dict[str, Catalog] = {}
_open: list[Callable[[str], Catalog]] = []


def use(opener: Callable[[str], Catalog]) -> None:
    """How this worker opens a tenant's catalog; set before the engine starts, since recovery begins at once."""
    _open[:] = [opener]
    _catalogs.clear()


@DBOS.workflow(name="run_plan", max_recovery_attempts=None)
def run_plan(tenant: str, run: str) -> str:
    """One run: every stage in turn, until one does not succeed."""
    answer: JSON = {"status": "succeeded", "error": None}
    for position in range(_begin(tenant, run)):
        answer = _stage(tenant, run, position)
        if answer["status"] != "succeeded":
            break
    _finish(tenant, run, answer)
    return str(answer["status"])


@DBOS.step(name="begin")
def _begin(tenant: str, run: str) -> int:
    plan = runner.begin(_catalog(tenant), run, _SLOT["name"])
    return len(plan.steps) if plan else 0


@DBOS.step(name="stage")
def _stage(tenant: str, run: str, position: int) -> JSON:
    catalog = _catalog(tenant)
    plan = runner.begin(catalog, run, _SLOT["name"])
    try:
        return runner.run_stage(catalog, run, plan, position) if plan else {"status": "cancelled", "error": None}
    except Exception as error:  # noqa: BLE001  # the boundary of a run: one that nobody ended would wait for ever
        traceback.print_exc()
        return runner.broke(catalog, run, position, error)


@DBOS.step(name="finish")
def _finish(tenant: str, run: str, answer: JSON) -> None:
    runner.finish(_catalog(tenant), run, answer)


def _catalog(tenant: str) -> Catalog:
    if tenant not in _catalogs:
        _catalogs[tenant] = _open[0](tenant)
    return _catalogs[tenant]


def _sqlite(settings: Settings) -> str:
    """The engine's own file beside ours, in WAL mode, which stays set in the file."""
    path = settings.home / "loop.sqlite"
    with sqlite3.connect(path, timeout=30) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return f"sqlite:///{path}"
