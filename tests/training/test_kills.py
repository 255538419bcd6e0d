"""kill -9 of real trainings at random moments, and inside the writing of checkpoints: weights and curve stay the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NUM_KILLS = 20


@pytest.mark.destructive
@pytest.mark.timeout(900)
def test_twenty_kills_leave_the_weights_and_the_curve_bit_by_bit(tmp_path: Path) -> None:
    script = Path(__file__).with_name("dying_training.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(NUM_KILLS), "20261122"],
        env={**os.environ, "PYTHONPATH": str(script.parents[2])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert said["kills"] == NUM_KILLS
    assert 5 <= said["inside"] <= 15
    assert said["answers"] == [said["wanted"]] * len(said["answers"])
