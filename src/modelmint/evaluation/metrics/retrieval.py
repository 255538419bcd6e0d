"""Metrics of what is searched: embeddings that find neighbours, and rerankers that order candidates.

Everything follows from a list of hits a query, in the order in which its documents were ranked, and from how many
documents should have been found. It knows vectors and scores, never a model.

Shapes: q queries, c documents of the corpus, d width of a vector, k ranks that are looked at.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.evaluation.significance import Figure, Floats
from modelmint.evaluation.sums import of_sums

NUM_RANKS = 10
METRICS = ("recall_at_10", "ndcg_at_10", "mrr_at_10", "accuracy_at_1")
RERANKED = ("ndcg_at_10", "mrr_at_10", "accuracy_at_1")
CHUNK_NUMBERS = 8_000_000
"""How many similarities are in memory at a time."""

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a search gave: `hits_qk` whether the document at each rank is right; `num_right_q` how many there are.

    `rows_q` is the row of each query, the first where several have it; None where nobody asked.
    """

    hits_qk: npt.NDArray[np.bool_]
    num_right_q: npt.NDArray[np.int64]
    rows_q: npt.NDArray[np.int64] | None = None


def measure(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of embeddings: recall at 10, NDCG at 10, MRR at 10 and accuracy at 1, each the mean over the queries.

    Rows with a column ``label`` and answers ``{"embedding"}``: each text searches all the others, those with its label
    are right; a text whose label no other has is no query. Rows with ``query`` and ``positive`` and answers with a
    vector for each: each query searches all positives and negatives of the rows, and its own positives are right.
    """
    if "label" in truth:
        found = among_themselves(_vectors(answers, "embedding"), list(truth["label"]))
    else:
        found = of_pairs(truth, {name: _vectors(answers, name) for name in ("query", "positive", "negative")})
    return figures(found, seed=seed)


def measure_reranked(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of a reranker: NDCG at 10, MRR at 10 and accuracy at 1 over lists of candidates.

    Rows with ``text``, ``text_pair`` and ``label`` and answers ``{"score", "is_positive"}``, where `is_positive` is what
    the row's label means: the rows of one text are a list. Rows with ``query`` and ``positive`` and answers
    ``{"results": [{"text", "score"}]}``: those results are the list. A list without a right candidate, or with no other,
    says nothing and is left out.
    """
    lists = list(_lists_of_pairs(truth, answers) if "text_pair" in truth else _lists_of_results(truth, answers))
    found = ranked(lists)
    first: dict[str, int] = {}
    for at, text in enumerate(truth["text" if "text_pair" in truth else "query"]):
        first.setdefault(text, at)
    rows = np.array(list(first.values()), np.int64)[found.rows_q]
    return figures(replace(found, rows_q=rows), seed=seed, names=RERANKED)


def figures(found: Found, *, seed: int, names: Sequence[str] = METRICS) -> dict[str, Figure]:
    """Means over the queries with bootstrap intervals; zeros of no row where there was no query."""
    numbers = per_query(found)[:, [METRICS.index(name) for name in names]]
    if not len(numbers):
        return {name: Figure(value=0.0, low=0.0, high=0.0, n=0) for name in names}
    return of_sums(names, np.column_stack([numbers, np.ones(len(numbers))]), means, seed=seed, rows=found.rows_q)


def means(sums: Floats) -> Floats:
    """(R, S) from sums (R, S + 1), the last of which is how many."""
    return sums[:, :-1] / np.maximum(sums[:, -1:], 1)


def per_query(found: Found) -> Floats:
    """(q, 4) each of `METRICS`.

    Recall is of at most as many documents as there are ranks (BEIR's capped recall, Thakur et al. 2021): a label of 100
    texts can be found whole in ten. With one right document it is the plain one. NDCG is binary (Järvelin and
    Kekäläinen 2002).
    """
    num_ranks = found.hits_qk.shape[1]
    gains_k = 1 / np.log2(np.arange(num_ranks) + 2)
    can_q = np.minimum(found.num_right_q, NUM_RANKS)
    ideal_q = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(NUM_RANKS) + 2))])[can_q]
    first_q = np.where(found.hits_qk.any(axis=1), found.hits_qk.argmax(axis=1) + 1, math.inf)
    columns = [found.hits_qk.sum(axis=1) / can_q, found.hits_qk @ gains_k / ideal_q, 1 / first_q, first_q == 1]
    return np.stack([column.astype(np.float64) for column in columns], axis=1)


