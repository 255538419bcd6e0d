"""Runs: cached, changed, refused, failed, cancelled."""

import dataclasses
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from modelmint.loop.recipe import compile_recipe
from modelmint.loop.runs import create_run
from modelmint.loop.submit import follow
from modelmint.workspace import Workspace

ROWS = [f'"question number {number} about thing {number % 7}",label{number % 3}' for number in range(60)]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(home=tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text("text,label\n" + "\n".join(ROWS) + "\n")
    file = tmp_path / "recipe.yaml"
    file.write_text("name: small\nstages:\n  - collect: {source: data.csv}\n  - clean\n  - split: {test: 0.2}\n")
    return file


def test_the_summary_has_the_shape_that_scripts_rely_on(workspace: Workspace, recipe: Path) -> None:
    summary = json.loads(json.dumps(workspace.run(recipe)))
    assert {
        "run",
        "status",
        "seconds",
        "stages",
        "metrics",
        "variants",
        "parity",
        "deployment",
        "estimate",
        "actual",
    } <= summary.keys()
    assert {"name", "status", "cached", "seconds", "outputs"} <= summary["stages"][0].keys()


def test_a_second_run_takes_everything_from_the_catalog(workspace: Workspace, recipe: Path) -> None:
    first, second = workspace.run(recipe), workspace.run(recipe)
    assert [stage["cached"] for stage in first["stages"]] == [False] * 3
    assert [stage["cached"] for stage in second["stages"]] == [True] * 3
    assert [stage["outputs"] for stage in first["stages"]] == [stage["outputs"] for stage in second["stages"]]


def test_only_what_changed_runs_again(workspace: Workspace, recipe: Path) -> None:
    workspace.run(recipe)
    changed = workspace.run(recipe, settings=["split.test=0.3"])
    assert [stage["cached"] for stage in changed["stages"]] == [True, True, False]


def test_a_changed_source_is_read_again(workspace: Workspace, recipe: Path) -> None:
    workspace.run(recipe)
    with (recipe.parent / "data.csv").open("a") as stream:
        stream.write("one more,label1\n")
    assert [stage["cached"] for stage in workspace.run(recipe)["stages"]] == [False] * 3


def test_the_same_bytes_elsewhere_end_in_the_same_digests(workspace: Workspace, recipe: Path, tmp_path: Path) -> None:
    first = workspace.run(recipe)
    (tmp_path / "copy.csv").write_bytes((tmp_path / "data.csv").read_bytes())
    second = workspace.run(recipe, settings=["collect.source=" + str(tmp_path / "copy.csv")])
    digests = [
        [workspace.get(item).digest for stage in run["stages"] for item in stage["outputs"]] for run in (first, second)
    ]
    assert digests[0] == digests[1]


def test_a_failed_stage_says_what_to_do_and_makes_nothing(workspace: Workspace, recipe: Path) -> None:
    (recipe.parent / "data.csv").write_text("text,other\na,b\n")
    summary = workspace.run(recipe)
    assert summary["status"] == "failed"
    assert "label" in summary["error"]["message"]
    assert summary["error"]["remedy"]
    assert workspace.datasets() == []


def test_a_refused_gate_stops_the_run_and_keeps_the_report(workspace: Workspace, recipe: Path) -> None:
    recipe.write_text("stages:\n  - collect: {source: data}\n  - preflight: {gates: {leaks: 0}}\n  - clean\n")
    folder = recipe.parent / "data"
    folder.mkdir()
    for name in ("train.csv", "test.csv"):
        (folder / name).write_text("text,label\n" + "\n".join(ROWS) + "\n")
    summary = workspace.run(recipe)
    assert summary["status"] == "refused"
    assert [stage["status"] for stage in summary["stages"]] == ["succeeded", "refused", "waiting"]
    assert summary["reports"]["preflight"]


def test_a_killed_stage_fails_its_run_and_the_next_run_goes_on(workspace: Workspace, recipe: Path) -> None:
    write_large(recipe)
    done: list[dict[str, object]] = []
    runner = threading.Thread(target=lambda: done.append(Workspace(home=workspace.settings.home).run(recipe)))
    runner.start()
    victim = wait_for_stage(workspace)
    os.kill(victim, signal.SIGKILL)
    runner.join()
    assert done[0]["status"] == "failed"
    assert "its process died (signal 9)" in str(done[0]["error"])


def test_a_cancel_ends_the_run_within_two_seconds_and_leaves_nothing(workspace: Workspace, recipe: Path) -> None:
    write_large(recipe)
    done: list[dict[str, object]] = []
    runner = threading.Thread(target=lambda: done.append(Workspace(home=workspace.settings.home).run(recipe)))
    runner.start()
    victim = wait_for_stage(workspace)
    begun = time.monotonic()
    workspace.cancel(workspace.runs()[0]["run"])
    while psutil.pid_exists(victim) and psutil.Process(victim).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    took = time.monotonic() - begun
    runner.join()
    assert took < 2
    assert done[0]["status"] == "cancelled"
    assert workspace.datasets() == []
    assert not list((workspace.settings.scratch / "stages").iterdir())
    assert not processes_of(workspace)


def test_a_run_past_its_time_is_stopped(workspace: Workspace, recipe: Path) -> None:
    write_large(recipe)
    recipe.write_text("stages:\n  - {collect: {source: data.csv}, timeout_s: 0.1}\n")
    summary = workspace.run(recipe)
    assert summary["status"] == "failed"
    assert "timeout_s" in str(summary["error"])


def test_one_stage_runs_from_python(workspace: Workspace, recipe: Path) -> None:
    from modelmint.data.clean import CleanSpec

    made = workspace.run(recipe, until="collect")
    (data,) = made["stages"][0]["roles"]["data"]
    outputs = workspace.stage(CleanSpec(), {"data": workspace.get(data)})
    assert outputs["data"][0].kind == "dataset"


def test_lineage_reaches_the_source_dataset(workspace: Workspace, recipe: Path) -> None:
    summary = workspace.run(recipe)
    roles = {stage["name"]: stage["roles"] for stage in summary["stages"]}
    tree = workspace.lineage(roles["split"]["train"][0])
    assert tree["parents"][0]["parents"][0]["id"] == roles["collect"]["data"][0]


def test_an_exported_artifact_has_its_files_and_manifest(workspace: Workspace, recipe: Path, tmp_path: Path) -> None:
    summary = workspace.run(recipe)
    folder = workspace.export(summary["stages"][2]["roles"]["train"][0], tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["data-00000.parquet", "manifest.json"]
    assert not list(workspace.settings.scratch.glob("read/*"))


def write_large(recipe: Path) -> None:
    """A source that takes some seconds to read."""
    line = "\n".join(ROWS)
    (recipe.parent / "data.csv").write_text(
        "text,label\n" + "\n".join(line.replace("number", f"n{copy}") for copy in range(20_000)) + "\n"
    )


def wait_for_stage(workspace: Workspace) -> int:
    """The pid of the running stage's process, once it works."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for process in processes_of(workspace):
            if "modelmint.loop.process" in process.cmdline() and process.cpu_times().user > 1.0:
                return process.pid
        time.sleep(0.02)
    raise TimeoutError("no stage began")


def processes_of(workspace: Workspace) -> list[psutil.Process]:
    home = str(workspace.settings.home)
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.pid != os.getpid()
                and process.environ().get("MODELMINT_HOME") == home
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("verb", "spec", "said"), [
    ("split", {"test": 0.2, "of_another_version": 1}, "of_another_version: must be what this version of split knows"),
    ("no_such_verb", {}, "KeyError"),
])  # fmt: skip
def test_a_run_begun_by_another_version_fails_and_does_not_wait_for_ever(
    workspace: Workspace, recipe: Path, verb: str, spec: dict[str, object], said: str
) -> None:
    plan = compile_recipe(recipe)
    steps = [*plan.steps[:-1], dataclasses.replace(plan.steps[-1], verb=verb, spec=spec)]
    run = create_run(workspace.catalog, dataclasses.replace(plan, steps=steps))
    summary = follow(workspace.catalog, run)
    assert summary["status"] == "failed"
    assert said in summary["error"]["message"]
