"""Wrong labels that preflight finds before training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import JSON, Dataset
from modelmint.data.collect import CollectOutputs
from modelmint.data.index import Indexer
from modelmint.data.inspection.suspects import find_suspects
from modelmint.data.preflight import PreflightInputs, PreflightSpec, preflight
from modelmint.training.spec import TrainSpec
from tests.data.conftest import rows_of
from tests.tiny_base import questions, write_base

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "customer-service"
FLIPPED = range(0, 192, 25)
Look = Callable[..., JSON]


@pytest.fixture
def look(dataset: Callable[..., Dataset], context: StageContext) -> Look:
    """``look(rows)``: the suspects that a base finds, the starter where none is given."""

    def run(rows: list[dict[str, Any]], *, base: str = "starter", max_rows: int = 1000) -> JSON:
        data, indexer = dataset(rows), Indexer()
        for _ in indexer.see(batches(data)):
            pass
        return find_suspects(TrainSpec(base=base, max_tokens=32), indexer.index(), data, context, max_rows=max_rows)

    return run


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    return str(write_base(tmp_path / "base"))


ASKED = {
    "card": ["my card has not come", "when does the new card arrive", "the chip of my card is broken"],
    "cash": ["the machine kept my cash", "I took out too few notes", "can I pay in coins"],
    "loan": ["I want to borrow for a house", "how is my loan paid back", "what is the interest of a loan"],
    "rate": ["the exchange rate is wrong", "what do you change euros at", "which currencies do you exchange"],
}
PLACES = ["in Leeds", "for my son", "today", "on Monday", "please", "as I said", "at the branch", "in the app"]


def right_questions() -> list[dict[str, Any]]:
    """192 questions of four topics, no two alike."""
    asked = [(label, text) for label, texts in ASKED.items() for text in texts]
    return [
        {"text": f"{text} {place}{end}", "label": label} for end in ".?" for place in PLACES for label, text in asked
    ]


def flipped_questions() -> list[dict[str, Any]]:
    """The same; the rows `FLIPPED` have the label of the next topic."""
    topics, rows = sorted(ASKED), right_questions()
    for at in FLIPPED:
        rows[at]["label"] = topics[(topics.index(rows[at]["label"]) + 1) % len(topics)]
    return rows


def test_flipped_labels_are_found_with_the_right_one(look: Look) -> None:
    suspects = look(flipped_questions())
    right = {f"r{at}": row["label"] for at, row in enumerate(right_questions())}
    found = {one["_row"] for one in suspects["examples"] if one["suggested"] == right[one["_row"]]}
    assert len(found & {f"r{at}" for at in FLIPPED}) >= len(FLIPPED) - 1
    assert suspects["rows"] <= 2 * len(FLIPPED)


def test_a_wrong_test_label_is_found(look: Look) -> None:
    rows = [{**row, "_split": "test" if at in FLIPPED else "train"} for at, row in enumerate(flipped_questions())]
    assert {f"r{at}" for at in FLIPPED} & {one["_row"] for one in look(rows)["examples"]}


def test_the_same_seed_gives_the_same_suspects_surest_first(look: Look) -> None:
    first, second = (look(flipped_questions()) for _ in range(2))
    scores = [one["score"] for one in first["examples"]]
    assert first == second
    assert scores == sorted(scores, reverse=True)


def test_of_more_rows_than_allowed_a_sample_is_looked_at(look: Look, tiny: str) -> None:
    assert look(questions(200), base=tiny, max_rows=120)["looked_at"] == 120


def test_labels_of_too_few_texts_are_not_doubted(look: Look, tiny: str) -> None:
    rows = [*questions(100), *[{"text": "my card", "label": "rare"}] * 8]
    assert look(rows, base=tiny)["looked_at"] == 100


def test_one_learnable_label_gives_no_suspects(look: Look, tiny: str) -> None:
    rows = [*questions(30, topics=["card"]), {"text": "cash", "label": "cash"}]
    assert look(rows, base=tiny) == {"rows": 0, "looked_at": 0, "examples": []}


def test_suspects_are_a_warning_and_refuse_nothing(dataset: Callable[..., Dataset], context: StageContext) -> None:
    spec, inputs = PreflightSpec(train=TrainSpec(max_tokens=32)), PreflightInputs(data=dataset(flipped_questions()))
    facts = preflight(spec, inputs, context).preflight.facts
    assert "suspects" in [warning["name"] for warning in facts["warnings"]]
    assert facts["refused"] == []


def test_suspects_can_be_left_out(dataset: Callable[..., Dataset], context: StageContext, tiny: str) -> None:
    spec = PreflightSpec(train=TrainSpec(base=tiny, max_tokens=32), suspects=False)
    facts = preflight(spec, PreflightInputs(data=dataset(flipped_questions())), context).preflight.facts
    assert facts["suspects"] == {}


@pytest.mark.slow
def test_wrong_labels_planted_in_the_example_are_found(look: Look, collected: Callable[..., CollectOutputs]) -> None:
    planted = json.loads((EXAMPLE / "planted.json").read_text(encoding="utf-8"))["wrong_labels"]
    rows = rows_of(collected(EXAMPLE / "questions.csv", text="question", label="intent", keep=["id"]).data)
    suspects = look(rows, max_rows=20_000)
    ids = {row["_row"]: row["id"] for row in rows}
    found = {(ids[one["_row"]], one["suggested"]) for one in suspects["examples"]}
    assert len(found & {(one["id"], one["right"]) for one in planted}) >= 14
    assert suspects["rows"] <= 80
