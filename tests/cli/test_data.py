"""The commands on sources, versions and licences, as typed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.errors import InputError, NotFoundError, RecipeError
from modelmint.workspace import Workspace

Run = Callable[..., Any]

ROWS = ["where is my parcel?,shipping", "it is broken,refund", "where is it?,shipping", "money back,refund"]


@pytest.fixture
def versions(run: Run, tmp_path: Path) -> tuple[str, str]:
    """Two versions of one source: the ids of their datasets. In the second a row is new and a label another."""
    return (
        _collected(run, tmp_path / "a.csv", ROWS),
        _collected(run, tmp_path / "b.csv", [*ROWS[:3], "money back,shipping", "thanks,other"]),
    )


def _messages(path: Path) -> None:
    rows = [f"ham;see you at {at}\nspam;WIN prize number {at}\n" for at in range(20)]
    path.write_text("v1;v2\n" + "".join(rows))


def _collected(run: Run, path: Path, rows: list[str]) -> str:
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    (stage,) = json.loads(run("stage", "collect", "--set", f"source={path}", "--json"))["stages"]
    return str(stage["roles"]["data"][0])


def test_peek_shows_the_recipe_line_that_reads_a_source(run: Run, tmp_path: Path) -> None:
    _messages(tmp_path / "a.csv")
    assert "text: v2, label: v1" in run("data", "peek", str(tmp_path / "a.csv"))


def test_what_peek_suggests_can_be_collected(run: Run, tmp_path: Path) -> None:
    _messages(tmp_path / "a.csv")
    spec = json.loads(run("data", "peek", str(tmp_path / "a.csv"), "--json"))["spec"]
    settings = [word for key, value in spec.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    assert json.loads(run("stage", "collect", *settings, "--json"))["status"] == "succeeded"


def test_versions_are_compared_stages_run_alone_and_names_stand_for_ids(run: Run, versions: tuple[str, str]) -> None:
    run("alias", "golden", versions[0])
    rows = json.loads(run("data", "diff", "golden", versions[1], "--json"))["rows"]
    assert {kind: rows[kind] for kind in ("same", "relabelled", "added", "removed")} == {
        "same": 3,
        "relabelled": 1,
        "added": 1,
        "removed": 0,
    }
    cleaned = json.loads(run("stage", "clean", "--input", "data=golden", "--json"))
    assert cleaned["status"] == "succeeded"


def test_a_comparison_has_a_page(run: Run, versions: tuple[str, str], tmp_path: Path) -> None:
    shown = run("data", "diff", *versions, "--html", str(tmp_path / "diff.html"))
    assert "relabelled" in shown
    assert "Labels that changed" in (tmp_path / "diff.html").read_text()


def test_a_dataset_is_walked_away_with(run: Run, versions: tuple[str, str], tmp_path: Path) -> None:
    assert "4 rows as csv" in run("data", "export", versions[0], str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text().splitlines() == ["text,label", *ROWS]


def test_what_is_pinned_is_not_removed(run: Run, versions: tuple[str, str]) -> None:
    run("pin", versions[0], "--reason", "published")
    with pytest.raises(InputError, match="it is pinned"):
        run("remove", versions[0])
    run("unpin", versions[0])
    assert "removed" in run("remove", versions[0])


def test_an_unknown_verb_or_input_is_answered_with_what_there_is(run: Run) -> None:
    with pytest.raises(RecipeError, match="must be one verb of collect"):
        run("stage", "clena")
    with pytest.raises(RecipeError, match="no earlier stage makes one"):
        run("stage", "clean")


def test_open_sets_can_be_looked_for_by_task_and_licence(run: Run) -> None:
    found = json.loads(run("data", "sets", "--task", "text-classification", "--sellable", "--json"))
    assert "banking77" in [each["name"] for each in found]
    assert {each["may_be_sold"] for each in found} <= {"yes", "conditions"}
    every = json.loads(run("data", "sets", "--json"))
    assert "no" in {each["may_be_sold"] for each in every}


def test_a_licence_that_forbids_selling_is_named_with_its_parent(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,label", *ROWS]) + "\n")
    made = json.loads(run("stage", "collect", "--set", f"source={path}", "--set", "licence=CC-BY-NC-4.0", "--json"))
    cleaned = json.loads(run("stage", "clean", "--input", f"data={made['stages'][0]['roles']['data'][0]}", "--json"))
    body = json.loads(run("licences", cleaned["stages"][0]["roles"]["data"][0], "--json"))
    assert body["may_be_sold"] == "no"
    assert [parent["licence"] for parent in body["because"]] == ["CC-BY-NC-4.0"]


def test_every_page_of_a_run_is_written_with_an_index(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,label", *ROWS]) + "\n")
    made = json.loads(run("stage", "collect", "--set", f"source={path}", "--json"))
    assert run("pages", made["run"], str(tmp_path / "pages")).strip() == str(tmp_path / "pages" / "index.html")
    assert {file.name for file in (tmp_path / "pages").iterdir()} == {"index.html", "01-collect.html"}
    assert 'href="01-collect.html"' in (tmp_path / "pages" / "index.html").read_text()
    with pytest.raises(InputError, match="must be new or empty"):
        run("pages", made["run"], str(tmp_path / "pages"))


def test_help_of_a_stage_names_its_keys(run: Run) -> None:
    said = run("stage", "deduplicate", "--help")
    assert "similarity" in said
    assert "max_leaks" in said


def test_help_of_stage_alone_is_that_of_the_command(run: Run) -> None:
    assert "--input" in run("stage", "--help")


def test_wrong_kind_of_value_is_said_in_words_of_a_recipe(run: Run) -> None:
    with pytest.raises(RecipeError, match=r"kinds: must be a list; got 'email'"):
        run("stage", "deidentify", "--input", "data=ds_0", "--set", "kinds=email")


def test_a_name_stands_for_an_id_in_lineage_and_licences(run: Run, versions: tuple[str, str]) -> None:
    run("alias", "golden", versions[0])
    assert json.loads(run("licences", "golden", "--json"))["id"] == versions[0]
    assert json.loads(run("lineage", "golden", "--json"))["id"] == versions[0]


def test_brackets_of_a_source_are_shown_as_they_are(run: Run, tmp_path: Path) -> None:
    rows = "".join(f"some [/] words {n},{n % 2}\n" for n in range(9))
    (tmp_path / "a.csv").write_text(
        "[bold]text[/red],[red]text,label\n".replace("[red]text", "[bold]text[/red]") + rows
    )
    assert "[bold]text[/red]" in run("data", "peek", str(tmp_path / "a.csv"))


def test_the_title_of_a_narrow_table_stands_on_one_line(run: Run, tmp_path: Path) -> None:
    ws = Workspace(tmp_path / "home")
    with pytest.raises(SystemExit):
        run("stage", "collect", "--set", f"source={tmp_path / 'none.csv'}")
    (failed,) = ws.runs()
    assert f"collect  {failed['run']}  failed  " in run("show", failed["run"])


def test_a_name_that_is_not_there_is_said_to_be_none(run: Run, versions: tuple[str, str]) -> None:
    run("alias", "golden", versions[0])
    assert versions[0] in run("alias", "golden")
    with pytest.raises(NotFoundError, match="sliver: there is no such name"):
        run("alias", "sliver")


def test_what_was_given_is_said_once(run: Run, versions: tuple[str, str]) -> None:
    with pytest.raises(RecipeError) as raised:
        run("stage", "preflight", "--input", f"data={versions[0]}", "--set", "gates={leak: 0}")
    assert str(raised.value).count("got ") == 1
