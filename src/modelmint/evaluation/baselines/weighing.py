"""Texts as TF-IDF of words (1-2) and of characters (2-5, the words of Chinese and Japanese).

Shapes: n texts, f features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

MAX_CHARS = 2_500_000  # read for character n-grams over all rows; each text is cut alike
MAX_WORD_CHARS = 4_000  # of one text, read for word n-grams
MAX_FEATURES = 50_000
RARE_ROWS = 1_000  # from this many rows on, an n-gram must occur twice


@dataclass(frozen=True, slots=True)
class Weigh:
    """Vectorizers that were fitted, each with how many characters of a text it reads."""

    ways: Sequence[tuple[Any, int]]

    @classmethod
    def fit(cls, texts: Sequence[str]) -> tuple[Self, Any] | None:
        """Fitted on `texts`, and these (n, f) in float32; None where not a single n-gram is left."""
        from scipy.sparse import hstack
        from sklearn.feature_extraction.text import TfidfVectorizer

        least = 2 if len(texts) >= RARE_ROWS else 1
        cut = max(64, MAX_CHARS // max(1, len(texts)))
        common: dict[str, Any] = {
            "sublinear_tf": True,
            "min_df": least,
            "max_features": MAX_FEATURES,
            "dtype": np.float32,
        }
        words = {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"}
        both = [
            (TfidfVectorizer(**words, **common), MAX_WORD_CHARS),
            (TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **common), cut),
        ]
        ways, blocks = [], []
        for vectorizer, length in both:
            try:
                blocks.append(vectorizer.fit_transform([text[:length] for text in texts]))
            except ValueError:  # scikit-learn's word for "no n-gram is left"
                continue
            ways.append((vectorizer, length))
        return (cls(ways), hstack(blocks, format="csr")) if ways else None

    def of(self, texts: Sequence[str]) -> Any:
        """(n, f) sparse."""
        from scipy.sparse import hstack

        return hstack(
            [vectorizer.transform([text[:length] for text in texts]) for vectorizer, length in self.ways], format="csr"
        )
