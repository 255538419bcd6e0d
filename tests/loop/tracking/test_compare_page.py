"""The page of a comparison, and the command that writes it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelmint.cli.main import modelmint
from modelmint.workspace import Workspace

Ran = Callable[..., str]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def page(workspace: Workspace, ran: Ran) -> str:
    one, other = ran("questions"), ran("questions", "train.learning_rate=0.003", name="较快 <b>")
    return workspace.compare_page(workspace.compare(one, other))


def test_both_curves_lie_over_each_other(page: str) -> None:
    loss = page[page.index('id="loss-title"') :]
    loss = loss[: loss.index("</figure>")]
    assert re.findall(r'class="trace (series s\d)"', loss) == ["series s1", "series s2"]


@pytest.mark.parametrize("title", ["Training loss by time", "Length of the gradient", "Learning rate", "Rows a second", "Tokens a second", "Validation loss", "Validation accuracy"])  # fmt: skip
def test_every_curve_is_drawn(page: str, title: str) -> None:
    assert f"<h3>{title}</h3>" in page


def test_names_are_escaped(page: str) -> None:
    assert "较快 &lt;b&gt;" in page
    assert "较快 <b>" not in page


def test_it_asks_nothing_of_the_network(page: str) -> None:
    assert "<script" not in page
    assert not re.findall(r"""(?:src|href)=["']?http""", page)


def test_sides_without_a_training_have_a_page(workspace: Workspace, ran: Ran) -> None:
    body = workspace.compare(
        ran("questions", name="half", until="split"), ran("questions", name="quarter", until="collect")
    )
    assert "None of them was judged" in workspace.compare_page(body)


def test_the_command_prints_a_table_and_writes_the_page(home: Path, ran: Ran, tmp_path: Path) -> None:
    one, other, file = ran("questions"), ran("numbers"), tmp_path / "page.html"
    result = CliRunner().invoke(modelmint, ["--home", str(home), "compare", one, other, "--page", str(file)])
    assert result.exit_code == 0, result.output
    assert "B and A are not compared row by row: they are for other tasks" in " ".join(result.stdout.split())
    assert "</html>" in file.read_text(encoding="utf-8")


def test_the_command_prints_one_json_document(home: Path, ran: Ran) -> None:
    words = ["--home", str(home), "compare", ran("questions"), ran("numbers"), "--json"]
    body = json.loads(CliRunner().invoke(modelmint, words).stdout)
    assert {"sides", "metrics", "paired", "config", "took", "curves", "notes"} == body.keys()
