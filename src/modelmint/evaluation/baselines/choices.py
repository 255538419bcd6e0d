"""Which cheap ways a task has, and what they are called."""

from typing import Literal, TypeAlias

from modelmint.core.errors import InputError

Choice: TypeAlias = Literal[
    "auto", "none", "majority", "mean", "tfidf", "embeddings", "word", "sentence", "copy", "first-words", "nearest",
    "ngram", "unigram", "bm25", "popularity", "item-knn", "als", "pixels", "mel-means", "linear", "longest",
]  # fmt: skip

CHOICES: dict[str, tuple[str, ...]] = {
    "text-classification": ("tfidf", "embeddings", "majority"),
    "text-pair-classification": ("tfidf", "embeddings", "majority"),
    "multi-label-classification": ("tfidf", "majority"),
    "text-regression": ("tfidf", "embeddings", "mean"),
    "token-classification": ("word", "majority"),
    "question-answering": ("sentence",),
    "text2text-generation": ("auto", "copy", "first-words", "nearest"),
    "text-generation": ("ngram", "unigram"),
    "masked-language-model": ("unigram",),
    "text-embedding": ("tfidf", "bm25"),
    "text-reranking": ("bm25", "tfidf"),
    "recommendation": ("item-knn", "popularity", "als"),
    "image-classification": ("pixels", "nearest", "majority"),
    "audio-classification": ("mel-means", "nearest", "majority"),
    "tabular-classification": ("linear", "majority"),
    "tabular-regression": ("linear", "mean"),
    "preference": ("longest",),
    "chat": (),
}
"""The ways of each task; `auto` takes the first."""

WHY_NONE = {
    "chat": "nothing that answers a chat is both cheap and honest: compare with the untuned base, or with a smaller one",
}
"""Why a task has none."""

NAMES = {
    "tfidf": "tfidf+logistic regression",
    "embeddings": "untuned base+logistic regression",
    "majority": "majority label",
    "mean": "mean of the training rows",
    "word": "most frequent tag of each word",
    "sentence": "sentence that shares most words",
    "copy": "the source, copied",
    "first-words": "first words of the source",
    "nearest": "target of the nearest training source",
    "ngram": "n-grams of bytes, interpolated",
    "unigram": "how often each token is",
    "bm25": "BM25",
    "popularity": "what is popular",
    "item-knn": "item-kNN",
    "als": "ALS",
    "pixels": "logistic regression on 16 x 16 pixels",
    "mel-means": "logistic regression on mean spectra",
    "linear": "logistic regression on the columns",
    "longest": "the longer answer",
}
"""What a way is called in a report, where its task gives it no other name."""


def chosen(task: str, given: str) -> str | None:
    """The way to take; None for none.

    Raises:
        InputError: the task has no way of that name.
    """
    ways = CHOICES.get(task, ())
    if given == "none" or (given == "auto" and not ways):
        return None
    if given == "auto":
        return ways[0]
    if given not in ways:
        allowed = ", ".join(dict.fromkeys(("auto", *ways, "none"))) if ways else "auto or none"
        raise InputError(
            f"baseline: must be {allowed} for {task}; got {given!r}",
            parameter="baseline",
            remedy="Leave it out: the task's own is taken.",
        )
    return given
