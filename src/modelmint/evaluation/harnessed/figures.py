"""What the rows of a task are worth, by the task's own metrics: a value, its standard error, its interval, its count.

Metrics that add up over rows (means, perplexities) go by their sums, as all figures here; the others, like BLEU or F1, are
computed again on resampled rows.

Shape legend: N rows, K numbers a row, R resamples.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from modelmint.evaluation.significance import CONFIDENCE, Floats
from modelmint.evaluation.sums import Sums

NUM_RESAMPLES = 200
NO_FILTER = "none"

Samples = Sequence[Mapping[str, Any]]
"""What lm-eval keeps of each row and filter: the metrics by name, beside ``doc_id``, ``filter``, ``metrics`` and more."""


def figures_of(task: Any, samples: Samples, *, seed: int) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Figures by ``metric``, or ``metric:filter`` where a filter has a name, and of those that are none: why.

    A figure is ``{"value", "stderr", "low", "high", "n", "higher_is_better"}``; `stderr` is None for a single row.
    """
    found: dict[str, dict[str, Any]] = {}
    missing: dict[str, str] = {}
    higher = task.higher_is_better()
    for name, (metric, items) in _collected(samples).items():
        value = _value(_aggregation(task, metric), items)
        if value is None:
            missing[name] = f"{metric} gives no number on these rows"
            continue
        stderr, low, high = _sureness(_aggregation(task, metric), items, name, value, seed=seed)
        found[name] = {
            "value": round(value, 6),
            "stderr": None if stderr is None else round(stderr, 6),
            "low": round(low, 6),
            "high": round(high, 6),
            "n": len(items),
            "higher_is_better": higher.get(metric),
        }
    return found, missing


def _collected(samples: Samples) -> dict[str, tuple[str, list[Any]]]:
    found: dict[str, tuple[str, list[Any]]] = {}
    for sample in samples:
        behind = "" if sample["filter"] == NO_FILTER else f":{sample['filter']}"
        for metric in sample["metrics"]:
            found.setdefault(f"{metric}{behind}", (metric, []))[1].append(sample[metric])
    return found


def _aggregation(task: Any, metric: str) -> Callable[[Sequence[Any]], Any]:
    from lm_eval.api.metrics import mean

    found: Callable[[Sequence[Any]], Any] = task.aggregation().get(metric) or mean
    return found


def _value(aggregation: Callable[[Sequence[Any]], Any], items: Sequence[Any]) -> float | None:
    try:
        value = float(aggregation(items))
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return None
    return value if math.isfinite(value) else None


def _sureness(
    aggregation: Callable[[Sequence[Any]], Any], items: Sequence[Any], name: str, value: float, *, seed: int
) -> tuple[float | None, float, float]:
    """The standard error, and the ends of the interval."""
    if (sums := _sums(aggregation, items, name)) is not None:
        figure = sums.figure(name, seed=seed)
        stderr = math.sqrt(float((sums.influence(name) ** 2).sum())) if len(items) > 1 else None
        return stderr, figure["low"], figure["high"]
    random = np.random.default_rng(seed)
    drawn = [
        _value(aggregation, [items[at] for at in random.integers(0, len(items), len(items))])
        for _ in range(NUM_RESAMPLES if len(items) > 1 else 0)
    ]
    known = [one for one in drawn if one is not None]
    if not known:
        return None, value, value
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(np.std(known, ddof=1)) if len(known) > 1 else None, min(float(low), value), max(float(high), value)


def _sums(aggregation: Callable[[Sequence[Any]], Any], items: Sequence[Any], name: str) -> Sums | None:
    """The numbers that a figure adds up from; None for one that does not, or is not of numbers."""
    from lm_eval.api import metrics

    combine = {
        metrics.mean: _mean,
        metrics.perplexity: _perplexity,
        metrics.weighted_perplexity: _perplexity,
        metrics.bits_per_byte: _bits,
    }.get(aggregation)
    if combine is None:
        return None
    try:
        rows = [[*one, 1.0][:2] if isinstance(one, tuple) else [one, 1.0] for one in items]
        numbers_nk = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return Sums(names=(name,), numbers_nk=numbers_nk, combine=combine, rows=np.arange(len(items)))


def _mean(sums: Floats) -> Floats:
    return sums[:, :1] / sums[:, 1:2]


def _perplexity(sums: Floats) -> Floats:
    return np.asarray(np.exp(-_mean(sums)), np.float64)


def _bits(sums: Floats) -> Floats:
    return -_mean(sums) / math.log(2)
