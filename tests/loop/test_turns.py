"""Runs of one and the same stage at the same time: one makes it, the others take it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modelmint.loop.recipe import compile_recipe
from modelmint.loop.runs import create_run, run_summary
from modelmint.loop.submit import follow
from modelmint.loop.turns import in_turn
from modelmint.workspace import Workspace

HOLD = "import sys; from pathlib import Path; from modelmint.loop.turns import in_turn\nwith in_turn(Path(sys.argv[1]), lambda: None): print(flush=True); sys.stdin.read()"


def test_two_runs_of_one_recipe_at_once_make_each_stage_once(tmp_path: Path) -> None:
    rows = "".join(f"question number {number} about thing {number % 7},label{number % 3}\n" for number in range(60))
    (tmp_path / "data.csv").write_text("text,label\n" + rows)
    text = "name: {name}\nstages:\n  - collect: {{source: data.csv}}\n  - clean\n  - split: {{test: 0.2}}\n"
    with Workspace(home=tmp_path / "home") as workspace:
        runs = []
        for name in ("one", "another"):
            (tmp_path / f"{name}.yaml").write_text(text.format(name=name))
            runs.append(create_run(workspace.catalog, compile_recipe(tmp_path / f"{name}.yaml")))
        assert [follow(workspace.catalog, run)["status"] for run in runs] == ["succeeded", "succeeded"]
        made = [run_summary(workspace.catalog, run)["stages"] for run in runs]
        assert [stage["outputs"] for stage in made[0]] == [stage["outputs"] for stage in made[1]]
        assert sorted(stage["cached"] for stages in made for stage in stages) == [False] * 3 + [True] * 3


def test_who_waits_gets_its_turn_and_knows_of_the_other(tmp_path: Path) -> None:
    waiting, order = threading.Event(), []

    def second() -> None:
        with in_turn(tmp_path / "lock", waiting.set) as was_held:
            order.append(was_held)

    with in_turn(tmp_path / "lock", lambda: None) as was_held:
        order.append(was_held)
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(5)
        order.append("released")
    thread.join(5)
    assert order == [False, "released", True]
    assert not list(tmp_path.iterdir())


def test_the_turn_of_a_process_that_is_killed_ends_with_it(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    with in_turn(tmp_path / "lock", lambda: pytest.fail("nobody holds it")) as was_held:
        assert not was_held
