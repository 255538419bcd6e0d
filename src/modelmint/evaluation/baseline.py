"""The cheap baseline: TF-IDF of words and characters with logistic regression. A model must earn its keep beside it.

It is bounded: work beyond `MAX_WORK` is done on a seeded sample of the training rows, and the result says on how many.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

NAMES = {"tfidf": "tfidf+logistic regression", "majority": "majority label"}

MAX_ROWS = 30_000
MAX_CHARS = 2_500_000  # read for character n-grams over all rows; each text is cut alike
MAX_WORD_CHARS = 4_000  # of one text, read for word n-grams
MAX_FEATURES = 50_000
MAX_WORK = 200_000_000  # stored values times classes: what one step of the solver touches; Banking77 is at 130 million
RARE_ROWS = 1_000  # from this many rows on, an n-gram must occur twice


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """The predictions of the cheap way, and the number of rows it learned from."""

    name: str
    predicted: list[str]
    num_rows: int


def baseline(
    kind: Literal["tfidf", "majority"], texts: Sequence[str], labels: Sequence[str], asked: Sequence[str], *, seed: int
) -> Baseline:
    """Learn from `texts` and `labels`, predict `asked`. The same seed gives the same predictions.

    With one label only, or texts without a single word or character n-gram, it is the majority label.
    """
    if kind == "majority" or len(set(labels)) == 1:
        return _majority(labels, len(asked))
    random = np.random.default_rng(seed)
    kept = _sample(random, len(texts), MAX_ROWS)
    features, asked_features = _features([texts[at] for at in kept], asked)
    if features is None:
        return _majority(labels, len(asked))
    truth = np.asarray([labels[at] for at in kept], dtype=object)
    work = features.nnz * len(set(labels))
    if work > MAX_WORK:
        kept = _sample(random, len(truth), max(1, len(truth) * MAX_WORK // work))
        features, truth = features[kept], truth[kept]
    if len(set(truth)) == 1:
        return _majority(labels, len(asked))
    predicted = _fit_and_predict(features, truth, asked_features, seed)
    return Baseline(name=NAMES["tfidf"], predicted=predicted, num_rows=len(truth))


def _fit_and_predict(features: Any, truth: Any, asked_features: Any, seed: int) -> list[str]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0, tol=1e-3, max_iter=25, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early on purpose
        model.fit(features, truth)
    return [str(label) for label in model.predict(asked_features)]


def _features(texts: Sequence[str], asked: Sequence[str]) -> tuple[Any, Any]:
    """TF-IDF of words (1-2) and of characters (2-5, the words of Chinese and Japanese), (rows, features) in float32."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    least = 2 if len(texts) >= RARE_ROWS else 1
    cut = max(64, MAX_CHARS // len(texts))
    common: dict[str, Any] = {"sublinear_tf": True, "min_df": least, "max_features": MAX_FEATURES, "dtype": np.float32}
    words = {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"}
    ways = [
        (TfidfVectorizer(**words, **common), MAX_WORD_CHARS),
        (TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **common), cut),
    ]
    blocks = []
    for vectorizer, length in ways:
        try:
            learned = vectorizer.fit_transform([text[:length] for text in texts])
        except ValueError:  # scikit-learn's word for "no n-gram is left"
            continue
        blocks.append((learned, vectorizer.transform([text[:length] for text in asked])))
    if not blocks:
        return None, None
    return hstack([one for one, _ in blocks], format="csr"), hstack([other for _, other in blocks], format="csr")


def _majority(labels: Sequence[str], num_asked: int) -> Baseline:
    label = min(Counter(labels).items(), key=lambda item: (-item[1], item[0]))[0]
    return Baseline(name=NAMES["majority"], predicted=[label] * num_asked, num_rows=len(labels))


def _sample(random: np.random.Generator, num_rows: int, limit: int) -> Any:
    if num_rows <= limit:
        return np.arange(num_rows)
    return np.sort(random.choice(num_rows, limit, replace=False))
