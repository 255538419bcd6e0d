"""What texts are about: k-means over TF-IDF made narrow by an SVD; each cluster is named by its most telling words."""

import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

MAX_CLUSTERS = 8
ROWS_EACH = 60
"""About how many rows a cluster has at least, on average."""
WIDTH = 50
MAX_CHARS = 2_000
NUM_WORDS = 3
_HAN = re.compile(r"[\u3400-\u9fff\u3040-\u30ff\uac00-\ud7af]")


def clusters(texts: Sequence[str], *, seed: int) -> list[str | None]:
    """(N,) the name of each text's cluster; None for all where there are too few texts, or they share no word.

    Chinese, Japanese and Korean, which have no spaces, are read by pairs of characters.

    Source: Deerwester et al., Indexing by Latent Semantic Analysis (1990), for the narrowing.
    """
    number = min(MAX_CLUSTERS, len(texts) // ROWS_EACH)
    table, words = _table([text[:MAX_CHARS].lower() for text in texts])
    if number < 2 or table is None or min(table.shape) <= number:
        return [None] * len(texts)
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.preprocessing import normalize

    narrow = TruncatedSVD(n_components=min(WIDTH, min(table.shape) - 1), random_state=seed).fit_transform(table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different texts than clusters: some stay empty
        code = KMeans(n_clusters=number, n_init=3, random_state=seed).fit_predict(normalize(narrow))
    mean = np.asarray(table.mean(axis=0)).ravel()
    names = {
        at: _name(np.asarray(table[code == at].mean(axis=0)).ravel() - mean, words) for at in sorted(set(code.tolist()))
    }
    return [_alone(names, int(at)) for at in code]


def _table(texts: Sequence[str]) -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    wide = sum(bool(_HAN.search(text)) for text in texts) * 2 > len(texts)
    ways: dict[str, Any] = {"analyzer": "char", "ngram_range": (2, 2)} if wide else {"stop_words": "english"}
    reader = TfidfVectorizer(min_df=2, max_df=0.5, sublinear_tf=True, max_features=20_000, dtype=np.float32, **ways)
    try:
        table = reader.fit_transform([re.sub(r"\s+", "", text) if wide else text for text in texts])
    except ValueError:  # scikit-learn's word for "no word is left"
        return None, None
    return table, reader.get_feature_names_out()


def _name(lead: Any, words: Any) -> str:
    return ", ".join(str(words[at]) for at in np.argsort(-lead, kind="stable")[:NUM_WORDS])


def _alone(names: dict[int, str], at: int) -> str:
    """The name, with a number where another cluster has the same words."""
    same = [place for place, name in sorted(names.items()) if name == names[at]]
    return names[at] if len(same) == 1 else f"{names[at]} ({same.index(at) + 1})"
