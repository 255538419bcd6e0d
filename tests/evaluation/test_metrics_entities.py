"""Entities found whole: the definition of CoNLL-2003, against counts made by hand, and BIO tags that are mended."""

import pytest

from modelmint.core.tags import Entity, entities, repaired
from modelmint.evaluation.metrics.entities import measure

TRUTH = ["B-PER", "I-PER", "O", "B-LOC", "O", "B-ORG", "I-ORG"]
TOLD = ["B-PER", "I-PER", "O", "B-ORG", "O", "B-ORG", "O"]
"""By hand: 3 true, 3 told, 1 right (PER); LOC has the wrong type, ORG ends too soon; 5 of 7 words are right."""


def _measured(*pairs: tuple[list[str], list[str]]) -> dict[str, float]:
    figures = measure({"tags": [one for one, _ in pairs]}, [{"tags": other} for _, other in pairs], seed=1)
    return {name: figure["value"] for name, figure in figures.items()}


def test_figures_are_those_counted_by_hand() -> None:
    found = _measured((TRUTH, TOLD), (["B-LOC"], ["B-LOC"]), (["O"], ["B-LOC"]))
    # Right 2 (PER, LOC); told 5; true 4. LOC: right 1, told 2, true 2.
    by_hand = {"precision": 2 / 5, "recall": 2 / 4, "f1": 4 / 9, "f1:LOC": 2 / 4, "f1:ORG": 0, "f1:PER": 1}
    assert {name: found[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-6)
    assert found["accuracy"] == pytest.approx(6 / 9, abs=1e-6)


def test_intervals_hold_the_value_and_count_rows() -> None:
    figure = measure({"tags": [TRUTH, TRUTH]}, [{"tags": TRUTH}, {"tags": TOLD}], seed=1)["f1"]
    assert figure["low"] <= figure["value"] <= figure["high"]
    assert (figure["n"], next(iter(measure({"tags": [TRUTH]}, [{"tags": TRUTH}], seed=1)))) == (2, "f1")


def test_figures_are_those_of_seqeval() -> None:
    seqeval = pytest.importorskip("seqeval.metrics")
    truth, told = [TRUTH, ["I-LOC", "O", "I-PER"]], [TOLD, ["B-LOC", "I-PER", "I-PER"]]
    found = _measured(*zip(truth, told, strict=True))
    assert found["f1"] == pytest.approx(seqeval.f1_score(truth, told), abs=1e-6)


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (["I-PER", "I-PER"], [Entity("PER", 0, 2)]),
        (["B-PER", "B-PER"], [Entity("PER", 0, 1), Entity("PER", 1, 2)]),
        (["B-PER", "I-LOC"], [Entity("PER", 0, 1), Entity("LOC", 1, 2)]),
        (["B-PER", "O", "I-PER"], [Entity("PER", 0, 1), Entity("PER", 2, 3)]),
        (["S-PER", "B-LOC", "M-LOC", "E-LOC"], [Entity("PER", 0, 1), Entity("LOC", 1, 4)]),
        (["B-PER-NAME", "I-PER-NAME"], [Entity("PER-NAME", 0, 2)]),
        ([], []),
    ],
)
def test_entities_are_those_of_the_shared_task(tags: list[str], found: list[Entity]) -> None:
    assert entities(tags) == found


def test_broken_tags_are_mended_and_counted() -> None:
    assert repaired(["I-PER", "I-PER", "I-LOC", "O"]) == (["B-PER", "I-PER", "B-LOC", "O"], 2)


def test_a_set_without_entities_and_without_finds_is_nothing_of_nothing() -> None:
    assert _measured((["B-X"], ["O"]))["f1"] == 0
