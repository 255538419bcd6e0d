"""`modelmint advise`, as typed: on a file, on a dataset of the catalog, and after a run."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import NotFoundError

Run = Callable[..., Any]


@pytest.fixture
def leavers(tmp_path: Path) -> Path:
    """A table in which who pays more leaves more often."""
    dice, path = random.Random(0), tmp_path / "leavers.csv"
    rows = [(dice.randint(1, 99), dice.choice("ab")) for _ in range(400)]
    lines = [f"{paid},{plan},{'yes' if paid + dice.randint(-30, 30) > 50 else 'no'}" for paid, plan in rows]
    path.write_text("\n".join(["paid,plan,leaves", *lines]) + "\n")
    return path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    lines = [f"where is my parcel number {at},shipping\nplease give the money of order {at} back,refund" for at in range(30)]  # fmt: skip
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return path


def test_a_file_is_collected_and_the_lines_of_the_recipe_are_printed(run: Run, texts: Path) -> None:
    shown = run("advise", str(texts), "--probes", "0")
    assert f"- collect: {{source: {texts}" in shown
    assert "- train: {base: " in shown


def test_a_dataset_is_found_by_its_id_and_its_name(run: Run, texts: Path) -> None:
    first = json.loads(run("advise", str(texts), "--probes", "0", "--json"))
    run("alias", "mine", first["dataset"])
    again = json.loads(run("advise", "mine", "--probes", "0", "--json"))
    assert (again["dataset"], again["collect"]) == (first["dataset"], None)


def test_neither_a_dataset_nor_a_file_says_what_is_allowed(run: Run) -> None:
    with pytest.raises(NotFoundError, match="must be a dataset's id or name, or a file or folder that is there"):
        run("advise", "nothing-there.csv")


@pytest.mark.slow
def test_after_a_run_the_error_of_its_estimate_is_told(run: Run, leavers: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: leavers\nstages:\n"
        f"  - collect: {{source: {leavers}, task: tabular-classification, label: leaves}}\n"
        f"  - preflight: {{near: false}}\n  - split: {{test: 0.1, validation: 0.2}}\n  - train: {{options: {{model: linear}}}}\n"
    )
    summary = json.loads(run("run", str(recipe), "--json"))
    error = summary["estimate_error"]["seconds"]["error"]
    assert summary["past_estimates"]["median_error"] == pytest.approx(abs(error), abs=1e-3)
    assert "Past estimates of time here were off by" in run("show", summary["run"])
    (data,) = (one for stage in summary["stages"] if stage["name"] == "collect" for one in stage["roles"]["data"])
    assert "1 run." in run("advise", data, "--probes", "0")
