"""Embeddings: from labelled rows and from rows of queries, the loss, the folder, bad rows."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelmint.catalog.drafts import StagingDesk
from modelmint.core.errors import DataError, InputError, StageError
from modelmint.core.stage import StageContext
from modelmint.evaluation.metrics.retrieval import measure
from modelmint.training.tasks import open_model
from modelmint.training.tasks.text_embedding import ranking_loss
from modelmint.training.train import TrainOutputs
from tests.tiny_base import FILLERS, TOPICS, questions, write_base
from tests.training.tasks.made import Rows, digests, fit

Embedded = Callable[..., TrainOutputs]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_base(tmp_path_factory.mktemp("tiny"), num_spare_tokens=5))


@pytest.fixture
def embedded(context: StageContext, desk: StagingDesk, base: str) -> Embedded:
    """``embedded(rows, form=..., options={...})``"""

    def run(rows: Rows, *, form: str = "text-classification", context_changes: Any = None, **spec: Any) -> TrainOutputs:
        wanted = {
            "base": base,
            "task": "text-embedding",
            "max_tokens": 16,
            "batch_size": 16,
            "epochs": 2,
            "learning_rate": 3e-3,
        }
        given = dataclasses.replace(context, num_threads=1, **(context_changes or {}))
        validation = queries(60, seed=9) if form == "text-retrieval" else questions(60, seed=99)
        return fit(given, desk, form, rows, validation, **{**wanted, **spec})

    return run


def queries(num_rows: int, *, seed: int = 0) -> Rows:
    """A query and what it should find begin with two words of one topic; each document is one of its own."""
    dice = np.random.default_rng(seed)
    topics = list(TOPICS.values())
    rows = []
    for _ in range(num_rows):
        words = topics[dice.integers(4)]
        fillers = [[FILLERS[at] for at in dice.choice(len(FILLERS), 4, replace=False)] for _ in range(2)]
        rows.append({"query": f"{words[0]} {' '.join(fillers[0])}", "positive": f"{words[1]} {' '.join(fillers[1])}"})
    return rows


def before_and_after(outputs: TrainOutputs) -> tuple[float, float]:
    facts = outputs.training.facts
    name, before = next(iter(facts["validation_before_training"].items()))
    return before, facts["history"][-1][f"validation_{name}"]


def test_texts_of_one_label_come_together(embedded: Embedded) -> None:
    before, after = before_and_after(embedded(questions(160), epochs=8))
    assert after > max(0.9, before)


def test_queries_find_what_they_should(embedded: Embedded) -> None:
    before, after = before_and_after(embedded(queries(160), form="text-retrieval", epochs=4))
    assert after > before + 0.1


def test_the_tokens_of_both_sides_are_counted(embedded: Embedded) -> None:
    measured = embedded(questions(64), epochs=1).training.measured
    assert measured["tokens_per_s"] > 2 * 4 * measured["examples_per_s"]  # two texts of four words or more a pair
    assert 0 < measured["padding"] < 0.6


def test_two_runs_give_equal_folders(embedded: Embedded) -> None:
    found = [digests(embedded(questions(64), options={"hard_negatives": 1}).model.files.folder()) for _ in range(2)]
    assert found[0] == found[1]


def test_a_run_that_was_stopped_goes_on_to_the_same_folder(embedded: Embedded) -> None:
    whole = digests(embedded(questions(64)).model.files.folder())
    with pytest.raises(StageError):
        embedded(questions(64), context_changes={"deadline_s": 0.0})
    assert digests(embedded(questions(64), go_on=True).model.files.folder()) == whole


def test_batches_in_parts_give_the_gradient_of_the_whole(embedded: Embedded) -> None:
    curves = [embedded(questions(64), micro_batch_size=size, epochs=1).training.facts["curve"] for size in (None, 5)]
    losses = [[point["loss"] for point in curve] for curve in curves]
    assert np.allclose(*losses, rtol=1e-4)


def test_sentence_transformers_gives_the_same_vectors(embedded: Embedded) -> None:
    library = pytest.importorskip("sentence_transformers")
    folder = embedded(questions(64)).model.files.folder()
    texts = [row["text"] for row in questions(8, seed=5)] + ["card " * 40]
    ours = np.array([answer["embedding"] for answer in open_model(folder).predict({"text": texts})])
    assert np.abs(library.SentenceTransformer(str(folder), device="cpu").encode(texts) - ours).max() < 1e-5


@pytest.mark.parametrize("num_negatives", [0, 1])
def test_the_loss_is_that_of_sentence_transformers(num_negatives: int) -> None:
    library = pytest.importorskip("sentence_transformers.losses")
    torch.manual_seed(0)
    parts = [torch.randn(6, 8) for _ in range(2 + num_negatives)]
    theirs = library.MultipleNegativesRankingLoss(torch.nn.Identity()).compute_loss_from_embeddings(parts, None)
    none = torch.zeros(6, 6 * (1 + num_negatives), dtype=torch.bool)
    ours = ranking_loss(parts[0], torch.cat(parts[1:]), none, scale=20.0, symmetric=False)
    assert torch.allclose(ours.mean(), theirs, atol=1e-5)


def test_the_symmetric_loss_is_that_of_sentence_transformers() -> None:
    library = pytest.importorskip("sentence_transformers.losses")
    torch.manual_seed(0)
    parts = [torch.randn(6, 8) for _ in range(2)]
    theirs = library.MultipleNegativesRankingLoss(
        torch.nn.Identity(), directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
    ).compute_loss_from_embeddings(parts, None)
    ours = ranking_loss(*parts, torch.zeros(6, 6, dtype=torch.bool), scale=20.0, symmetric=True)
    assert torch.allclose(ours.mean(), theirs, atol=1e-5)


def test_candidates_that_are_right_too_do_not_count() -> None:
    queries_bd = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    both = torch.ones(2, 2, dtype=torch.bool)
    assert ranking_loss(queries_bd, queries_bd, both, scale=20.0, symmetric=True).abs().max() < 1e-6


def test_a_vector_cut_to_a_trained_dimension_still_finds(embedded: Embedded) -> None:
    folder = embedded(questions(160), options={"dimensions": [4]}, epochs=10).model.files.folder()
    rows = questions(60, seed=7)
    answers = open_model(folder).predict({"text": [row["text"] for row in rows]})
    truth = {"label": [row["label"] for row in rows]}
    cut = [{"embedding": answer["embedding"][:4]} for answer in answers]
    assert measure(truth, cut, seed=0)["accuracy_at_1"]["value"] > 0.9


def test_what_is_measured_of_the_folder_is_what_validation_said(embedded: Embedded) -> None:
    outputs = embedded(questions(64))
    rows = questions(60, seed=99)
    answers = open_model(outputs.model.files.folder()).predict({"text": [row["text"] for row in rows]})
    figure = measure({"label": [row["label"] for row in rows]}, answers, seed=0)["recall_at_10"]
    best = outputs.training.facts["best_epoch"] - 1
    assert figure["value"] == pytest.approx(
        outputs.training.facts["history"][best]["validation_recall_at_10"], abs=1e-4
    )


def test_rows_of_queries_answer_with_a_vector_for_each_text(embedded: Embedded) -> None:
    folder = embedded(queries(32), form="text-retrieval", epochs=1).model.files.folder()
    (answer,) = open_model(folder).predict({"query": ["card"], "positive": ["chip"], "negative": [None]})
    assert (len(answer["query"]), len(answer["positive"]), answer["negative"]) == (32, 32, None)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"text": f"card {at}", "label": "one"} for at in range(8)], "another label"),
        ([{"text": f"card {at}", "label": str(at)} for at in range(8)], "two texts of one label"),
        ([{"text": " ", "label": str(at % 2)} for at in range(8)], "text and label in each row"),
    ],
)
def test_rows_that_teach_nothing_are_refused(embedded: Embedded, rows: Rows, says: str) -> None:
    with pytest.raises(DataError, match=says):
        embedded(rows)


def test_texts_longer_than_the_base_reads_are_refused(embedded: Embedded) -> None:
    with pytest.raises(InputError, match="max_tokens: must be at most"):
        embedded(questions(32), max_tokens=4096)


def test_a_dimension_wider_than_the_base_is_refused(embedded: Embedded) -> None:
    with pytest.raises(InputError, match="dimensions: must be from 1 to 32"):
        embedded(questions(32), options={"dimensions": [64]})


def test_a_folder_of_another_task_is_refused(embedded: Embedded, tmp_path: Path) -> None:
    (tmp_path / "modelmint.json").write_text("{}")
    with pytest.raises(InputError):
        open_model(tmp_path)
