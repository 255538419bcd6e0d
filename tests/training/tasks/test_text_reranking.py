"""Rerankers: from rows of queries and from labelled pairs, the folder, the lists that they are judged by, bad rows."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.evaluation.metrics.retrieval import measure_reranked
from modelmint.training.tasks import open_model
from modelmint.training.tasks.candidates import Lists
from modelmint.training.train import TrainOutputs
from tests.tiny_base import TOPICS, write_base
from tests.training.tasks.made import Rows, digests, fit
from tests.training.tasks.test_text_embedding import queries

Reranked = Callable[..., TrainOutputs]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_base(tmp_path_factory.mktemp("tiny"), num_spare_tokens=5))


@pytest.fixture
def reranked(context: StageContext, desk: StagingDesk, base: str) -> Reranked:
    """``reranked(rows, form=..., options={...})``"""

    def run(
        rows: Rows, *, form: str = "text-pair-classification", context_changes: Any = None, **spec: Any
    ) -> TrainOutputs:
        wanted = {
            "base": base,
            "task": "text-reranking",
            "max_tokens": 24,
            "batch_size": 8,
            "epochs": 1,
            "learning_rate": 3e-3,
        }
        given = dataclasses.replace(context, num_threads=1, **(context_changes or {}))
        validation = queries(30, seed=9) if form == "text-retrieval" else pairs(80, seed=9)
        return fit(given, desk, form, rows, validation, **{**wanted, **spec})

    return run


def pairs(num_rows: int, *, seed: int = 0) -> Rows:
    """A word of a topic and a text; right is one that has another word of that topic."""
    dice = np.random.default_rng(seed)
    topics, rows = list(TOPICS.values()), []
    for at in range(num_rows):
        asked, found = at % 4, int(dice.integers(4))
        text = f"{topics[found][1 + int(dice.integers(2))]} {['the', 'my', 'is', 'please'][int(dice.integers(4))]}"
        rows.append({"text": topics[asked][0], "text_pair": text, "label": "yes" if asked == found else "no"})
    return rows


def test_what_goes_together_is_learned_from_labelled_pairs(reranked: Reranked) -> None:
    outputs = reranked(pairs(240), epochs=6)
    rows = pairs(80, seed=5)
    truth = {name: [row[name] for row in rows] for name in ("text", "text_pair", "label")}
    figures = measure_reranked(truth, open_model(outputs.model.files.folder()).predict(truth), seed=0)
    assert figures["ndcg_at_10"]["value"] > 0.9


def test_rows_of_queries_are_learned_with_drawn_negatives(reranked: Reranked) -> None:
    outputs = reranked(queries(80), form="text-retrieval", options={"candidates": 5, "negatives": 2}, epochs=2)
    history = outputs.training.facts["history"]
    assert history[-1]["train_loss"] < history[0]["train_loss"]


def test_documents_come_back_the_best_first(reranked: Reranked) -> None:
    model = open_model(reranked(pairs(64)).model.files.folder())
    (answer,) = model.predict({"query": ["card"], "documents": [["chip", "coins", "the"]]})
    scores = [one["score"] for one in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert sorted(one["index"] for one in answer["results"]) == [0, 1, 2]


def test_two_runs_give_equal_folders(reranked: Reranked) -> None:
    found = [digests(reranked(queries(24), form="text-retrieval").model.files.folder()) for _ in range(2)]
    assert found[0] == found[1]


def test_a_run_that_was_stopped_goes_on_to_the_same_folder(reranked: Reranked) -> None:
    whole = digests(reranked(pairs(64), encoder_dropout=0.1).model.files.folder())
    with pytest.raises(StageError):
        reranked(pairs(64), encoder_dropout=0.1, context_changes={"deadline_s": 0.0})
    assert digests(reranked(pairs(64), encoder_dropout=0.1, go_on=True).model.files.folder()) == whole


@pytest.mark.parametrize("method", ["full", "freeze", "lora"])
def test_transformers_gives_the_same_numbers(reranked: Reranked, method: str) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

    folder = reranked(pairs(64), method=method).model.files.folder()
    tokenize = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    whole = AutoModelForSequenceClassification.from_pretrained(folder)
    ids = tokenize("my card", "the chip", return_tensors="pt", return_token_type_ids=True)
    with torch.no_grad():
        theirs = torch.sigmoid(whole(**ids).logits)[0, 0].item()
    (ours,) = open_model(folder).predict({"text": ["my card"], "text_pair": ["the chip"]})
    assert ours["score"] == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"text": "card", "text_pair": "chip", "label": "yes"}] * 4, "must have two labels"),
        ([{"text": "card", "text_pair": " ", "label": "01"[at % 2]} for at in range(4)], "lack one"),
    ],
)
def test_pairs_that_teach_nothing_are_refused(reranked: Reranked, rows: Rows, says: str) -> None:
    with pytest.raises(DataError, match=says):
        reranked(rows)


def test_a_positive_label_that_is_not_there_is_refused(reranked: Reranked) -> None:
    with pytest.raises(DataError, match="positive"):
        reranked(pairs(32), options={"positive": "maybe"})


def test_one_document_for_all_queries_is_refused(reranked: Reranked) -> None:
    with pytest.raises(DataError, match="two different documents"):
        reranked([{"query": f"card {at}", "positive": "chip"} for at in range(4)], form="text-retrieval")


def test_pairs_longer_than_the_base_reads_are_refused(reranked: Reranked) -> None:
    with pytest.raises(InputError, match="max_tokens: must be at most"):
        reranked(pairs(32), max_tokens=4096)


def test_wrong_documents_are_never_right_ones_and_are_drawn_by_seed_and_epoch() -> None:
    texts = [f"text number {at}" for at in range(12)]
    lists = Lists.of_queries(["who"] * 3 + ["what"] * 9, texts, [None] * 12, num_candidates=5)
    drawn = [lists.drawn(0, [7, epoch], 4, 0.5) for epoch in (0, 0, 1)]
    wrong = {text for (_, text), right in drawn[0] if not right}
    assert not wrong & lists.right[lists.pairs[0][0]]
    assert (drawn[0] == drawn[1], drawn[0] == drawn[2]) == (True, False)


def test_lists_without_a_wrong_document_are_left_out_of_the_figures() -> None:
    truth = {"text": ["a", "a", "b"], "text_pair": ["x", "y", "z"], "label": ["yes", "no", "yes"]}
    answers = [{"score": score, "is_positive": right} for score, right in ((0.1, True), (0.9, False), (0.5, True))]
    figures = measure_reranked(truth, answers, seed=0)
    assert (figures["mrr_at_10"]["value"], figures["mrr_at_10"]["n"]) == (0.5, 1)
