"""Preflight's estimate of a training beside what it took. Both are measured figures of reports, which stay with the run."""

from typing import Any

from modelmint.core.money import money
from modelmint.core.types import JSON

FIGURES = ("seconds", "memory_bytes", "cost")


def compared(estimate: JSON | None, actual: JSON | None) -> JSON:
    """For each of `FIGURES` that both know: ``estimate``, ``actual`` and ``error``, by which share the estimate was above.

    An error of -0.1 says that it took a tenth more than was said.
    """
    if not estimate or not actual:
        return {}
    both = {name: (estimate.get(name), actual.get(name)) for name in FIGURES}
    return {
        name: {"estimate": expected, "actual": took, "error": error}
        for name, (expected, took) in both.items()
        if expected is not None and took is not None and (error := _error(expected, took)) is not None
    }


def _error(expected: Any, took: Any) -> float | None:
    """None where the two cannot be compared: other currencies, or nothing was taken."""
    if isinstance(expected, str):
        first, second = money(expected), money(str(took))
        if first.currency != second.currency:
            return None
        expected, took = float(first.amount), float(second.amount)
    return round(expected / took - 1, 4) if took else None
