"""Texts that are too long for an endpoint: it must refuse them, and their neighbours are answered."""

from dataclasses import replace
from typing import Any

from modelmint.evaluation.proof.replay import Replay, replay
from tests.evaluation.endpoint import served

LONG = "longer than five"


def sent(texts: list[str], max_characters: int, refuse: bool) -> tuple[Replay, list[Any]]:
    def answers(asked: list[str]) -> tuple[int, Any]:
        if refuse and any(len(text) > max_characters for text in asked):
            return 400, {"error": {"message": "input: too long"}}
        return 200, {"predictions": [{"label": "card", "score": 1.0} for _ in asked]}

    seen: list[Any] = []
    with served(answers, seen) as endpoint:
        short = replace(endpoint, max_characters=max_characters)
        return replay(short, texts, concurrency=1, timeout_s=5, seed=1, sizes=(8,)), [given for given, _ in seen]


def test_a_text_that_is_too_long_goes_alone_and_its_refusal_is_no_failure() -> None:
    found, seen = sent(["a", "b", LONG, "c"], 5, refuse=True)
    assert [answer is not None for answer in found.answers] == [True, True, False, True]
    assert (found.failures, len(seen)) == ([], 3)


def test_an_endpoint_that_answers_it_is_told() -> None:
    found, _ = sent([LONG], 5, refuse=False)
    assert (found.failed, found.answers) == ([True], [None])
    assert "must be refused" in found.failures[0]["reason"]
