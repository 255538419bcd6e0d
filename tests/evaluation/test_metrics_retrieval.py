"""Metrics of search and of recommendation, against numbers worked out by hand and scikit-learn's."""

from typing import Any

import numpy as np
import pytest

from modelmint.evaluation.metrics import recommendation
from modelmint.evaluation.metrics.retrieval import Found, among_themselves, measure, per_query, ranked, search, top


def found(*hits: list[int], num_right: list[int]) -> Found:
    return Found(hits_qk=np.array(hits, np.bool_), num_right_q=np.array(num_right))


def test_one_right_document_at_the_third_place() -> None:
    recall, ndcg, mrr, first = per_query(found([0, 0, 1, 0], num_right=[1]))[0]
    assert (recall, ndcg, mrr, first) == pytest.approx((1, 0.5, 1 / 3, 0))


def test_recall_is_of_no_more_than_ten() -> None:
    recall, ndcg, *_ = per_query(found([1] * 5 + [0] * 5, num_right=[100]))[0]
    assert recall == 0.5
    assert ndcg < 1


def test_ndcg_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import ndcg_score

    random = np.random.default_rng(0)
    scores, right = random.random((20, 30)), random.random((20, 30)) < 0.3
    ours = per_query(ranked(zip(scores.tolist(), right.tolist(), strict=True)))[:, 1]
    assert ours.mean() == pytest.approx(ndcg_score(right, scores, k=10))


def test_a_text_does_not_find_itself_and_one_alone_asks_nothing() -> None:
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    numbers = per_query(among_themselves(vectors, ["a", "a", "b", "c"]))
    assert numbers[:, 3].tolist() == [1.0, 1.0]


def test_a_query_searches_every_positive_and_negative_once() -> None:
    truth = {"query": ["q", "r"], "positive": ["p", "p"], "negative": ["n", None]}
    answers: list[dict[str, Any]] = [
        {"query": [1.0, 0.0], "positive": [0.9, 0.1], "negative": [1.0, 0.0]},
        {"query": [0.0, 1.0], "positive": [0.9, 0.1], "negative": None},
    ]
    figures = measure(truth, answers, seed=0)
    assert (figures["mrr_at_10"]["value"], figures["recall_at_10"]["value"]) == (0.75, 1.0)


def test_search_in_chunks_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    vectors, right = random.normal(size=(50, 4)).astype(np.float32), [{at // 5} for at in range(50)]
    whole = search(vectors, vectors, right).hits_qk
    monkeypatch.setattr("modelmint.evaluation.metrics.retrieval.CHUNK_NUMBERS", 150)
    assert (search(vectors, vectors, right).hits_qk == whole).all()


def test_the_earlier_of_equal_scores_is_the_better_one() -> None:
    assert top(np.array([[1.0, 3.0, 3.0, 0.0]]), 2).tolist() == [[1, 2]]


def test_equal_scores_of_candidates_count_as_ranked_worst_first() -> None:
    assert per_query(ranked([([0.5, 0.5], [True, False])]))[0, 3] == 0.0


def test_an_item_that_is_not_among_the_first_ten_is_not_found() -> None:
    items = [{"item": str(at), "score": 0.0} for at in range(12)]
    figures = recommendation.measure({"item": ["1", "11", "never"]}, [{"items": items}] * 3, seed=0)
    assert figures["hit_rate_at_10"]["value"] == pytest.approx(1 / 3, abs=1e-6)
    assert figures["ndcg_at_10"]["value"] == pytest.approx(1 / np.log2(3) / 3, abs=1e-6)
