"""The cheap way to answer a question from a text: the sentence that shares most of its telling words."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelmint.core.types import JSON

_ENDS = re.compile(r"(?<=[.!?])\s+(?=[\"'(\[A-Z0-9])|(?<=[。！？；])|\n+")
_HAN = re.compile(r"[\u3400-\u9fff]")


def same_sentence(rows: Mapping[str, Sequence[Any]]) -> list[JSON]:
    """``{"answer", "answer_start", "score"}`` a row: the whole sentence of ``context`` that is nearest to ``question``.

    Nearest by the cosine of TF-IDF over words, or over single characters and pairs of them where the texts are Chinese;
    a word's weight is that among all the sentences given. Nothing is learned from answers.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    questions, contexts = [str(one or "") for one in rows["question"]], [str(one or "") for one in rows["context"]]
    split = {context: sentences(context) for context in dict.fromkeys(contexts)}
    every = [context[start:end] for context, spans in split.items() for start, end in spans]
    if not every:
        return [{"answer": "", "answer_start": None, "score": 0.0} for _ in contexts]
    han = sum(bool(_HAN.search(one)) for one in questions) * 2 > len(questions)
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 2)) if han else TfidfVectorizer()
    table = vectors.fit_transform(every)
    asked = vectors.transform(questions)
    ends = itertools.accumulate(len(spans) for spans in split.values())
    first = dict(zip(split, [0, *ends], strict=False))
    return [_nearest(context, split[context], table, first[context], asked[at]) for at, context in enumerate(contexts)]


def sentences(text: str) -> list[tuple[int, int]]:
    """Where each sentence stands, without the blanks around it."""
    bounds = [0, *(found.end() for found in _ENDS.finditer(text)), len(text)]
    spans = []
    for start, end in itertools.pairwise(bounds):
        piece = text[start:end]
        if piece.strip():
            spans.append((start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())))
    return spans


def _nearest(context: str, spans: Sequence[tuple[int, int]], table: Any, first: int, asked: Any) -> JSON:
    if not spans:
        return {"answer": "", "answer_start": None, "score": 0.0}
    likeness = (table[first : first + len(spans)] @ asked.T).toarray().ravel()
    at = int(np.argmax(likeness))
    start, end = spans[at]
    return {"answer": context[start:end], "answer_start": start, "score": round(float(likeness[at]), 6)}
