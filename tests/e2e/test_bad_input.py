"""Bad input, as a person would give it on the command line: a clear error, the way out, an exit code, nothing half-made."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from modelmint.workspace import Workspace

RECIPE = "name: bad\nstages:\n  - collect: {source: data.csv}\n  - clean\n  - split: {test: 0.2}\n"


def modelmint(*words: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "modelmint", "--home", str(home), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )


@pytest.mark.parametrize(
    ("content", "message", "code"),
    [
        (b"", "is empty", 2),
        (b"text,label\n", "row", 2),
        (b"text,other\na,b\nc,d\n", "label", 2),
        (b"text,label\n" + b"a question,same\n" * 5, "label", 2),
        (b"text,label\n" + "我的卡在哪里,卡\n为什么收费,费\n".encode("gb18030") * 9, "gb18030", 2),
        (b"PK\x03\x04" + bytes(600), "ZIP archive or an Excel workbook", 2),
    ],
    ids=["empty", "header only", "missing column", "one class", "wrong encoding", "a workbook"],
)
def test_a_file_that_cannot_be_used_is_an_error_with_a_way_out(
    tmp_path: Path, content: bytes, message: str, code: int
) -> None:
    (tmp_path / "data.csv").write_bytes(content)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    done = modelmint("run", str(tmp_path / "recipe.yaml"), "--json", home=tmp_path / "home")
    summary = json.loads(done.stdout)
    assert done.returncode == code, done.stderr
    assert summary["status"] == "failed"
    assert message in done.stderr
    assert summary["error"]["remedy"] in done.stderr
    with Workspace(tmp_path / "home") as workspace:
        assert workspace.datasets() == []


def test_bad_rows_do_not_stop_the_good_ones(tmp_path: Path) -> None:
    good = b"".join(b"question %d about thing %d,label%d\n" % (number, number, number % 2) for number in range(40))
    bad = b"seen once,rare\nnul\x00byte,label0\n" + b"x" * 10_000_000 + b",label1\nonly one cell\n,label0\nno label,\n"
    (tmp_path / "data.csv").write_bytes(b"text,label\n" + good + bad)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    done = modelmint("run", str(tmp_path / "recipe.yaml"), "--json", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    roles = {stage["name"]: stage["roles"] for stage in json.loads(done.stdout)["stages"]}
    with Workspace(tmp_path / "home") as workspace:
        assert workspace.catalog.dataset(roles["collect"]["data"][0]).num_rows == 41
        assert workspace.catalog.dataset(roles["collect"]["quarantine"][0]).num_rows == 5


@pytest.mark.parametrize(
    ("recipe", "words", "message"),
    [
        (RECIPE.replace("clean", "claen"), [], "recipe.yaml:4: stages.claen: must be one verb of"),
        (RECIPE.replace("source", "sorce"), [], "Did you mean 'source'?"),
        (RECIPE, ["--set", "split.tset=1"], "Did you mean 'test'?"),
        (RECIPE, ["--until", "spilt"], "Did you mean 'split'?"),
    ],
)
def test_a_wrong_recipe_exits_with_2_and_says_where(
    tmp_path: Path, recipe: str, words: list[str], message: str
) -> None:
    (tmp_path / "recipe.yaml").write_text(recipe)
    done = modelmint("run", str(tmp_path / "recipe.yaml"), *words, home=tmp_path / "home")
    assert done.returncode == 2
    assert message in done.stderr


def test_a_base_that_does_not_exist_names_those_that_do(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,label\n" + "".join(f"question {n},label{n % 2}\n" for n in range(20)))
    (tmp_path / "recipe.yaml").write_text(RECIPE + "  - train: {base: startre}\n")
    done = modelmint("run", str(tmp_path / "recipe.yaml"), home=tmp_path / "home", HF_HUB_OFFLINE="1")
    assert done.returncode == 2, done.stderr
    assert "startre" in done.stderr
    assert "starter" in done.stderr


def test_a_port_in_use_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = modelmint("up", "--port", str(port), home=tmp_path / "home")
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


def test_an_unknown_id_is_one_json_error_with_exit_code_2(tmp_path: Path) -> None:
    done = modelmint("show", "run_nothing", "--json", home=tmp_path / "home")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "not_found"


@pytest.mark.destructive
def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_space(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], check=False, capture_output=True
    ).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        noise = "".join(f"{os.urandom(20).hex()} {number},label{number % 3}\n" for number in range(150_000))
        (tmp_path / "data.csv").write_text("text,label\n" + noise)
        (tmp_path / "recipe.yaml").write_text(RECIPE)
        done = modelmint("run", str(tmp_path / "recipe.yaml"), home=disk / "home")
        assert done.returncode == 1
        assert "space" in done.stderr
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        with Workspace(disk / "home") as workspace:
            assert workspace.datasets() == []
        assert modelmint("run", str(tmp_path / "recipe.yaml"), home=disk / "home").returncode == 0
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
