"""The docs check finds what it is there to find."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module")
def check() -> Iterator[ModuleType]:
    sys.path.insert(0, str(TOOLS))
    import check_docs

    yield check_docs
    sys.path.remove(str(TOOLS))


def test_a_part_that_was_changed_by_hand_is_stale(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for page in {page for page, _ in check.parts()}:
        copy = tmp_path / page
        copy.parent.mkdir(exist_ok=True)
        copy.write_text((check.DOCS / page).read_text().replace("MODELMINT_WORKERS", "MODELMINT_HANDS"))
    monkeypatch.setattr(check, "DOCS", tmp_path)
    assert [problem.partition(":")[0] for problem in check.stale()] == ["docs/reference/settings.md"]


def test_a_link_that_leads_nowhere_is_found_outside_of_code(check: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "there.md").touch()
    text = "[a](there.md#part) [b](https://example.com) `[c](code.md)` ![d](gone.svg)"
    assert list(check.broken(text, tmp_path)) == ["the link gone.svg leads nowhere"]


@pytest.mark.parametrize(("line", "problem"), [
    ("make tests", "`make tests`: the Makefile has no target tests"),
    ("modelmint serve", "`modelmint serve`: modelmint has no command serve"),
    ("modelmint run r.yaml --sets a=b", "`modelmint run r.yaml --sets a=b`: modelmint run has no option --sets"),
    (".venv/bin/modelmint keys make", "`.venv/bin/modelmint keys make`: modelmint has no command keys make"),
])  # fmt: skip
def test_a_command_that_does_not_exist_is_found(check: ModuleType, line: str, problem: str) -> None:
    assert list(check.unknown(f"```sh\n{line}\n```\n")) == [problem]


@pytest.mark.parametrize(
    "line",
    [
        "make test",
        "modelmint run r.yaml --set a=b --json",
        "modelmint keys create --scope predict",
        "modelmint --home h up",
    ],
)
def test_a_command_that_exists_passes(check: ModuleType, line: str) -> None:
    assert not list(check.unknown(f"`{line}`"))


def test_a_recipe_that_does_not_compile_is_found(check: ModuleType) -> None:
    (problem,) = check.unreadable("```yaml\nstages:\n  - collect: {source: a.csv, txt: q}\n```\n")
    assert "Did you mean 'text'?" in problem


def test_readmes_may_differ_in_comments_and_not_in_commands(check: ModuleType) -> None:
    ours = "```sh\nmake demo  # the loop\n```\n`modelmint runs`"
    assert not list(check.different(ours, ours.replace("the loop", "整个循环")))
    assert len(list(check.different(ours, ours.replace("make demo", "make test").replace("runs`", "models`")))) == 2
