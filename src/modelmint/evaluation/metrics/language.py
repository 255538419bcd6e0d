"""Metrics of language models: how surprised a model is by texts.

It knows sums of cross entropy (natural logarithm), never a model.

Shape legend: R resamples.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelmint.core.errors import DataError
from modelmint.evaluation.significance import Figure, Floats
from modelmint.evaluation.sums import of_sums

CAUSAL = ("perplexity", "bits_per_byte", "bits_per_character", "loss")
MASKED = ("perplexity", "accuracy", "loss")


def measure(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of rows with a column ``text`` and answers ``{"loss", "tokens"}``: the summed cross entropy, and over how many.

    Returns:
        ``perplexity``, by which only models of one tokenizer can be compared; ``bits_per_byte`` (UTF-8) and
        ``bits_per_character``, by which all can; ``loss``, the mean of a token. Intervals are over texts, whose tokens
        belong together; one text alone has none (its bounds are its value).

    Raises:
        DataError: no text has a token.
    """
    kept, texts = _told(answers), truth["text"]
    rows = [[answers[at]["loss"], answers[at]["tokens"], len(texts[at].encode()), len(texts[at])] for at in kept]
    return of_sums(CAUSAL, _numbers(rows), _causal, seed=seed, rows=kept)


def measure_masked(
    _truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of answers ``{"loss", "tokens", "right"}``, of the tokens that were masked: perplexity, the share that is right.

    Raises:
        DataError: no text has a token that was masked.
    """
    kept = _told(answers)
    rows = [[answers[at][name] for name in ("loss", "tokens", "right")] for at in kept]
    return of_sums(MASKED, _numbers(rows), _masked, seed=seed, rows=kept)


def _told(answers: Sequence[Mapping[str, Any]]) -> list[int]:
    """The rows that have something to predict."""
    return [at for at, one in enumerate(answers) if one["tokens"]]


def _causal(sums: Floats) -> Floats:
    loss, bits = sums[:, 0] / sums[:, 1], sums[:, 0] / math.log(2)
    return np.stack([np.exp(loss), bits / sums[:, 2], bits / sums[:, 3], loss], axis=1)


def _masked(sums: Floats) -> Floats:
    loss = sums[:, 0] / sums[:, 1]
    return np.stack([np.exp(loss), sums[:, 2] / sums[:, 1], loss], axis=1)


def _numbers(rows: Sequence[Sequence[float]]) -> Floats:
    if not rows:
        raise DataError(
            "test: must hold texts with something to predict; all of its rows are empty or a single token",
            parameter="test",
            remedy="Look whether the right column was read as the text.",
        )
    return np.asarray(rows, dtype=np.float64)
