"""Preflight's estimate of a training beside what it took. Both are measured figures of reports, which stay with the run."""

from statistics import median
from typing import Any

import sqlalchemy as sa

from modelmint.catalog.catalog import Catalog
from modelmint.catalog.schema import run_stages, runs
from modelmint.core.errors import NotFoundError
from modelmint.core.money import money
from modelmint.core.types import JSON

FIGURES = ("seconds", "memory_bytes", "cost")
MAX_RUNS = 50


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


def past(catalog: Catalog) -> JSON:
    """How well estimates of time were here: over the newest `MAX_RUNS` that told one and trained.

    Returns:
        ``runs``, how many; where there are some ``median_error``, the median share that they were off, and
        ``median_ratio``, that of what was taken to what was told.
    """
    ratios = [took / told for told, took in _told_and_taken(catalog) if told and took]
    if not ratios:
        return {"runs": 0}
    return {
        "runs": len(ratios),
        "median_error": round(median(abs(1 / ratio - 1) for ratio in ratios), 4),
        "median_ratio": round(median(ratios), 4),
    }


def past_in_words(found: JSON) -> str:
    """``Past estimates of time here were off by 14% in the median of 9 runs.``; empty where there are none."""
    if not found.get("runs"):
        return ""
    one = found["runs"] == 1
    return f"Past estimates of time here were off by {found['median_error']:.0%}" + (
        ": 1 run." if one else f" in the median of {found['runs']} runs."
    )


def _told_and_taken(catalog: Catalog) -> list[tuple[float, float]]:
    stages = sa.select(run_stages.c.run, run_stages.c.verb, run_stages.c.outputs, run_stages.c.cached)
    done = stages.join(runs, runs.c.id == run_stages.c.run).where(
        run_stages.c.tenant == catalog.tenant,
        run_stages.c.verb.in_(("preflight", "train")),
        run_stages.c.status == "succeeded",
    )
    with catalog.engine.connect() as connection:
        rows = connection.execute(done.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(4 * MAX_RUNS)).all()
    told = {row.run: row.outputs["preflight"][0] for row in rows if row.verb == "preflight"}
    taken = {row.outputs["training"][0]: row.run for row in rows if row.verb == "train" and not row.cached}
    pairs = [(told[run], training) for training, run in taken.items() if run in told][:MAX_RUNS]
    return [
        (first.get("estimate", {}).get("seconds", 0.0), second.get("seconds", 0.0))
        for first, second in ((_measured(catalog, one), _measured(catalog, other)) for one, other in pairs)
    ]


def _measured(catalog: Catalog, report: str) -> JSON:
    try:
        return dict(catalog.report(report).measured)
    except NotFoundError:
        return {}


def _error(expected: Any, took: Any) -> float | None:
    """None where the two cannot be compared: other currencies, or nothing was taken."""
    if isinstance(expected, str):
        first, second = money(expected), money(str(took))
        if first.currency != second.currency:
            return None
        expected, took = float(first.amount), float(second.amount)
    return round(expected / took - 1, 4) if took else None
