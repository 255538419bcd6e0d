"""Metrics of recommendation: is what a user took next among the first ten of all items that the user had not yet?

The whole catalogue is ranked, never a sample of it: sampled metrics can order models otherwise (Krichene and Rendle,
KDD 2020). Shapes: q rows that are asked, k ranks that are looked at.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelmint.evaluation.metrics.retrieval import METRICS as RETRIEVAL
from modelmint.evaluation.metrics.retrieval import NUM_RANKS, Found, means, per_query
from modelmint.evaluation.significance import Figure
from modelmint.evaluation.sums import of_sums

METRICS = ("ndcg_at_10", "hit_rate_at_10", "mrr_at_10")
_COLUMNS = [RETRIEVAL.index(name) for name in ("ndcg_at_10", "recall_at_10", "mrr_at_10")]


def measure(
    truth: Mapping[str, Sequence[Any]], answers: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Figure]:
    """Of rows with a column ``item``, what was taken, and answers ``{"items": [{"item", "score"}]}``, best first.

    An item that the model does not know counts as not found.
    """
    ranks = [
        next((at for at, one in enumerate(answer["items"][:NUM_RANKS]) if one["item"] == item), -1)
        for item, answer in zip(truth["item"], answers, strict=True)
    ]
    return of_ranks(np.array(ranks, np.int64), seed=seed)


def of_ranks(ranks_q: npt.NDArray[np.int64], *, seed: int) -> dict[str, Figure]:
    """Figures from the rank of the right item, 0 the best; -1 where it is not among the first."""
    hits_qk = (ranks_q[:, None] == np.arange(NUM_RANKS)) & (ranks_q >= 0)[:, None]
    numbers = per_query(Found(hits_qk=hits_qk, num_right_q=np.ones(len(ranks_q), np.int64)))[:, _COLUMNS]
    if not len(numbers):
        return {name: Figure(value=0.0, low=0.0, high=0.0, n=0) for name in METRICS}
    return of_sums(METRICS, np.column_stack([numbers, np.ones(len(numbers))]), means, seed=seed)
