"""The answer that is cut from a context: of all its windows the best span, by how much likelier it is than "not here".

It stands here because training and serving must choose alike.

Shapes: t tokens of a window, c tokens of the context in it.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from modelmint.core.types import JSON
from modelmint.core.windows import Passage

Floats: TypeAlias = npt.NDArray[Any]
NO_SPAN = (-1.0, -1.0, 0.0, 0.0)


def best_span(logits: Sequence[Floats], passages: Sequence[Passage], *, max_answer_tokens: int) -> Floats:
    """(4,) the first letter of the best span and that behind it, its log probability, and that of "not here".

    `NO_SPAN` where the context has no token.

    Args:
        logits: (t, 2) of each window of one context, without what it was padded by.
    """
    found: tuple[float, ...] = NO_SPAN
    most = -math.inf
    for logits_t2, passage in zip(logits, passages, strict=True):
        if not passage.offsets:
            continue
        sure_t2 = logits_t2 - np.log(np.exp(logits_t2).sum(axis=0))
        inside_c2 = sure_t2[passage.place : passage.place + len(passage.offsets)]
        spans_cc = inside_c2[:, :1] + inside_c2[:, 1] + _band(len(inside_c2), max_answer_tokens)
        first, last = divmod(int(spans_cc.argmax()), len(inside_c2))
        here, nowhere = float(spans_cc[first, last]), float(sure_t2[0].sum())
        if here - nowhere > most:
            most = here - nowhere
            found = (passage.offsets[first][0], passage.offsets[last][1], here, nowhere)
    return np.asarray(found, np.float64)


def said(span_4: Floats, context: str, *, can_be_none: bool) -> JSON:
    """``{"answer", "answer_start", "score"}``: `answer_start` counts letters of the context.

    It is null and `answer` empty where the context has no answer, which only a model says that `can_be_none`.
    """
    start, end, here, nowhere = span_4.tolist()
    if start < 0 or (can_be_none and here < nowhere):
        return {"answer": "", "answer_start": None, "score": round(math.exp(nowhere), 6)}
    return {
        "answer": context[int(start) : int(end)],
        "answer_start": int(start),
        "score": round(math.exp(here), 6),
    }


@lru_cache(maxsize=512)
def _band(size: int, max_answer_tokens: int) -> Floats:
    """(c, c) 0 where a span may begin and end, -inf elsewhere."""
    ones = np.ones((size, size), bool)
    allowed = np.triu(ones) & np.tril(ones, max_answer_tokens - 1)
    return np.where(allowed, np.float32(0), np.float32(-np.inf))
