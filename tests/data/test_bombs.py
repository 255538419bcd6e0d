"""Bombs: each is refused or quarantined, named, within 2 s of processor time and 256 MB of memory more than a good file.

Measured in a process of its own for each (see `measured`); nothing of the good rows beside a bomb is lost.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .bombs import BOMBS, CSV, MB, Bomb, _good_document, as_case, recipe_bombs
from .measured import Measuring, Outcome, measuring

MAX_CPU_S = 2.0
MAX_BYTES = 256 * MB
ERRORS = {"DataError", "InputError"}
_PARSED = (".pdf", ".docx", ".html")
BY_NAME = {bomb.name: bomb for bomb in BOMBS}


@pytest.fixture(scope="module")
def server() -> Iterator[Measuring]:
    with measuring() as started:
        yield started


@pytest.fixture(scope="module")
def good(server: Measuring, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What a good file takes: text in this process alone, documents in a parser of their own."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "a.csv").write_text(CSV)
    cases = {"text": {"source": str(folder / "a.csv")}}
    for suffix in _PARSED:
        place = folder / suffix[1:]
        place.mkdir()
        for number in range(2):
            (place / f"{number}{suffix}").write_bytes(_good_document(suffix))
        cases[suffix] = {"source": str(place), "task": "text-generation"}
    return {
        kind: server.run({"do": "collect", "spec": spec, "folder": str(folder / f"work{kind}")})
        for kind, spec in cases.items()
    }


@pytest.mark.parametrize(
    "name", [pytest.param(bomb.name, marks=[pytest.mark.slow] if bomb.slow else []) for bomb in BOMBS]
)
def test_a_bomb_does_no_harm(name: str, server: Measuring, good: dict[str, Outcome], tmp_path: Path) -> None:
    bomb = BY_NAME[name]
    outcome = server.run(as_case(bomb, tmp_path))
    assert _became(bomb, outcome) is None, outcome
    assert _took_too_much(outcome, good) is None, outcome


@pytest.mark.parametrize("name", recipe_bombs())
def test_a_recipe_that_is_a_bomb_is_refused(name: str, server: Measuring, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_bombs()[name], encoding="utf-8")
    outcome = server.run({"do": "recipe", "path": str(path)})
    assert outcome.error == "RecipeError", outcome
    assert outcome.cpu_s < MAX_CPU_S, outcome


def test_there_are_as_many_bombs_as_promised() -> None:
    assert len(BOMBS) >= 80
    assert len(BY_NAME) == len(BOMBS)


def _became(bomb: Bomb, outcome: Outcome) -> str | None:
    """What is wrong with what became of a bomb; None where nothing is."""
    if bomb.said:
        named = outcome.error in ERRORS and re.search(bomb.said, outcome.message) is not None
        return None if named and outcome.remedy else "it was to be refused by name, with a remedy"
    kept = (outcome.error, outcome.num_rows, outcome.reasons) == ("", bomb.num_rows, bomb.reasons)
    return None if kept else f"{bomb.num_rows} rows were to stay, and {bomb.reasons} to be quarantined"


def _took_too_much(outcome: Outcome, good: dict[str, Outcome]) -> str | None:
    parsed = max((good[suffix] for suffix in _PARSED), key=lambda each: each.child_cpu_s)
    plain = good["text"]
    cpu_s = outcome.cpu_s - plain.cpu_s + max(outcome.child_cpu_s - parsed.child_cpu_s, 0)
    num_bytes = max(outcome.extra_bytes - plain.extra_bytes, outcome.child_bytes - parsed.child_bytes)
    if cpu_s > MAX_CPU_S:
        return f"{cpu_s:.2f} s"
    return f"{num_bytes / MB:.0f} MB" if num_bytes > MAX_BYTES else None
