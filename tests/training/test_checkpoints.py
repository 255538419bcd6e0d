"""Checkpoints: their share of the time, what is done with damaged ones, and with a disk or a memory that is full."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from modelmint.core.errors import StageError, StorageFullError
from modelmint.core.stage import StageContext
from modelmint.training.train import TrainOutputs
from tests.tiny_base import questions

Learn = Callable[..., TrainOutputs]
MODEL = "model.safetensors"


def stopped(learn: Learn, *, num_stops: int) -> None:
    """A training that was ended after so many steps, each of which left a checkpoint."""
    for _ in range(num_stops):
        with pytest.raises(StageError):
            learn(questions(40), context_changes={"deadline_s": 0.0})


def told(learn: Learn) -> tuple[TrainOutputs, list[str]]:
    said: list[str] = []
    return learn(questions(40), context_changes={"say": lambda _done, _total, message: said.append(message)}), said


def newest(context: StageContext) -> Path:
    return max(context.checkpoints.glob("step-*"))


def cut_short(checkpoint: Path) -> None:
    os.truncate(checkpoint / MODEL, (checkpoint / MODEL).stat().st_size - 7)


def flip_a_bit(checkpoint: Path) -> None:
    content = bytearray((checkpoint / MODEL).read_bytes())
    content[-9] ^= 1
    (checkpoint / MODEL).write_bytes(content)


def change_the_place(checkpoint: Path) -> None:
    state = json.loads((checkpoint / "state.json").read_text())
    state["place"]["step"] += 1
    (checkpoint / "state.json").write_text(json.dumps(state))


def drop_a_tensor(checkpoint: Path) -> None:
    weights = load_file(checkpoint / MODEL)
    weights.popitem()
    save_file(weights, checkpoint / MODEL)


def empty_the_digests(checkpoint: Path) -> None:
    (checkpoint / "digests.json").write_text("[]")


def put_a_file_in_its_place(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint)
    checkpoint.write_bytes(b"\0")


SPOILS = [cut_short, flip_a_bit, change_the_place, drop_a_tensor, empty_the_digests, put_a_file_in_its_place]


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_gone_on_from(
    learn: Learn, context: StageContext, spoil: Callable[[Path], None]
) -> None:
    whole = learn(questions(40))
    shutil.rmtree(context.checkpoints)
    stopped(learn, num_stops=3)
    assert len(list(context.checkpoints.glob("step-*"))) == 2
    spoil(newest(context))
    made, said = told(learn)
    assert said[1:3] == [
        "not going on from the checkpoint step-000000003-00000: it is damaged",
        "going on from a checkpoint",
    ]
    assert (made.model.digest, made.training.digest) == (whole.model.digest, whole.training.digest)


def test_with_all_checkpoints_damaged_it_begins_anew(learn: Learn, context: StageContext) -> None:
    whole = learn(questions(40))
    shutil.rmtree(context.checkpoints)
    stopped(learn, num_stops=2)
    for checkpoint in context.checkpoints.glob("step-*"):
        flip_a_bit(checkpoint)
    made, said = told(learn)
    assert len([message for message in said if "it is damaged" in message]) == 2
    assert made.model.digest == whole.model.digest


def test_a_checkpoint_of_another_job_is_told_and_not_used(learn: Learn, context: StageContext) -> None:
    whole = learn(questions(40))
    shutil.rmtree(context.checkpoints)
    with pytest.raises(StageError):
        learn(questions(40), context_changes={"deadline_s": 0.0, "seed": 4})
    made, said = told(learn)
    assert "it is of another training" in said[1]
    assert made.model.digest == whole.model.digest


def test_checkpoints_take_a_small_share_of_the_time_however_short_the_epochs_are(learn: Learn) -> None:
    measured = learn(questions(24), questions(8), epochs=120).training.measured
    assert measured["saving_seconds"] < 0.1 * measured["seconds"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False, capture_output=True
    ).returncode:
        pytest.skip("this user may not mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.destructive
def test_a_disk_too_full_for_a_checkpoint_is_named_and_the_run_goes_on_when_there_is_space(
    learn: Learn, small_disk: Path
) -> None:
    folder = small_disk / "checkpoints"
    whole = learn(questions(40))
    at = {"checkpoints": folder, "deadline_s": 0.0}
    with pytest.raises(StageError):
        learn(questions(40), context_changes=at)
    fill(small_disk)
    with pytest.raises(
        StorageFullError, match=r"must hold a checkpoint of about .* MB; 0.0 MB are free in .*checkpoints"
    ):
        learn(questions(40), context_changes=at)
    assert [path.name for path in folder.iterdir()] == ["step-000000001-00000"]
    (small_disk / "ballast").unlink()
    said: list[str] = []
    made = learn(questions(40), context_changes={"checkpoints": folder, "say": lambda *words: said.append(words[2])})
    assert said[1] == "going on from a checkpoint"
    assert (made.model.digest, made.training.digest) == (whole.model.digest, whole.training.digest)


@pytest.mark.destructive
def test_a_disk_that_holds_two_checkpoints_gives_up_the_older_for_the_new(learn: Learn, small_disk: Path) -> None:
    at = {"checkpoints": small_disk / "checkpoints", "deadline_s": 0.0}
    for _ in range(2):
        with pytest.raises(StageError):
            learn(questions(40), context_changes=at)
    fill(small_disk)
    with pytest.raises(StageError, match="deadline"):
        learn(questions(40), context_changes=at)
    left = [path.name for path in (small_disk / "checkpoints").iterdir()]
    assert sorted(left) == ["step-000000002-00000", "step-000000003-00000"]


@pytest.mark.destructive
def test_a_disk_too_full_for_the_model_is_named_and_nothing_is_learned_twice(
    learn: Learn, context: StageContext, small_disk: Path
) -> None:
    whole = learn(questions(40))
    shutil.rmtree(context.checkpoints)
    fill(small_disk)
    (small_disk / "scratch").mkdir()
    with pytest.raises(StorageFullError, match=r"must hold the trained model; 0\.0 MB are free") as raised:
        learn(questions(40), context_changes={"scratch": small_disk / "scratch"})
    assert "Free some space there" in str(raised.value.remedy)
    made, said = told(learn)
    assert said[1] == "going on from a checkpoint"
    assert made.model.digest == whole.model.digest


def fill(disk: Path) -> None:
    """Leave a few kilobytes."""
    free = shutil.disk_usage(disk).free
    (disk / "ballast").write_bytes(b"\0" * max(0, free - 20_000))


def short_of_memory(tmp_path: Path, base: Path, *, num_rows: int, memory_mb: int) -> dict[str, Any]:
    """What a training of so many rows at once says and answers in a process that may hold so much more."""
    spec = {"epochs": 1, "batch_size": num_rows, "max_tokens": 16, "min_steps": 0, "precision": "fp32"}
    script = Path(__file__).with_name("alone.py")
    subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(base), json.dumps(spec), str(num_rows), str(memory_mb)],
        env={**os.environ, "PYTHONPATH": str(script.parents[2])},
        check=True,
    )
    answer: dict[str, Any] = json.loads((tmp_path / "answer.json").read_text())
    return answer


@pytest.mark.destructive
def test_where_memory_does_not_hold_a_batch_it_is_computed_in_parts_and_said(tmp_path: Path, base: Path) -> None:
    answer = short_of_memory(tmp_path, base, num_rows=65_536, memory_mb=2000)
    assert answer["said"][1] == "memory did not hold 65536 rows at once: going on with 32768"
    assert answer["measured"]["micro_batch_size"] < 65_536
    assert len(answer["curve"]) == 1


@pytest.mark.destructive
def test_where_memory_does_not_hold_one_row_it_is_said_what_helps(tmp_path: Path, base: Path) -> None:
    answer = short_of_memory(tmp_path, base, num_rows=8192, memory_mb=150)
    assert "not even for one row of max_tokens 16" in answer["error"]["message"]
    assert "gradient_checkpointing" in answer["error"]["remedy"]
