"""Metrics of chats: how surprised the model is by the right answers, and how often it says them.

It knows sums of cross entropy and texts, never a model.

Shape legend: R resamples, N rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelmint.core.errors import DataError
from modelmint.evaluation.significance import Figure, Floats
from modelmint.evaluation.sums import of_sums

NAMES = ("answer_loss", "perplexity", "exact_match", "finished")


def measure(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of rows with a column ``messages`` and answers ``{"content", "finish", "loss", "tokens"}``.

    Returns:
        ``answer_loss``, the mean cross entropy of a token of the answers (natural logarithm); ``perplexity``, its
        exponential; ``exact_match``, the share of chats whose last answer the model gave word for word; ``finished``,
        the share of its answers that it ended itself. Intervals are over chats, whose tokens belong together. Chats
        without an answer are left out.

    Raises:
        DataError: no chat has an answer.
    """
    kept = [at for at, one in enumerate(answers) if one["tokens"]]
    rows = [
        [one["loss"], one["tokens"], _is_said(truth["messages"][at], one["content"]), one["finish"] == "stop", 1]
        for at, one in ((at, answers[at]) for at in kept)
    ]
    if not rows:
        raise DataError(
            f"test: must hold chats in which the assistant says something; of {len(answers)} none does",
            parameter="test",
            remedy="Give chats that end with an answer.",
        )
    return of_sums(NAMES, np.asarray(rows, dtype=np.float64), _combined, seed=seed, rows=kept)


def _combined(sums: Floats) -> Floats:
    loss = sums[:, 0] / sums[:, 1]
    return np.stack([loss, np.exp(loss), sums[:, 2] / sums[:, 4], sums[:, 3] / sums[:, 4]], axis=1)


def _is_said(messages: Sequence[Mapping[str, Any]], content: str) -> bool:
    last = messages[-1] if messages else {}
    return last.get("role") == "assistant" and " ".join(str(last.get("content") or "").split()) == " ".join(
        content.split()
    )
