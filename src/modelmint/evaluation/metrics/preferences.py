"""Metrics of preferences: does a model find the answer likelier that people chose, and by how much?

It knows log-probabilities, never a model.

Shape legend: R resamples, N pairs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelmint.core.errors import DataError
from modelmint.evaluation.significance import Figure, Floats
from modelmint.evaluation.sums import of_sums

NAMES = ("accuracy", "margin")
REWARD_NAMES = ("reward_accuracy", "reward_margin")


def measure(
    _truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of answers ``{"chosen": {"log_probability", "tokens"}, "rejected": ...}``, None for a pair that cannot be read.

    Returns:
        ``accuracy``, the share of pairs whose chosen answer is the likelier by token, and ``margin``, by how much (a
        token, natural logarithm); equal ones count as half. Where each side has a ``reference`` log-probability, before
        them ``reward_accuracy`` and ``reward_margin``: the same of what the model moved against its reference, a whole
        answer (Rafailov et al. 2023, without beta).

    Raises:
        DataError: no pair can be read.
    """
    kept = [at for at, one in enumerate(answers) if one["chosen"] and one["rejected"]]
    pairs = [answers[at] for at in kept]
    if not pairs:
        raise DataError(
            f"test: must hold pairs with two answers; of {len(answers)} none has",
            parameter="test",
            remedy="Look at the rows with `modelmint data preflight`.",
        )
    by_token = _won([_side(one["chosen"]) - _side(one["rejected"]) for one in pairs])
    if any(one[side].get("reference") is None for one in pairs for side in ("chosen", "rejected")):
        return of_sums(NAMES, by_token, _means, seed=seed, rows=kept)
    moved = _won([_moved(one["chosen"]) - _moved(one["rejected"]) for one in pairs])
    rewards = of_sums(REWARD_NAMES, moved, _means, seed=seed, rows=kept)
    return rewards | of_sums(NAMES, by_token, _means, seed=seed, rows=kept)


def _won(margins: Sequence[float]) -> Floats:
    """(N, 3) whether a pair is won, its margin, and 1."""
    margin = np.asarray(margins, dtype=np.float64)
    return np.stack([(np.sign(margin) + 1) / 2, margin, np.ones(len(margin))], axis=1)


def _means(sums: Floats) -> Floats:
    return sums[:, :2] / sums[:, 2:]


def _side(side: Mapping[str, Any]) -> float:
    return float(side["log_probability"]) / int(side["tokens"])


def _moved(side: Mapping[str, Any]) -> float:
    return float(side["log_probability"]) - float(side["reference"])
