"""How differently a model serves groups of people: gaps between the groups of a protected column.

Two gaps: of the main figure, and, where a row gets one label, of how often a group is given it (demographic parity). A
gap says that groups differ, not why: where they differ in truth, a right model gives them labels at other rates too.
"""

import math
from collections.abc import Sequence

import numpy as np

from modelmint.core.types import JSON
from modelmint.evaluation.answers import Answered
from modelmint.evaluation.significance import CONFIDENCE
from modelmint.evaluation.slicing.groups import Group, groups_of
from modelmint.evaluation.slicing.slices import Scorer, scorer_of

MAX_LABELS = 50


def fairness(found: Answered, protected: Sequence[str], *, min_rows: int) -> dict[str, JSON]:
    """Of each protected column its groups and gaps; groups of fewer than `min_rows` rows are named and left out.

    Returns:
        By column ``groups``, ``too_few``, ``figure_gap`` and ``rate_gap`` (``value`` with its interval, ``n``,
        ``lowest``, ``highest``, and of rates the ``label``), None where fewer than two groups have enough rows; and
        ``fairness_gap``, the larger of them, but for a figure that is no share the first alone.

    Raises:
        DataError: a column is not there.
    """
    scorer = scorer_of(found)
    return {} if scorer is None else {name: _of_column(found, scorer, name, min_rows) for name in protected}


def _of_column(found: Answered, scorer: Scorer, name: str, min_rows: int) -> JSON:
    groups = groups_of(name, found.truth, found.form, seed=found.seed, parameter="protected")
    enough = [group for group in groups if scorer.num_rows(group.rows) >= min_rows]
    rate_gap = _rate_gap(found, enough)
    figure_gap = _figure_gap(found, scorer, enough)
    gaps = [one for one in (figure_gap, rate_gap) if one]
    return {
        "figure": scorer.name,
        "groups": [
            {"group": group.name, "n": group.size, "figure": scorer.figure(group.rows, found.seed)} for group in enough
        ],
        "too_few": [{"group": group.name, "n": group.size} for group in groups if group not in enough],
        "figure_gap": figure_gap,
        "rate_gap": rate_gap,
        "fairness_gap": max(gaps, key=lambda one: one["value"]) if gaps else None,
    }


def _figure_gap(found: Answered, scorer: Scorer, groups: Sequence[Group]) -> JSON | None:
    figures = [(group, figure) for group in groups if (figure := scorer.figure(group.rows, found.seed)) is not None]
    if len(figures) < 2:
        return None
    low, high = (edge(figures, key=lambda one: one[1]["value"]) for edge in (min, max))
    spread = math.hypot(*((one["high"] - one["low"]) / 2 for _, one in (low, high)))
    return _gap(high[1]["value"] - low[1]["value"], spread, low[0], high[0]) | {"of": scorer.name}


def _rate_gap(found: Answered, groups: Sequence[Group]) -> JSON | None:
    if found.labels is None or len(groups) < 2:
        return None
    told = np.array(found.labels[1], dtype=object)
    names, counts = np.unique(told.astype(str), return_counts=True)
    best: JSON | None = None
    for label in names[np.argsort(-counts, kind="stable")][:MAX_LABELS]:
        rates = [(group, float((told[group.rows] == label).mean())) for group in groups]
        low, high = (edge(rates, key=lambda one: one[1]) for edge in (min, max))
        if best is None or high[1] - low[1] > best["value"]:
            spread = _z() * math.sqrt(sum(rate * (1 - rate) / group.size for group, rate in (low, high)))
            best = _gap(high[1] - low[1], spread, low[0], high[0]) | {
                "of": f"rate of {label}", "label": str(label), "rates": {group.name: round(rate, 6) for group, rate in rates},
            }  # fmt: skip
    return best


def _gap(value: float, spread: float, lowest: Group, highest: Group) -> JSON:
    return {
        "value": round(value, 6),
        "low": round(max(0.0, value - spread), 6),
        "high": round(value + spread, 6),
        "n": lowest.size + highest.size,
        "lowest": lowest.name,
        "highest": highest.name,
    }


def _z() -> float:
    from scipy.stats import norm

    return float(norm.ppf((1 + CONFIDENCE) / 2))