def search(
    queries_qd: Vectors,
    corpus_cd: Vectors,
    right: Sequence[AbstractSet[int]],
    hidden: Sequence[int] | None = None,
    rows: Sequence[int] | None = None,
) -> Found:
    """Rank the corpus by the cosine for each query.

    Args:
        right: of each query the documents that should be found; a query with none is left out.
        hidden: of each query a document that it cannot find, itself.
        rows: of each query its row, where that is not its place.
    """
    kept = [at for at in range(len(right)) if right[at]]
    num_ranks = min(NUM_RANKS, len(corpus_cd) - (hidden is not None))
    hits = np.zeros((len(kept), max(num_ranks, 1)), np.bool_)
    unit_cd = _unit(corpus_cd)
    step = max(1, CHUNK_NUMBERS // max(len(corpus_cd), 1))
    for start in range(0, len(kept), step):
        asked = kept[start : start + step]
        scores = _unit(queries_qd[asked]) @ unit_cd.T
        if hidden is not None:
            scores[np.arange(len(asked)), [hidden[query] for query in asked]] = -np.inf
        for at, (query, best) in enumerate(zip(asked, top(scores, num_ranks), strict=True)):
            hits[start + at, : len(best)] = [int(document) in right[query] for document in best]
    places = np.array(kept if rows is None else [rows[at] for at in kept], np.int64)
    return Found(hits_qk=hits, num_right_q=np.array([len(right[at]) for at in kept], np.int64), rows_q=places)


def among_themselves(vectors_qd: Vectors, labels: Sequence[str]) -> Found:
    """Each text searches all the others; those with its label are right."""
    of_label: dict[str, set[int]] = {}
    for at, label in enumerate(labels):
        of_label.setdefault(label, set()).add(at)
    right = [of_label[label] - {at} for at, label in enumerate(labels)]
    return search(vectors_qd, vectors_qd, right, range(len(labels)))


def of_pairs(truth: Mapping[str, Sequence[Any]], vectors: Mapping[str, Vectors]) -> Found:
    """Each distinct query searches the distinct positives and negatives of all rows; its own positives are right."""
    place: dict[str, int] = {}
    corpus: list[Any] = []
    for name in ("positive", "negative"):
        for at, text in enumerate(truth.get(name, ())):
            if text and text not in place:
                place[text] = len(corpus)
                corpus.append(vectors[name][at])
    first: dict[str, int] = {}
    right: dict[str, set[int]] = {}
    for at, (query, positive) in enumerate(zip(truth["query"], truth["positive"], strict=True)):
        first.setdefault(query, at)
        right.setdefault(query, set()).add(place[positive])
    rows = list(first.values())
    return search(vectors["query"][rows], np.stack(corpus), list(right.values()), rows=rows)


def ranked(lists: Iterable[tuple[Sequence[float], Sequence[bool]]]) -> Found:
    """Candidates by their scores, each list (scores, whether right); equal scores count as ranked worst first."""
    hits, num_right, places = [], [], []
    for place, (scores, right) in enumerate(lists):
        if not any(right) or all(right):
            continue
        places.append(place)
        order = sorted(range(len(scores)), key=lambda at: (-scores[at], right[at]))[:NUM_RANKS]
        hits.append([right[at] for at in order] + [False] * (NUM_RANKS - len(order)))
        num_right.append(sum(right))
    return Found(
        hits_qk=np.array(hits, np.bool_).reshape(-1, NUM_RANKS),
        num_right_q=np.array(num_right, np.int64),
        rows_q=np.array(places, np.int64),
    )


def top(scores: npt.NDArray[Any], num_ranks: int) -> npt.NDArray[np.int64]:
    """(q, k) the columns with the highest scores (q, c), best first; the earlier of equals."""
    if num_ranks >= scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")
    some = np.sort(np.argpartition(-scores, num_ranks, axis=1)[:, : num_ranks + 1], axis=1)
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")[:, :num_ranks]
    return np.asarray(np.take_along_axis(some, order, axis=1), np.int64)


def _lists_of_pairs(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]]
) -> Iterable[tuple[list[float], list[bool]]]:
    lists: dict[str, tuple[list[float], list[bool]]] = {}
    for text, answer in zip(truth["text"], answers, strict=True):
        scores, right = lists.setdefault(text, ([], []))
        scores.append(float(answer["score"]))
        right.append(bool(answer["is_positive"]))
    return lists.values()


def _lists_of_results(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]]
) -> Iterable[tuple[list[float], list[bool]]]:
    right: dict[str, set[str]] = {}
    for query, positive in zip(truth["query"], truth["positive"], strict=True):
        right.setdefault(query, set()).add(positive)
    of_query = dict(zip(truth["query"], answers, strict=True))
    for query, answer in of_query.items():
        results = answer["results"]
        yield [one["score"] for one in results], [one["text"] in right[query] for one in results]


def _vectors(answers: Sequence[Mapping[str, Any]], name: str) -> Vectors:
    given = [answer.get(name) for answer in answers]
    width = next((len(vector) for vector in given if vector is not None and len(vector)), 0)
    filled = [vector if vector is not None and len(vector) else [0.0] * width for vector in given]
    return np.array(filled, np.float32).reshape(len(answers), width)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
