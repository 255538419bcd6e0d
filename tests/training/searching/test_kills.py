"""kill -9 of a search at random moments, and just when a trial is written down: the study stays the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NUM_KILLS = 20


@pytest.mark.destructive
@pytest.mark.timeout(600)
def test_twenty_kills_leave_the_study_as_it_is(tmp_path: Path) -> None:
    script = Path(__file__).with_name("dying_search.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(NUM_KILLS), "20261122"],
        env={**os.environ, "PYTHONPATH": str(script.parents[3])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert said["kills"] == NUM_KILLS
    assert said["answers"] == [said["wanted"]] * len(said["answers"])
