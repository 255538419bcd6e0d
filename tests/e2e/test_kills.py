"""kill -9 at random moments and at named points: the run goes on and ends with the same digests, and nothing is left behind."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from modelmint.catalog.catalog import Catalog
from modelmint.core.settings import Settings
from modelmint.loop.plan import Plan
from modelmint.loop.recipe import compile_recipe
from modelmint.loop.runs import ENDED, create_run, run_row, run_summary
from modelmint.loop.submit import follow
from tests.e2e.dying_worker import POINTS

QUESTIONS = Path(__file__).resolve().parents[2] / "examples" / "customer-service" / "questions.csv"
RECIPE = """\
name: kills
stages:
  - collect: {source: "%s", text: question, label: intent}
  - clean
  - deidentify
  - split: {test: 0.2, validation: 0.1}
"""
NUM_KILLS = 40

pytestmark = [pytest.mark.destructive, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    file = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    file.write_text(RECIPE % QUESTIONS)
    return compile_recipe(file)


@pytest.fixture(scope="module")
def undisturbed(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """role@stage -> digest of a run that nobody disturbed."""
    catalog = Catalog(Settings.read({}, home=tmp_path_factory.mktemp("calm") / "home"))
    run = create_run(catalog, plan)
    assert follow(catalog, run)["status"] == "succeeded"
    return digests(catalog, run)


def test_forty_kills_at_random_moments_change_nothing(plan: Plan, undisturbed: dict[str, str], tmp_path: Path) -> None:
    dice, kills, homes = random.Random(20261122), 0, 0
    while kills < NUM_KILLS:
        homes += 1
        catalog = Catalog(Settings.read({}, home=tmp_path / f"home{homes}"))
        run = create_run(catalog, plan)
        while run_row(catalog, run)["status"] not in ENDED and kills < NUM_KILLS:
            worker = start_worker(catalog)
            if ended_within(catalog, run, dice.uniform(0.3, 4.0)):
                worker.kill()
                worker.wait()
                break
            victim = worker.pid if dice.random() < 0.7 else some_child(worker.pid, dice)
            os.kill(victim, signal.SIGKILL)
            kills += 1
            if victim != worker.pid and ended_within(catalog, run, 2.0) and run_row(catalog, run)["status"] == "failed":
                # A stage's own process was killed: that stage failed, and says so; another run takes over what was done.
                run = create_run(catalog, plan)
            worker.kill()
            worker.wait()
        assert follow(catalog, run)["status"] == "succeeded"
        assert digests(catalog, run) == undisturbed
        assert_nothing_left(catalog)
        catalog.close()


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", sorted(POINTS))
def test_a_kill_at_a_named_point_changes_nothing(
    plan: Plan, undisturbed: dict[str, str], tmp_path: Path, point: str, nth: int
) -> None:
    catalog = Catalog(Settings.read({}, home=tmp_path / "home"))
    run = create_run(catalog, plan)
    script = Path(__file__).with_name("dying_worker.py")
    worker = subprocess.Popen(
        [sys.executable, str(script), str(catalog.settings.home), point, str(nth)],
        env={**os.environ, "PYTHONPATH": str(script.parents[2])},
    )
    deadline = time.monotonic() + 60
    while worker.poll() is None and time.monotonic() < deadline and run_row(catalog, run)["status"] not in ENDED:
        time.sleep(0.1)
    time.sleep(0.3)
    died = worker.poll() == -signal.SIGKILL
    worker.kill()
    worker.wait()
    assert died or nth == 2  # "finish" and "start" happen once a run
    assert follow(catalog, run)["status"] == "succeeded"
    assert digests(catalog, run) == undisturbed
    assert_nothing_left(catalog)
    catalog.close()


def test_a_training_that_is_killed_ends_with_the_same_model(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    train = "  - train: {epochs: 3, min_steps: 0, batch_size: 8}\n"
    file.write_text((RECIPE % QUESTIONS).replace("label: intent}", "label: intent, max_rows: 300}") + train)
    plan = compile_recipe(file)
    calm, catalog = (Catalog(Settings.read({}, home=tmp_path / name)) for name in ("calm", "home"))
    wanted = create_run(calm, plan)
    assert follow(calm, wanted)["status"] == "succeeded"
    run = create_run(catalog, plan)
    for seconds in (3.0, 5.0, 7.0):
        worker = start_worker(catalog)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not is_training(catalog, run):
            time.sleep(0.05)
        ended_within(catalog, run, seconds)
        worker.kill()
        worker.wait()
    assert follow(catalog, run)["status"] == "succeeded"
    assert digests(catalog, run) == digests(calm, wanted)
    assert_nothing_left(catalog)


def is_training(catalog: Catalog, run: str) -> bool:
    stages = {stage["name"]: stage for stage in run_summary(catalog, run)["stages"]}
    return stages["train"]["status"] != "waiting"


def start_worker(catalog: Catalog) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "modelmint.loop.worker", "--home", str(catalog.settings.home)], stdin=subprocess.DEVNULL
    )


def ended_within(catalog: Catalog, run: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if run_row(catalog, run)["status"] in ENDED:
            return True
        time.sleep(0.02)
    return False


def some_child(pid: int, dice: random.Random) -> int:
    children = psutil.Process(pid).children(recursive=True)
    return dice.choice(children).pid if children else pid


def digests(catalog: Catalog, run: str) -> dict[str, str]:
    return {
        f"{role}@{stage['name']}": catalog.get(ids[0]).digest
        for stage in run_summary(catalog, run)["stages"]
        for role, ids in stage["roles"].items()
    }


def assert_nothing_left(catalog: Catalog) -> None:
    """No process of this home, no half artifact, no stage folder but those that the next worker sweeps."""
    home = str(catalog.settings.home)
    left = [
        process.info
        for process in psutil.process_iter(["pid", "cmdline"])
        if any(home in part for part in process.info["cmdline"] or [])
    ]
    assert not left
    for kind in ("dataset", "model", "report"):
        for artifact in catalog.list(kind):
            for path in artifact.paths():
                with artifact.files.open(path) as stream:
                    stream.read()
    assert not list((catalog.settings.home / "blobs").rglob(".*"))
