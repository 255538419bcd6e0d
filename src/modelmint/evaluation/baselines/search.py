"""Queries to documents by the words that they share: BM25, or the cosine of TF-IDF.

Words are runs of letters and digits, or single characters and pairs of them where the texts are Chinese. What is frequent
is counted among the documents that are searched; nothing is learned from what belongs together.

Source: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009); the idf is Lucene's.

Shapes: q queries, c documents, f features, k ranks.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelmint.core.types import JSON
from modelmint.evaluation.baselines.cheap import Asked, Cheap
from modelmint.evaluation.baselines.choices import NAMES
from modelmint.evaluation.metrics.retrieval import NUM_RANKS, Found, figures, top
from modelmint.evaluation.metrics.translation import is_chinese

K1, B = 1.2, 0.75
CHUNK_NUMBERS = 8_000_000
NUM_LOOKED_AT = 1_000
"""Texts by which it is told whether they are Chinese."""


def neighbours(kind: str, asked: Asked) -> Cheap:
    """Of embeddings: the same search as with their vectors. What it answers is the list of hits a query."""
    name = "TF-IDF" if kind == "tfidf" else NAMES["bm25"]
    search = _among_themselves if "label" in asked.truth else _of_pairs
    return Cheap(name=name, num_rows=0, answer=lambda: search(kind, asked), figures=lambda found, seed: figures(found, seed=seed))  # fmt: skip


def orders_of_candidates(kind: str, asked: Asked) -> Cheap:
    """Of rerankers: the model's own candidates, in another order."""
    name = "TF-IDF" if kind == "tfidf" else NAMES["bm25"]
    way = _pairs_scored if "text_pair" in asked.truth else _results_scored
    return Cheap(name=name, num_rows=0, answer=lambda: way(kind, asked))


def _among_themselves(kind: str, asked: Asked) -> Found:
    """Each text searches all the others; those with its label are right."""
    texts, labels = [str(one or "") for one in asked.truth["text"]], list(asked.truth["label"])
    of_label: dict[Any, set[int]] = {}
    for at, label in enumerate(labels):
        of_label.setdefault(label, set()).add(at)
    right = [of_label[label] - {at} for at, label in enumerate(labels)]
    return _searched(kind, texts, texts, right, range(len(texts)), hidden=True)


def _of_pairs(kind: str, asked: Asked) -> Found:
    """Each distinct query searches the distinct positives and negatives of all rows; its own positives are right."""
    truth = asked.truth
    found = [text for name in ("positive", "negative") for text in truth.get(name, ()) if text]
    place = {text: at for at, text in enumerate(dict.fromkeys(found))}
    first: dict[str, int] = {}
    right: dict[str, set[int]] = {}
    for at, (query, positive) in enumerate(zip(truth["query"], truth["positive"], strict=True)):
        first.setdefault(query, at)
        right.setdefault(query, set()).add(place[positive])
    return _searched(kind, list(right), list(place), list(right.values()), list(first.values()), hidden=False)


def _searched(
    kind: str,
    queries: Sequence[str],
    corpus: Sequence[str],
    right: Sequence[set[int]],
    rows_of: Sequence[int],
    *,
    hidden: bool,
) -> Found:
    """The best `NUM_RANKS` of each query that has something right. With `hidden` none finds itself."""
    weighed_qf, weighed_cf = _weighed(kind, queries, corpus)
    kept = [at for at, some in enumerate(right) if some]
    num_ranks = max(1, min(NUM_RANKS, len(corpus) - hidden))
    hits_qk = np.zeros((len(kept), num_ranks), np.bool_)
    step = max(1, CHUNK_NUMBERS // max(1, len(corpus)))
    for start in range(0, len(kept), step):
        rows = kept[start : start + step]
        scores_qc = (weighed_qf[rows] @ weighed_cf.T).toarray()
        if hidden:
            scores_qc[np.arange(len(rows)), rows] = -np.inf
        for at, (row, best) in enumerate(zip(rows, top(scores_qc, num_ranks), strict=True)):
            hits_qk[start + at, : len(best)] = [int(document) in right[row] for document in best]
    return Found(
        hits_qk=hits_qk,
        num_right_q=np.array([len(right[at]) for at in kept], np.int64),
        rows_q=np.array([rows_of[at] for at in kept], np.int64),
    )


def _pairs_scored(kind: str, asked: Asked) -> list[JSON]:
    scores = _scores(kind, asked.truth["text"], asked.truth["text_pair"])
    return [
        {"score": score, "is_positive": one["is_positive"]} for score, one in zip(scores, asked.answers, strict=True)
    ]


def _results_scored(kind: str, asked: Asked) -> list[JSON]:
    lists = [[str(one["text"]) for one in answer["results"]] for answer in asked.answers]
    pairs = [(query, text) for query, texts in zip(asked.truth["query"], lists, strict=True) for text in texts]
    scores = _scores(kind, [query for query, _ in pairs], [text for _, text in pairs])
    ends = np.cumsum([len(texts) for texts in lists]).tolist()
    return [
        {"results": [{"text": text, "score": score} for text, score in zip(texts, scores[end - len(texts) : end], strict=True)]}
        for texts, end in zip(lists, ends, strict=True)
    ]  # fmt: skip


def _scores(kind: str, queries: Sequence[str], documents: Sequence[str]) -> list[float]:
    """A pair each."""
    if not queries:
        return []
    asked = {text: at for at, text in enumerate(dict.fromkeys(queries))}
    corpus = {text: at for at, text in enumerate(dict.fromkeys(documents))}
    weighed_qf, weighed_cf = _weighed(kind, list(asked), list(corpus))
    rows, columns = [asked[text] for text in queries], [corpus[text] for text in documents]
    products = weighed_qf[rows].multiply(weighed_cf[columns])
    return [float(one) for one in np.asarray(products.sum(axis=1)).ravel()]


def _weighed(kind: str, queries: Sequence[str], corpus: Sequence[str]) -> tuple[Any, Any]:
    """Queries (q, f) and documents (c, f), whose products are the scores."""
    from scipy.sparse import csr_matrix, diags
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    chinese = is_chinese([*queries[:NUM_LOOKED_AT], *corpus[:NUM_LOOKED_AT]])
    how = {"analyzer": "char", "ngram_range": (1, 2)} if chinese else {"token_pattern": r"(?u)\b\w+\b"}
    vectorizer = (TfidfVectorizer if kind == "tfidf" else CountVectorizer)(**how, dtype=np.float32)
    try:
        counts_cf = csr_matrix(vectorizer.fit_transform(corpus))
    except ValueError:  # scikit-learn's word for "no word is left"
        return csr_matrix((len(queries), 1)), csr_matrix((len(corpus), 1))
    counts_qf = csr_matrix(vectorizer.transform(queries))
    if kind == "tfidf":
        return counts_qf, counts_cf
    num_with_f = np.bincount(counts_cf.indices, minlength=counts_cf.shape[1])
    idf_f = np.log(1 + (len(corpus) - num_with_f + 0.5) / (num_with_f + 0.5))
    lengths_c = np.asarray(counts_cf.sum(axis=1)).ravel()
    rooms_c = K1 * (1 - B + B * lengths_c / max(float(lengths_c.mean()), 1e-12))
    owner_n = np.repeat(np.arange(len(corpus)), np.diff(counts_cf.indptr))
    counts_cf.data = counts_cf.data * (K1 + 1) / (counts_cf.data + rooms_c[owner_n])
    return counts_qf, csr_matrix(counts_cf @ diags(idf_f))
